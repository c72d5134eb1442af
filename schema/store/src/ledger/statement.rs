//! The statement of an agency's account as an operator asks for it, or has it sent: told as the service `account` tells it.

use diesel_async::{AsyncConnection, AsyncPgConnection};
use sdc::answer::notice::NoticeContent;
use sdc::answer::statement::Statement;
use sdc::letter::Matricule;
use sdc::request::Period;
use uuid::Uuid;

use crate::database::fault::Fault;
use crate::error::AdministrationError;
use crate::letters::notices;
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;
use crate::settle::statement;

/// Most entries of a statement, the newest ones: more than an account has in a year of a letter an hour.
const ENTRIES_MAX: usize = 10_000;

/// Most octets of the entries that are sent: what the slowest link and an agency's limit bear.
const SENT_BYTES_MAX: usize = 64 << 10;

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

/// Sends the statement over some days to every installation of an agency that has written: its newest entries, as many as one letter
/// bears. Returns what is sent.
///
/// # Errors
/// No such agency, or none of its installations has written; a fault.
pub async fn send(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    agency: Matricule,
    period: Period,
) -> Result<Statement, AdministrationError> {
    operator.require(connection, Operation::StatementSend).await?;
    let whole = of(connection, agency, period).await?;
    let parts = statement::divide(whole, 1, |octets| octets <= SENT_BYTES_MAX);
    let one = parts.into_iter().next().ok_or_else(|| Fault::Bug("a statement has no part".to_owned()))?;
    connection
        .transaction(async |connection| {
            let content = NoticeContent::Statement { statement: one.clone() };
            let about = Uuid::now_v7().to_string();
            if notices::queue_for_agency(connection, agency, &about, &content).await? == 0 {
                return Err(AdministrationError::AgencySilent(agency));
            }
            let action = AuditAction::StatementSend { agency, from: one.from, to: one.to, entries: one.entries.len() };
            audit::write(connection, operator, &action).await?;
            Ok(one)
        })
        .await
}
