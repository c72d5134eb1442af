//! The quarantine: containers not accepted, with their original bytes, until a person has looked at them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use sdc::refusal::RefusalCode;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{AdministrationError, audit};
use crate::schema::{quarantine, quarantine_usage};
use crate::settle::ENTRY_BYTES;

/// An entry in a list.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Serialize)]
pub struct QuarantineEntry {
    /// Its number.
    pub id: i64,
    /// When the container came.
    pub received_at: DateTime<Utc>,
    /// Why it was not accepted.
    pub reason: String,
    /// Whether it waits for a decision.
    pub held: bool,
    /// Who signed it, where that is known.
    pub agency: Option<i32>,
    /// The installation that it names.
    pub installation: Option<String>,
    /// Its id.
    pub letter_id: Option<Uuid>,
    /// SHA-256 of the signed octets, or of the container where nothing signed is known.
    #[serde(with = "hex")]
    pub digest: Vec<u8>,
    /// How it came.
    pub transport: String,
    /// Where it lay.
    pub mailbox: String,
    /// Domain of the mail's sender, not to be believed.
    pub sender_domain: String,
    /// Size as it came; what is kept may be less.
    pub original_bytes: i64,
    /// Where it broke a rule.
    pub detail: String,
    /// `open`, `dropped` or `retried`.
    pub state: String,
}

type EntryColumns = (
    quarantine::id,
    quarantine::received_at,
    quarantine::reason,
    quarantine::held,
    quarantine::agency,
    quarantine::installation,
    quarantine::letter_id,
    quarantine::digest,
    quarantine::transport,
    quarantine::mailbox,
    quarantine::sender_domain,
    quarantine::original_bytes,
    quarantine::detail,
    quarantine::state,
);
const ENTRY: EntryColumns = (
    quarantine::id,
    quarantine::received_at,
    quarantine::reason,
    quarantine::held,
    quarantine::agency,
    quarantine::installation,
    quarantine::letter_id,
    quarantine::digest,
    quarantine::transport,
    quarantine::mailbox,
    quarantine::sender_domain,
    quarantine::original_bytes,
    quarantine::detail,
    quarantine::state,
);

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

/// Lists entries, newest first.
///
/// # Errors
/// A fault.
pub async fn list(
    connection: &mut AsyncPgConnection,
    filter: &QuarantineFilter,
) -> Result<Vec<QuarantineEntry>, AdministrationError> {
    let mut query =
        quarantine::table.order(quarantine::id.desc()).limit(filter.limit.unwrap_or(100)).select(ENTRY).into_boxed();
    if let Some(reason) = &filter.reason {
        query = query.filter(quarantine::reason.eq(reason.clone()));
    }
    if let Some(agency) = filter.agency {
        query = query.filter(quarantine::agency.eq(agency.as_i32()));
    }
    if filter.held {
        query = query.filter(quarantine::held);
    }
    if !filter.with_decided {
        query = query.filter(quarantine::state.eq("open"));
    }
    if let Some(before) = filter.before {
        query = query.filter(quarantine::id.lt(before));
    }
    Ok(query.load(connection).await?)
}

/// Shows one entry with its bytes. Looking at a record's content is itself put on record.
///
/// # Errors
/// No such entry; a fault.
pub async fn show(
    connection: &mut AsyncPgConnection,
    operator: &str,
    id: i64,
) -> Result<QuarantineContent, AdministrationError> {
    connection
        .transaction(async |connection| {
            let entry = quarantine::table
                .find(id)
                .select(ENTRY)
                .first(connection)
                .await
                .optional()?
                .ok_or(AdministrationError::LineUnknown { what: "quarantine entry", id })?;
            let (original, held_version) = quarantine::table
                .find(id)
                .select((quarantine::original, quarantine::held_version))
                .first(connection)
                .await?;
            audit::write(connection, operator, "quarantine.show", &subject(id), json!({})).await?;
            Ok(QuarantineContent { entry, original, held_version })
        })
        .await
}

/// Drops an entry: its bytes go, its line stays.
///
/// # Errors
/// No such entry, one that is decided; a fault.
pub async fn drop(
    connection: &mut AsyncPgConnection,
    operator: &str,
    id: i64,
    reason: &str,
) -> Result<(), AdministrationError> {
    connection
        .transaction(async |connection| {
            let (entry_reason, state, original): (String, String, Vec<u8>) = quarantine::table
                .find(id)
                .select((quarantine::reason, quarantine::state, quarantine::original))
                .for_update()
                .first(connection)
                .await
                .optional()?
                .ok_or(AdministrationError::LineUnknown { what: "quarantine entry", id })?;
            if state != "open" {
                return Err(AdministrationError::QuarantineDecided { id, state });
            }
            diesel::update(quarantine::table.find(id))
                .set((
                    quarantine::state.eq("dropped"),
                    quarantine::original.eq(Vec::<u8>::new()),
                    quarantine::held_version.eq(None::<Value>),
                ))
                .execute(connection)
                .await?;
            // Room for others: the ceiling counts what is kept of senders nobody vouches for.
            let unanswered = RefusalCode::parse(&entry_reason).is_some_and(|code| !code.is_answered());
            if unanswered {
                let kept = i64::try_from(original.len()).unwrap_or(i64::MAX).saturating_add(ENTRY_BYTES);
                diesel::sql_query(
                    "UPDATE xm.quarantine_usage SET bytes_kept = greatest(0, bytes_kept - $1) WHERE reason = $2",
                )
                .bind::<BigInt, _>(kept)
                .bind::<Text, _>(&entry_reason)
                .execute(connection)
                .await?;
            }
            let detail = json!({ "reason": reason, "container_reason": entry_reason, "bytes": original.len() });
            audit::write(connection, operator, "quarantine.drop", &subject(id), detail).await?;
            Ok(())
        })
        .await
}

/// Returns the bytes kept by reason, of senders that nobody vouches for.
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

fn subject(id: i64) -> String {
    format!("quarantine entry {id}")
}
