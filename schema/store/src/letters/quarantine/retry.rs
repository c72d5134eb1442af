//! Retries of quarantine entries: after the cause is repaired, an operator lets the centre process the same bytes again.
//!
//! Settling makes another attempt at a refused letter, under the same locks as the first attempt (`settle::retry`). One transaction commits
//! the attempt, the end of the entry and the line of the audit log. A container with an unknown signer may succeed now, if the signer's
//! certificate has been registered since. If no attempt can be made, only the audit log changes.

use chrono::Utc;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bytea, Nullable, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::digest::Digest;
use sdc::refusal::RefusalCode;
use serde_json::{Value, json};

use super::insert::faulty_table;
use super::{QuarantineEntry, find, release_room};
use crate::database::fault::Fault;
use crate::database::schema::quarantine;
use crate::error::AdministrationError;
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;
use crate::settle::{Arrival, Retry, Ruling, Settler, Tried};

/// An entry that is to be processed again, with its bytes.
#[derive(Clone, Debug)]
pub struct TakenUp {
    /// The entry of the quarantine.
    pub entry: QuarantineEntry,
    /// Original bytes: a container, or the whole mail for some reasons ([`TakenUp::is_mail`]).
    pub original: Vec<u8>,
}

impl TakenUp {
    /// Says whether the bytes are a whole mail: the mail was put in quarantine before its containers were extracted. A document from the
    /// transfer folder is never a mail.
    pub fn is_mail(&self) -> bool {
        let of_mails = [RefusalCode::MailMalformed, RefusalCode::NoContainer, RefusalCode::Poison];
        self.entry.transport == "mail"
            && RefusalCode::parse(&self.entry.reason).is_some_and(|code| of_mails.contains(&code))
    }
}

/// Reads an open entry with its bytes, to process it again.
///
/// # Errors
/// The entry does not exist or is decided already, or not all of its bytes are kept; a fault of the database.
pub async fn take_up(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    id: i64,
) -> Result<TakenUp, AdministrationError> {
    operator.require(connection, Operation::QuarantineRetry).await?;
    connection
        .transaction(async |connection| {
            let entry = find(connection, id).await?;
            let original: Vec<u8> = quarantine::table.find(id).select(quarantine::original).first(connection).await?;
            if entry.state != "open" {
                return Err(AdministrationError::QuarantineDecided { id, state: entry.state });
            }
            if usize::try_from(entry.original_bytes) != Ok(original.len()) {
                return Err(AdministrationError::QuarantineIncomplete { id });
            }
            Ok(TakenUp { entry, original })
        })
        .await
}

/// Settles the containers of an entry again. Returns their outcomes in the same order. If no attempt was possible for any container, only
/// the line of the audit log is written.
///
/// # Errors
/// The entry was decided in the meantime; a fault of the database.
pub async fn retry(
    settler: &Settler,
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    taken_up: &TakenUp,
    containers: Vec<Arrival>,
    reason: &str,
) -> Result<Vec<Tried>, AdministrationError> {
    operator.require(connection, Operation::QuarantineRetry).await?;
    let id = taken_up.entry.id;
    let (decider, decided_at) = (operator.user().to_owned(), Utc::now());
    let retry = Retry { decider, decided_at, ruling: Ruling::Anew, approval: None };
    let mut written = settler.write_again(containers, retry).await.map_err(|unsettled| unsettled.fault)?;
    let tried = written.tried();
    let action = AuditAction::QuarantineRetry {
        entry: id,
        reason,
        container_reason: &taken_up.entry.reason,
        tried: tried.iter().map(as_json).collect(),
    };
    if !tried.iter().any(is_attempt) {
        drop(written);
        connection.transaction(async |connection| audit::write(connection, operator, &action).await).await?;
        return Ok(tried);
    }
    // The transaction has the agency's lock, so another retry of the letter waits.
    let inside = written.connection();
    let entry = find(inside, id).await?;
    if entry.state != "open" {
        return Err(AdministrationError::QuarantineDecided { id, state: entry.state });
    }
    close(inside, &entry, &tried).await?;
    reopen(inside, taken_up, &entry, &tried).await?;
    audit::write(inside, operator, &action).await?;
    written.post().await.map_err(|unsettled| unsettled.fault)?;
    Ok(tried)
}

