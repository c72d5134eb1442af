//! The quarantine: containers that were not accepted, with their original bytes, until a person has decided about them.

mod insert;
pub mod retry;
mod rooms;
pub mod selections;

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

/// An entry of the quarantine.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct QuarantineEntry {
    /// Number of the entry.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Time when the container arrived.
    #[diesel(sql_type = Timestamptz)]
    pub received_at: DateTime<Utc>,
    /// Code of the refusal.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// Whether the entry waits for an operator to decide between two versions of a letter or record.
    #[diesel(sql_type = Bool)]
    pub held: bool,
    /// Matricule of the agency that signed the container, if it is known.
    #[diesel(sql_type = Nullable<Integer>)]
    pub agency: Option<Matricule>,
    /// Name of the installation in the letter.
    #[diesel(sql_type = Nullable<Text>)]
    pub installation: Option<String>,
    /// Id of the letter.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub letter_id: Option<Uuid>,
    /// SHA-256 of the container. (The digest in the journal is that of the signed octets.)
    #[serde(rename = "container_digest", with = "hex")]
    #[diesel(sql_type = Bytea)]
    pub digest: Vec<u8>,
    /// Transport by which the container arrived.
    #[diesel(sql_type = Text)]
    pub transport: String,
    /// Name of the mailbox or transfer folder.
    #[diesel(sql_type = Text)]
    pub mailbox: String,
    /// Domain of the mail's sender, which may be forged.
    #[diesel(sql_type = Text)]
    pub sender_domain: String,
    /// Size in bytes at arrival; fewer bytes may be kept.
    #[diesel(sql_type = BigInt)]
    pub original_bytes: i64,
    /// Details of the broken rule.
    #[diesel(sql_type = Text)]
    pub detail: String,
    /// Table of the first faulty row, if the refusal names one.
    #[diesel(sql_type = Nullable<Text>)]
    pub faulty_table: Option<String>,
    /// State: `open`, `dropped` or `retried`.
    #[diesel(sql_type = Text)]
    pub state: String,
    /// Matricule of the agency that the mail mentions, which is not proven.
    #[diesel(sql_type = Nullable<Integer>)]
    pub claimed_agency: Option<Matricule>,
    /// Description of the certificate to which the signature refers; it is not proven unless `agency` is known.
    #[diesel(sql_type = Nullable<Text>)]
    pub signer: Option<String>,
    /// The mail's `From`, which is not proven.
    #[diesel(sql_type = Nullable<Text>)]
    pub sender: Option<String>,
    /// The mail's `Subject`.
    #[diesel(sql_type = Nullable<Text>)]
    pub subject: Option<String>,
}

/// Conditions that select entries for a list; the newest entry comes first.
#[derive(Clone, Debug, Default)]
pub struct QuarantineFilter {
    /// Code of the refusal.
    pub reason: Option<String>,
    /// Matricule of the agency.
    pub agency: Option<Matricule>,
    /// Whether only entries are listed that wait for a decision.
    pub held: bool,
    /// Whether decided entries are listed too.
    pub with_decided: bool,
    /// Number of the entry below which the list begins.
    pub before: Option<i64>,
    /// Largest number of entries that the list shows; 100 if absent.
    pub limit: Option<i64>,
}

/// The content of an entry.
#[derive(Clone, Debug)]
pub struct QuarantineContent {
    /// The entry.
    pub entry: QuarantineEntry,
    /// The bytes that are kept of the container or mail.
    pub original: Vec<u8>,
    /// The version of the record that its table contains, if the letter contains another version.
    pub held_version: Option<Value>,
}

/// Expands to a SELECT of an entry's columns; the caller adds the condition.
macro_rules! select_entries {
    ($condition:literal) => {
        concat!(
            "SELECT id, received_at, reason, held, agency, installation, letter_id, digest, transport, mailbox, sender_domain,
                    original_bytes, detail, faulty_table, state, claimed_agency, signer, sender, subject
               FROM xm.quarantine WHERE ",
            $condition
        )
    };
}

/// Reads and locks an entry. If two operators decide about it at the same time, the second waits for the lock and then finds the entry
/// decided.
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
/// A fault of the database.
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
/// A fault of the database.
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
/// A fault of the database.
pub async fn of_container(
    connection: &mut AsyncPgConnection,
    digest: &[u8],
) -> Result<Vec<QuarantineEntry>, AdministrationError> {
    let entries =
        diesel::sql_query(select_entries!("digest = $1 ORDER BY id")).bind::<Bytea, _>(digest).load(connection).await?;
    Ok(entries)
}

/// Lists the entries of the letter or mail to which a line of the journal belongs.
///
/// # Errors
/// A fault of the database.
pub async fn of_line(
    connection: &mut AsyncPgConnection,
    line: &JournalLine,
) -> Result<Vec<QuarantineEntry>, AdministrationError> {
    if let Some((agency, letter_id)) = line.agency.zip(line.letter_id) {
        return of_letter(connection, agency, letter_id).await;
    }
    // The line has no agency or no letter id. So the container is found by the time when its mail arrived, and by reason, mailbox and size.
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
/// A fault of the database.
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

/// Returns one entry with its bytes. The audit log records that the operator looked at the content of records.
///
/// # Errors
/// The entry does not exist; a fault of the database.
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
            let QuarantineEntry { agency, letter_id, .. } = entry;
            let action = AuditAction::QuarantineShow { entry: id, agency, letter_id };
            audit::write(connection, operator, &action).await?;
            Ok(QuarantineContent { entry, original, held_version })
        })
        .await
}

/// Drops an entry: its bytes are deleted, its row remains.
///
/// # Errors
/// The entry does not exist or is decided already; a fault of the database.
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
            // The mail's sender and subject are personal data, so they are deleted together with its bytes.
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

/// Subtracts the entry's bytes from the limits on containers without a known signer, if the entry is such a container. The caller deletes
/// the bytes afterwards. Returns how many bytes of the original are kept.
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

/// Returns, for each reason of refusal, how many bytes are kept of containers without a known signer. The bytes of a mail in which a
/// registered agency signed another letter may be counted under the name `vouched` instead.
///
/// # Errors
/// A fault of the database.
pub async fn usage(connection: &mut AsyncPgConnection) -> Result<Vec<(String, i64)>, AdministrationError> {
    let rows = quarantine_usage::table
        .order(quarantine_usage::reason)
        .select((quarantine_usage::reason, quarantine_usage::bytes_kept))
        .load(connection)
        .await?;
    Ok(rows)
}
