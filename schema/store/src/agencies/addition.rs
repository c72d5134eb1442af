//! Adds an agency with its account, and sets an agency's status, which decides which services the agency may use.

use diesel::dsl::max;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::{Deserialize, Serialize};

use super::agency::locked_status;
use super::values::{check_area, check_credit_limit, check_email, check_line, check_name, check_status, explain};
use crate::centre::addresses::refuse_own;
use crate::database::schema::{accounts, agencies};
use crate::error::{AdministrationError, InvalidValue};
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// An agency to be added.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAgency {
    /// Number of the agency; if absent, the next free number.
    pub matricule: Option<Matricule>,
    /// Name of the agency.
    pub name: String,
    /// Town of the agency.
    #[serde(default)]
    pub town: String,
    /// Areas that the agency lies in, from the largest to the smallest, as in `Littoral/Sanaga-Maritime`.
    #[serde(default)]
    pub area: String,
    /// Telephone number of the agency.
    #[serde(default)]
    pub telephone: String,
    /// E-mail address for answers by mail; empty if the agency has no e-mail.
    #[serde(default)]
    pub email: String,
    /// Name of the plan; `standard` if absent.
    pub plan: Option<String>,
    /// Status from 0 to 3; 3 if absent.
    pub status: Option<i16>,
    /// Amount in minor units by which the account may fall below zero. Beyond it, a service with the credit rule `refuse` is refused.
    #[serde(default)]
    pub credit_limit: i64,
}

/// Adds an agency with its account.
///
/// # Errors
/// The matricule is taken, the plan is unknown, or a value is not valid; a fault of the database.
pub async fn add(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    new: &NewAgency,
) -> Result<Matricule, AdministrationError> {
    operator.require(connection, Operation::AgencyAdd).await?;
    check_name(&new.name)?;
    check_email(&new.email)?;
    check_status(new.status.unwrap_or(3))?;
    check_credit_limit(new.credit_limit)?;
    check_line(InvalidValue::Town, &new.town)?;
    check_area(&new.area)?;
    check_line(InvalidValue::Telephone, &new.telephone)?;
    connection
        .transaction(async |connection| {
            refuse_own(connection, &new.email).await?;
            let number = match new.matricule {
                Some(number) => number,
                None => next_free(connection).await?,
            };
            let plan = new.plan.as_deref().unwrap_or("standard");
            diesel::insert_into(agencies::table)
                .values((
                    agencies::matricule.eq(number),
                    agencies::name.eq(&new.name),
                    agencies::town.eq(&new.town),
                    agencies::area.eq(&new.area),
                    agencies::telephone.eq(&new.telephone),
                    agencies::email.eq(&new.email),
                    agencies::plan.eq(plan),
                    agencies::status.eq(new.status.unwrap_or(3)),
                ))
                .execute(connection)
                .await
                .map_err(|error| explain(error, number, plan))?;
            diesel::insert_into(accounts::table)
                .values((
                    accounts::kind.eq("agency"),
                    accounts::agency.eq(number),
                    accounts::credit_limit.eq(new.credit_limit),
                ))
                .execute(connection)
                .await?;
            let action = AuditAction::AgencyAdd {
                agency: number,
                name: &new.name,
                town: &new.town,
                area: &new.area,
                telephone: &new.telephone,
                email: &new.email,
                plan,
                status: new.status.unwrap_or(3),
                credit_limit: new.credit_limit,
            };
            audit::write(connection, operator, &action).await?;
            Ok(number)
        })
        .await
}

/// Sets an agency's status: 0 is suspended, 1 allows the free services, 2 also certify, and 3 all services.
///
/// # Errors
/// The agency does not exist, or the status is not valid; a fault of the database.
pub async fn set_status(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    number: Matricule,
    status: i16,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::AgencyStatus).await?;
    check_status(status)?;
    connection
        .transaction(async |connection| {
            let former = locked_status(connection, number).await?;
            diesel::update(agencies::table.find(number)).set(agencies::status.eq(status)).execute(connection).await?;
            let action = AuditAction::AgencyStatus { agency: number, from: former, to: status };
            audit::write(connection, operator, &action).await?;
            Ok(())
        })
        .await
}

async fn next_free(connection: &mut AsyncPgConnection) -> Result<Matricule, AdministrationError> {
    // Without the lock, two operators who add agencies at the same time would choose the same number. The lock does not block readers or
    // settling.
    diesel::sql_query("LOCK TABLE xm.agencies IN SHARE ROW EXCLUSIVE MODE").execute(connection).await?;
    let highest: Option<Matricule> = agencies::table.select(max(agencies::matricule)).first(connection).await?;
    let next = highest.map_or(0, u32::from) + 1;
    Matricule::try_from(next).map_err(|_out_of_range| AdministrationError::MatriculesExhausted)
}
