//! Changing what an agency is: address, name, plan, limits. What was and what is now goes into the audit log.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::{Deserialize, Serialize};

use super::agency::{Agency, locked_status, show};
use super::values::{check_credit_limit, check_email, check_line, check_name, explain};
use crate::centre::addresses::refuse_own;
use crate::database::schema::{accounts, agencies};
use crate::error::{AdministrationError, InvalidValue};
use crate::people::action::{AuditAction, Differences};
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Changes to an agency; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, AsChangeset, Serialize, Deserialize)]
#[diesel(table_name = agencies)]
#[serde(deny_unknown_fields)]
pub struct AgencyChange {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its town.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub town: Option<String>,
    /// Its telephone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telephone: Option<String>,
    /// Where its answers by mail go; empty for no e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Its plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Largest container that it may send, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letter_bytes_max: Option<i32>,
    /// Whether it may use AES-256-CBC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cbc_allowed: Option<bool>,
    /// How far its account may fall below zero where credit is refused, in minor units. It stands on the account.
    #[diesel(skip_update)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_limit: Option<i64>,
}

/// An agency before and after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// As it was.
    pub before: Agency,
    /// As it is now.
    pub after: Agency,
}

/// Changes an agency's data. The same again changes nothing and is no error.
///
/// # Errors
/// No such agency or plan, a value not valid, nothing to change; a fault.
pub async fn edit(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    number: Matricule,
    change: &AgencyChange,
) -> Result<Changed, AdministrationError> {
    operator.require(connection, Operation::AgencyEdit).await?;
    check(change)?;
    connection
        .transaction(async |connection| {
            locked_status(connection, number).await?;
            if let Some(email) = &change.email {
                refuse_own(connection, email).await?;
            }
            let before = show(connection, number).await?;
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

fn check(change: &AgencyChange) -> Result<(), AdministrationError> {
    if *change == AgencyChange::default() {
        return Err(InvalidValue::Change.into());
    }
    change.name.as_deref().map_or(Ok(()), check_name)?;
    change.email.as_deref().map_or(Ok(()), check_email)?;
    change.town.as_deref().map_or(Ok(()), |town| check_line(InvalidValue::Town, town))?;
    change.telephone.as_deref().map_or(Ok(()), |telephone| check_line(InvalidValue::Telephone, telephone))?;
    change.credit_limit.map_or(Ok(()), check_credit_limit)
}