fn is_attempt(tried: &Tried) -> bool {
    matches!(tried, Tried::Accepted { .. } | Tried::Refused { .. } | Tried::Held { .. })
}

/// Returns the outcome of a container as JSON, for programs.
pub fn as_json(tried: &Tried) -> Value {
    match tried {
        Tried::Accepted { letter_id, attempt } => {
            json!({ "letter": letter_id, "attempt": attempt, "outcome": "accepted" })
        }
        Tried::Refused { letter_id, attempt, refusal } => {
            json!({ "letter": letter_id, "attempt": attempt, "outcome": refusal.code.as_str() })
        }
        Tried::Held { letter_id, attempt, checks } => {
            json!({ "letter": letter_id, "attempt": attempt, "outcome": "held", "checks": checks })
        }
        Tried::Stranger(refusal) => json!({ "outcome": refusal.code.as_str() }),
        Tried::AcceptedBefore { letter_id } => json!({ "letter": letter_id, "outcome": "accepted_before" }),
        Tried::Waits => json!({ "outcome": "deferred" }),
    }
}

/// Ends an entry whose letter was settled again. If the letter is refused for the same reason as before, the entry stays open and gets the
/// new detail.
async fn close(
    connection: &mut AsyncPgConnection,
    entry: &QuarantineEntry,
    tried: &[Tried],
) -> Result<(), AdministrationError> {
    if let [Tried::Refused { refusal, .. }] = tried
        && refusal.code.as_str() == entry.reason
    {
        diesel::sql_query("UPDATE xm.quarantine SET detail = $2, faulty_table = $3 WHERE id = $1")
            .bind::<BigInt, _>(entry.id)
            .bind::<Text, _>(refusal.to_string())
            .bind::<Nullable<Text>, _>(faulty_table(refusal))
            .execute(connection)
            .await?;
        return Ok(());
    }
    // The bytes are now stored in another place: an accepted letter has them with its journal line, a held letter in its own row, and a
    // refused letter in another entry.
    release_room(connection, entry).await?;
    diesel::sql_query(
        "UPDATE xm.quarantine SET state = 'retried', original = '', held_version = NULL, sender = NULL, subject = NULL
          WHERE id = $1",
    )
    .bind::<BigInt, _>(entry.id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Opens an earlier entry of the same container again, if the container is now refused for the reason of that entry. Settling adds no
/// second entry for the same container and reason, and a former retry deleted the bytes of that entry.
async fn reopen(
    connection: &mut AsyncPgConnection,
    taken_up: &TakenUp,
    entry: &QuarantineEntry,
    tried: &[Tried],
) -> Result<(), Fault> {
    // If the entry is a whole mail, its containers had no entries of their own before this retry, and settling has added them. So there is
    // no earlier entry of the same container to open again.
    let [Tried::Refused { refusal, .. }] = tried else { return Ok(()) };
    if taken_up.is_mail() || refusal.code.as_str() == entry.reason {
        return Ok(());
    }
    let digest = Digest::of(&taken_up.original);
    diesel::sql_query(
        "UPDATE xm.quarantine SET state = 'open', original = $3, detail = $4, faulty_table = $5
          WHERE digest = $1 AND reason = $2 AND state <> 'open'",
    )
    .bind::<Bytea, _>(digest.as_bytes().as_slice())
    .bind::<Text, _>(refusal.code.as_str())
    .bind::<Bytea, _>(&taken_up.original)
    .bind::<Text, _>(refusal.to_string())
    .bind::<Nullable<Text>, _>(faulty_table(refusal))
    .execute(connection)
    .await?;
    Ok(())
}
