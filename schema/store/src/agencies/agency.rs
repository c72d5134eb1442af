//! An agency with its account: functions that show and lock it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;

use crate::database::schema::{accounts, agencies, plans};
use crate::error::AdministrationError;

/// An agency.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Serialize)]
#[diesel(table_name = agencies)]
pub struct Agency {
    /// Number of the agency.
    pub matricule: Matricule,
    /// Name of the agency.
    pub name: String,
    /// Town of the agency.
    pub town: String,
    /// Areas that the agency lies in, from the largest to the smallest, as in `Littoral/Sanaga-Maritime`; empty if nobody named any.
    pub area: String,
    /// Telephone number of the agency.
    pub telephone: String,
    /// E-mail address for answers by mail; empty if the agency has no e-mail.
    pub email: String,
    /// Name of the agency's plan.
    pub plan: String,
    /// Status: 0 is suspended, 1 allows the free services, 2 also certify, and 3 all services.
    pub status: i16,
    /// Size of the largest container that the agency may send, in bytes.
    pub letter_bytes_max: i32,
    /// Whether the agency may use AES-256-CBC, for older programs that do not know AES-256-GCM.
    pub cbc_allowed: bool,
    /// Time when the agency was added.
    pub created_at: DateTime<Utc>,
    /// Balance of the agency's account, in minor units.
    #[diesel(select_expression = accounts::balance)]
    pub balance: i64,
    /// Amount in minor units by which the account may fall below zero. Beyond it, a service with the credit rule `refuse` is refused.
    #[diesel(select_expression = accounts::credit_limit)]
    pub credit_limit: i64,
}

/// Shows one agency.
///
/// # Errors
/// The agency does not exist; a fault of the database.
pub async fn show(connection: &mut AsyncPgConnection, number: Matricule) -> Result<Agency, AdministrationError> {
    agencies::table
        .inner_join(accounts::table.on(accounts::agency.eq(agencies::matricule.nullable())))
        .filter(agencies::matricule.eq(number))
        .select(Agency::as_select())
        .first(connection)
        .await
        .optional()?
        .ok_or(AdministrationError::AgencyUnknown(number))
}

/// Lists the plans' names.
///
/// # Errors
/// A fault of the database.
pub async fn plans(connection: &mut AsyncPgConnection) -> Result<Vec<String>, AdministrationError> {
    Ok(plans::table.order(plans::name).select(plans::name).load(connection).await?)
}

/// Locks an agency's account, as settling does before it decides letters of the agency. So a change under this lock waits for the batch
/// that is being settled, later batches wait for the change, and the change applies from the next batch on.
pub(crate) async fn lock_account(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
) -> Result<(), AdministrationError> {
    let account = accounts::table.filter(accounts::agency.eq(agency)).select(accounts::id).for_update();
    account.load::<i32>(connection).await?;
    Ok(())
}

/// Locks an agency's account and then its row, and returns its status. Settling locks the two in the same order; in another order, each
/// could wait for the other.
pub(crate) async fn locked_status(
    connection: &mut AsyncPgConnection,
    number: Matricule,
) -> Result<i16, AdministrationError> {
    lock_account(connection, number).await?;
    agencies::table
        .find(number)
        .select(agencies::status)
        .for_update()
        .first(connection)
        .await
        .optional()?
        .ok_or(AdministrationError::AgencyUnknown(number))
}
