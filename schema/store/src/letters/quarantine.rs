//! The quarantine: containers not accepted, with their original bytes, until a person has looked at them.

mod insert;
pub mod retry;
mod rooms;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use sdc::refusal::RefusalCode;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::journal::{self, JournalLine};
use crate::database::fault::Fault;
use crate::database::schema::{quarantine, quarantine_usage};
use crate::error::{AdministrationError, Book};
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;
use insert::entry_bytes;
pub(crate) use insert::insert;
use rooms::give_back;

/// An entry in a list.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct QuarantineEntry {
    /// Its number.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// When the container came.
    #[diesel(sql_type = Timestamptz)]
    pub received_at: DateTime<Utc>,
    /// Why it was not accepted.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// Whether it waits for a decision.
    #[diesel(sql_type = Bool)]
    pub held: bool,
    /// Who signed it, where that is known.
    #[diesel(sql_type = Nullable<Integer>)]
    pub agency: Option<Matricule>,
    /// The installation that it names.
    #[diesel(sql_type = Nullable<Text>)]
    pub installation: Option<String>,
    /// Its id.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub letter_id: Option<Uuid>,
    /// SHA-256 of the container; the journal has that of the signed octets.
    #[serde(rename = "container_digest", with = "hex")]
    #[diesel(sql_type = Bytea)]
    pub digest: Vec<u8>,
    /// How it came.
    #[diesel(sql_type = Text)]
    pub transport: String,
    /// Where it lay.
    #[diesel(sql_type = Text)]
    pub mailbox: String,
    /// Domain of the mail's sender, not to be believed.
    #[diesel(sql_type = Text)]
    pub sender_domain: String,
    /// Size as it came; what is kept may be less.
    #[diesel(sql_type = BigInt)]
    pub original_bytes: i64,
    /// Where it broke a rule.
    #[diesel(sql_type = Text)]
    pub detail: String,
    /// `open`, `dropped` or `retried`.
    #[diesel(sql_type = Text)]
    pub state: String,
    /// The agency that the mail mentions: claimed, not proven.
    #[diesel(sql_type = Nullable<Integer>)]
    pub claimed_agency: Option<Matricule>,
    /// The certificate that the signature names, in words: claimed, unless `agency` is known.
    #[diesel(sql_type = Nullable<Text>)]
    pub signer: Option<String>,
    /// The mail's `From`: claimed.
    #[diesel(sql_type = Nullable<Text>)]
    pub sender: Option<String>,
    /// The mail's `Subject`.
    #[diesel(sql_type = Nullable<Text>)]
    pub subject: Option<String>,
}

/// Which entries a list shows, newest first.
#[derive(Clone, Debug, Default)]
pub struct QuarantineFilter {
    /// With this reason.
    pub reason: Option<String>,
    /// Of this agency.
    pub agency: Option<Matricule>,
    /// Those that wait for a decision.
    pub held: bool,
    /// Those decided already, too.
    pub with_decided: bool,
    /// Older than this entry.
    pub before: Option<i64>,
    /// At most so many; 100 when absent.
    pub limit: Option<i64>,
}

/// What one entry holds.
#[derive(Clone, Debug)]
pub struct QuarantineContent {
    /// The entry.
    pub entry: QuarantineEntry,
    /// The bytes kept.
    pub original: Vec<u8>,
    /// The version that is held in the table, where the letter says otherwise.
    pub held_version: Option<Value>,
}

/// Columns of an entry; the caller adds the condition.
macro_rules! select_entries {
    ($condition:literal) => {
        concat!(
            "SELECT id, received_at, reason, held, agency, installation, letter_id, digest, transport, mailbox, sender_domain,
                    original_bytes, detail, state, claimed_agency, signer, sender, subject
               FROM xm.quarantine WHERE ",
            $condition
        )
    };
}

/// Reads an entry and locks it: two operators must not both decide.
async fn find(connection: &mut AsyncPgConnection, id: i64) -> Result<QuarantineEntry, AdministrationError> {
    diesel::sql_query(select_entries!("id = $1 FOR UPDATE"))
        .bind::<BigInt, _>(id)
        .get_result(connection)
        .await
        .optional()?
        .ok_or(AdministrationError::LineUnknown { book: Book::Quarantine, id })
}

/// Lists entries, newest first.
///
/// # Errors
/// A fault.
pub async fn list(
    connection: &mut AsyncPgConnection,
    filter: &QuarantineFilter,
) -> Result<Vec<QuarantineEntry>, AdministrationError> {
    let entries = diesel::sql_query(select_entries!(
        "($1 IS NULL OR reason = $1) AND ($2 IS NULL OR agency = $2) AND (held OR NOT $3) AND (state = 'open' OR $4)
            AND ($5 IS NULL OR id < $5) ORDER BY id DESC LIMIT $6"
    ))
    .bind::<Nullable<Text>, _>(&filter.reason)
    .bind::<Nullable<Integer>, _>(filter.agency)
    .bind::<Bool, _>(filter.held)
    .bind::<Bool, _>(filter.with_decided)
    .bind::<Nullable<BigInt>, _>(filter.before)
    .bind::<BigInt, _>(filter.limit.unwrap_or(100))
    .load(connection)
    .await?;
    Ok(entries)
}

/// Lists the entries of a letter.
///
/// # Errors
/// A fault.
pub async fn of_letter(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    letter_id: Uuid,
) -> Result<Vec<QuarantineEntry>, AdministrationError> {
    let entries = diesel::sql_query(select_entries!("agency = $1 AND letter_id = $2 ORDER BY id"))
        .bind::<Integer, _>(agency)
        .bind::<SqlUuid, _>(letter_id)
        .load(connection)
        .await?;
    Ok(entries)
}

