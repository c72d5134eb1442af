//! The statement of an agency's account as an operator asks for it: told as the service `account` tells it.

use diesel_async::AsyncPgConnection;
use sdc::answer::statement::Statement;
use sdc::letter::Matricule;
use sdc::request::Period;

use crate::database::fault::Fault;
use crate::error::AdministrationError;
use crate::settle::statement;

/// Most entries of a statement, the newest ones: more than an account has in a year of a letter an hour.
const ENTRIES_MAX: usize = 10_000;

/// Reads the statement over some days of the centre's calendar, both included, as of now. An absent `to` is today, or `from` where that
/// is later; an absent `from` the first of the month of `to`. `to` is not before `from`.
///
/// # Errors
/// No such agency; a fault.
pub async fn of(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    period: Period,
) -> Result<Statement, AdministrationError> {
    let mut read = connection.build_transaction().repeatable_read().read_only();
    let statement: Result<Option<Statement>, Fault> =
        read.run(async |connection| statement::of_agency(connection, agency, period, ENTRIES_MAX).await).await;
    statement?.ok_or(AdministrationError::AgencyUnknown(agency))
}
