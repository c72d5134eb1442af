//! Recovers letters that the centre has lost, mostly because it was restored from a backup: an operator asks offices to send them again.

use diesel::sql_types::Text;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::answer::notice::NoticeContent;
use sdc::letter::{Matricule, Office};
use uuid::Uuid;

use super::notices;
use crate::agencies;
use crate::database::statement::{Bind, Statement};
use crate::error::{AdministrationError, InvalidValue};
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Asks all installations of an agency, or the given installation, to send their letters again, beginning with a sequence number. A letter
/// that the centre still has gets its former answer. Returns how many installations are asked.
///
/// # Errors
/// The agency does not exist; the installation has not sent a letter or does not exist; a number below 1; a fault of the database.
pub async fn ask(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    agency: Matricule,
    installation: Option<&str>,
    from: i64,
) -> Result<usize, AdministrationError> {
    operator.require(connection, Operation::LetterAskAgain).await?;
    if from < 1 {
        return Err(InvalidValue::LetterNumber.into());
    }
    connection
        .transaction(async |connection| {
            agencies::show(connection, agency).await?;
            let text =
                "SELECT name FROM xm.installations WHERE agency = ? AND transport IS NOT NULL AND (? = '' OR name = ?) ORDER BY name";
            let name = installation.unwrap_or_default();
            let binds = [Bind::Matricule(agency), Bind::Text(name), Bind::Text(name)];
            let names: Vec<String> = Statement::<Text>::new(text, &binds).load(connection).await?;
            let (about, mut asked) = (Uuid::now_v7().to_string(), 0);
            for installation in names {
                let to = Office { agency, installation };
                let content = NoticeContent::Resend { from: from.unsigned_abs() };
                asked += usize::from(notices::queue(connection, &to, &about, &content).await?.is_some());
            }
            if asked == 0 {
                return Err(AdministrationError::AgencySilent(agency));
            }
            let action = AuditAction::LetterAskAgain { agency, installation, from };
            audit::write(connection, operator, &action).await?;
            Ok(asked)
        })
        .await
}
