//! An operator changes an agency's data: address, name, plan and limits. The audit log records the data before and after the change.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::{Deserialize, Serialize};

use super::agency::{Agency, locked_status, show};
use super::values::{check_area, check_credit_limit, check_email, check_letter_limit, check_line, check_name, explain};
use crate::centre::addresses::refuse_own;
use crate::database::schema::{accounts, agencies};
use crate::error::{AdministrationError, InvalidValue};
use crate::people::action::{AuditAction, Differences};
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Status of agencies whose profile is protected.
const PROTECTED_STATUS: i16 = 3;

/// Changes to an agency's data; a member that is absent does not change.
#[derive(Clone, Debug, Default, PartialEq, Eq, AsChangeset, Serialize, Deserialize)]
#[diesel(table_name = agencies)]
#[serde(deny_unknown_fields)]
pub struct AgencyChange {
    /// New name of the agency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New town of the agency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub town: Option<String>,
    /// New areas of the agency, from the largest to the smallest, as in `Littoral/Sanaga-Maritime`; empty removes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
    /// New telephone number of the agency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telephone: Option<String>,
    /// New e-mail address for answers by mail; empty removes the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Name of the new plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// New size of the largest container that the agency may send, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letter_bytes_max: Option<i32>,
    /// Whether the agency may use AES-256-CBC from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cbc_allowed: Option<bool>,
    /// New amount in minor units by which the account may fall below zero before a service with the credit rule `refuse` is refused. It is
    /// stored with the account.
    #[diesel(skip_update)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_limit: Option<i64>,
}

/// An agency before and after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The agency before the change.
    pub before: Agency,
    /// The agency after the change.
    pub after: Agency,
}

/// Changes an agency's data. If the agency has these values already, nothing changes and no error is returned.
///
/// # Errors
/// The agency or the plan does not exist, a value is not valid, or the change is empty; the profile of an agency of status 3 is changed by
/// somebody other than a Superviseur; a fault of the database.
pub async fn edit(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    number: Matricule,
    change: &AgencyChange,
) -> Result<Changed, AdministrationError> {
    // An agency that is not there has no profile, and the transaction below says so.
    if show(connection, number).await.is_ok_and(|before| changes_protected(&before, change)) {
        operator.require(connection, Operation::AgencyProfile).await?;
    }
    operator.require(connection, Operation::AgencyEdit).await?;
    check(change)?;
    connection
        .transaction(async |connection| {
            locked_status(connection, number).await?;
            if let Some(email) = &change.email {
                refuse_own(connection, email).await?;
            }
            let before = show(connection, number).await?;
            // The status may have become 3 after the check above.
            if changes_protected(&before, change) {
                operator.may(Operation::AgencyProfile)?;
            }
            let on_agency = AgencyChange { credit_limit: None, ..change.clone() };
            if on_agency != AgencyChange::default() {
                let plan = change.plan.as_deref().unwrap_or_default();
                diesel::update(agencies::table.find(number))
                    .set(&on_agency)
                    .execute(connection)
                    .await
                    .map_err(|error| explain(error, number, plan))?;
            }
            if let Some(limit) = change.credit_limit {
                diesel::update(accounts::table.filter(accounts::agency.eq(number)))
                    .set(accounts::credit_limit.eq(limit))
                    .execute(connection)
                    .await?;
            }
            let after = show(connection, number).await?;
            let action = AuditAction::AgencyEdit { agency: number, differences: Differences::of(&before, &after) };
            audit::write(connection, operator, &action).await?;
            Ok(Changed { before, after })
        })
        .await
}

/// Says whether a change concerns the protected profile of an agency of status 3: its name, town, telephone or e-mail, which only a
/// Superviseur changes (guide, chapter 4.1).
pub(super) fn changes_protected(before: &Agency, change: &AgencyChange) -> bool {
    let AgencyChange { name, town, telephone, email, .. } = change;
    let members = [(name, &before.name), (town, &before.town), (telephone, &before.telephone), (email, &before.email)];
    before.status == PROTECTED_STATUS
        && members.into_iter().any(|(new, old)| new.as_ref().is_some_and(|new| new != old.trim()))
}

/// Checks the values of a change.
pub(super) fn check(change: &AgencyChange) -> Result<(), AdministrationError> {
    if *change == AgencyChange::default() {
        return Err(InvalidValue::Change.into());
    }
    change.name.as_deref().map_or(Ok(()), check_name)?;
    change.email.as_deref().map_or(Ok(()), check_email)?;
    change.town.as_deref().map_or(Ok(()), |town| check_line(InvalidValue::Town, town))?;
    change.area.as_deref().map_or(Ok(()), check_area)?;
    change.telephone.as_deref().map_or(Ok(()), |telephone| check_line(InvalidValue::Telephone, telephone))?;
    change.letter_bytes_max.map_or(Ok(()), check_letter_limit)?;
    change.credit_limit.map_or(Ok(()), check_credit_limit)
}
