//! Statements of agencies' accounts that operators read or send. The content is the same as that of the service `account`.

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

/// Largest number of entries of a statement; older entries are omitted. An office that sends one letter an hour has fewer entries in a
/// year.
const ENTRIES_MAX: usize = 10_000;

/// Largest number of octets of the entries in a statement that is sent. The limit suits slow links and the agencies' limits on the size of
/// a letter.
const SENT_BYTES_MAX: usize = 64 << 10;

/// Reads the statement of a period in days of the centre's calendar; both days are part of it. An absent `to` means today, or `from` if
/// `from` is later. An absent `from` means the first day of the month of `to`. `to` must not be before `from`.
///
/// # Errors
/// The agency does not exist; a fault of the database.
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

/// Sends the statement of a period to every installation of an agency that has sent a letter. The statement contains the newest entries, as
/// many as fit into one letter. Returns the statement that was sent.
///
/// # Errors
/// The agency does not exist, or no installation of it has sent a letter; a fault of the database.
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