/// Lists the entries of a container, by its SHA-256.
///
/// # Errors
/// A fault.
pub async fn of_container(
    connection: &mut AsyncPgConnection,
    digest: &[u8],
) -> Result<Vec<QuarantineEntry>, AdministrationError> {
    let entries =
        diesel::sql_query(select_entries!("digest = $1 ORDER BY id")).bind::<Bytea, _>(digest).load(connection).await?;
    Ok(entries)
}

/// Lists the entries of the letter or mail that a line of the journal tells of.
///
/// # Errors
/// A fault.
pub async fn of_line(
    connection: &mut AsyncPgConnection,
    line: &JournalLine,
) -> Result<Vec<QuarantineEntry>, AdministrationError> {
    if let Some((agency, letter_id)) = line.agency.zip(line.letter_id) {
        return of_letter(connection, agency, letter_id).await;
    }
    // A container whose signer is not known has no name in the journal but the moment at which its mail came.
    let entries = diesel::sql_query(select_entries!(
        "reason = $1 AND received_at = $2 AND mailbox = $3 AND original_bytes = $4 ORDER BY id"
    ))
    .bind::<Text, _>(&line.outcome)
    .bind::<Timestamptz, _>(line.received_at)
    .bind::<Text, _>(&line.mailbox)
    .bind::<Integer, _>(line.container_bytes)
    .load(connection)
    .await?;
    Ok(entries)
}

/// Lists the journal's lines about the letter or mail of an entry, oldest first.
///
/// # Errors
/// A fault.
pub async fn lines_of(
    connection: &mut AsyncPgConnection,
    entry: &QuarantineEntry,
) -> Result<Vec<JournalLine>, AdministrationError> {
    if let Some((agency, letter_id)) = entry.agency.zip(entry.letter_id) {
        return journal::of_letter(connection, agency, letter_id).await;
    }
    let QuarantineEntry { received_at, reason, mailbox, original_bytes, agency, .. } = entry;
    journal::of_mail(connection, *received_at, reason, mailbox, *original_bytes, *agency).await
}

/// Shows one entry with its bytes. That the operator looked at a record's content is itself put on record.
///
/// # Errors
/// No such entry; a fault.
pub async fn show(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    id: i64,
) -> Result<QuarantineContent, AdministrationError> {
    operator.require(connection, Operation::QuarantineShow).await?;
    connection
        .transaction(async |connection| {
            let entry = find(connection, id).await?;
            let (original, held_version) = quarantine::table
                .find(id)
                .select((quarantine::original, quarantine::held_version))
                .first(connection)
                .await?;
            audit::write(connection, operator, &AuditAction::QuarantineShow { entry: id }).await?;
            Ok(QuarantineContent { entry, original, held_version })
        })
        .await
}

/// Drops an entry: its bytes are deleted, its line stays.
///
/// # Errors
/// No such entry, one that is decided; a fault.
pub async fn drop(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    id: i64,
    reason: &str,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::QuarantineDrop).await?;
    connection
        .transaction(async |connection| {
            let entry = find(connection, id).await?;
            if entry.state != "open" {
                return Err(AdministrationError::QuarantineDecided { id, state: entry.state });
            }
            let bytes = release_room(connection, &entry).await?;
            // What a mail says of a person is deleted with its bytes.
            diesel::sql_query(
                "UPDATE xm.quarantine SET state = 'dropped', original = '', held_version = NULL, sender = NULL, subject = NULL
                  WHERE id = $1",
            )
            .bind::<BigInt, _>(id)
            .execute(connection)
            .await?;
            let action =
                AuditAction::QuarantineDrop { entry: id, reason, container_reason: entry.reason.as_str(), bytes };
            audit::write(connection, operator, &action).await?;
            Ok(())
        })
        .await
}

/// Frees an entry's room before its bytes are deleted: the ceiling counts what is kept of senders that nobody vouches for. Returns how many
/// bytes are kept.
async fn release_room(connection: &mut AsyncPgConnection, entry: &QuarantineEntry) -> Result<usize, Fault> {
    #[derive(QueryableByName)]
    struct Kept {
        #[diesel(sql_type = Integer)]
        bytes: i32,
        #[diesel(sql_type = Nullable<Integer>)]
        signer_beside: Option<Matricule>,
    }
    let Kept { bytes, signer_beside } =
        diesel::sql_query("SELECT octet_length(original) AS bytes, signer_beside FROM xm.quarantine WHERE id = $1")
            .bind::<BigInt, _>(entry.id)
            .get_result(connection)
            .await?;
    let bytes = usize::try_from(bytes).unwrap_or_default();
    let is_unanswered = RefusalCode::parse(&entry.reason).is_some_and(|code| !code.is_answered());
    if is_unanswered {
        let texts = [&entry.signer, &entry.sender, &entry.subject].map(|text| text.as_deref());
        give_back(connection, &entry.reason, signer_beside, entry_bytes(bytes, texts)).await?;
    }
    Ok(bytes)
}

/// Returns the bytes kept by reason, of senders that nobody vouches for; under `vouched`, those of mails that an agency vouches for.
///
/// # Errors
/// A fault.
pub async fn usage(connection: &mut AsyncPgConnection) -> Result<Vec<(String, i64)>, AdministrationError> {
    let rows = quarantine_usage::table
        .order(quarantine_usage::reason)
        .select((quarantine_usage::reason, quarantine_usage::bytes_kept))
        .load(connection)
        .await?;
    Ok(rows)
}
