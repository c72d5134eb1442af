//! Another try at what is in quarantine: the cause is mended, and an operator has the centre look at the same bytes again.
//!
//! A refused letter gets another attempt, under the same locks as the first (`settle::retry`), committed together with the end of
//! its entry and the operator's line. What nobody vouched for may have a signer by now. Where no attempt can be made, nothing
//! is changed but that the try is on record.

use chrono::Utc;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bytea, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::digest::Digest;
use sdc::refusal::RefusalCode;
use serde_json::{Value, json};

use super::{QuarantineEntry, find, release_room};
use crate::database::fault::Fault;
use crate::database::schema::quarantine;
use crate::error::AdministrationError;
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;
use crate::settle::{Arrival, Retry, Ruling, Settler, Tried};

/// An entry that is taken up to be tried again.
#[derive(Clone, Debug)]
pub struct TakenUp {
    /// The entry.
    pub entry: QuarantineEntry,
    /// Its bytes: a container, or the mail as a whole where its reason says so.
    pub original: Vec<u8>,
}

impl TakenUp {
    /// Says whether the bytes are those of a whole mail: whatever was wrong with it, no container was taken out of it. What lay in a
    /// folder is a document itself.
    pub fn is_mail(&self) -> bool {
        let of_mails = [RefusalCode::MailMalformed, RefusalCode::NoContainer, RefusalCode::Poison];
        self.entry.transport == "mail"
            && RefusalCode::parse(&self.entry.reason).is_some_and(|code| of_mails.contains(&code))
    }
}

/// Reads an entry that can be tried again.
///
/// # Errors
/// No such entry, one that is decided, one of which not all bytes are kept; a fault.
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

/// Has the containers of an entry settled again. Returns what became of each, in their order; where no attempt was made at any of
/// them, nothing but the operator's line is written.
///
/// # Errors
/// The entry was decided meanwhile; a fault.
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
    // Under the agency's lock, which another retry of the letter would wait for.
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

/// Tells what became of a container for programs.
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

/// Ends an entry whose letter has been tried; one that is refused for the same reason as before stays open, with what is wrong now.
async fn close(
    connection: &mut AsyncPgConnection,
    entry: &QuarantineEntry,
    tried: &[Tried],
) -> Result<(), AdministrationError> {
    if let [Tried::Refused { refusal, .. }] = tried
        && refusal.code.as_str() == entry.reason
    {
        diesel::sql_query("UPDATE xm.quarantine SET detail = $2 WHERE id = $1")
            .bind::<BigInt, _>(entry.id)
            .bind::<Text, _>(refusal.to_string())
            .execute(connection)
            .await?;
        return Ok(());
    }
    // The bytes are kept with the journal's line of what is accepted, with the letter that is held, and in another entry of what is
    // refused.
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

/// Opens the entries again that containers have by former tries for the reason that they are refused for now: settling adds none
/// where there is one, and that one has no bytes any more.
async fn reopen(
    connection: &mut AsyncPgConnection,
    taken_up: &TakenUp,
    entry: &QuarantineEntry,
    tried: &[Tried],
) -> Result<(), Fault> {
    // A mail's containers have entries of their own for the first time.
    let [Tried::Refused { refusal, .. }] = tried else { return Ok(()) };
    if taken_up.is_mail() || refusal.code.as_str() == entry.reason {
        return Ok(());
    }
    let digest = Digest::of(&taken_up.original);
    diesel::sql_query(
        "UPDATE xm.quarantine SET state = 'open', original = $3, detail = $4 WHERE digest = $1 AND reason = $2 AND state <> 'open'",
    )
    .bind::<Bytea, _>(digest.as_bytes().as_slice())
    .bind::<Text, _>(refusal.code.as_str())
    .bind::<Bytea, _>(&taken_up.original)
    .bind::<Text, _>(refusal.to_string())
    .execute(connection)
    .await?;
    Ok(())
}
