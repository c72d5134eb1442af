//! The story of one letter: everything that the centre stores about it, for an operator who talks to its office.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bytea, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;
use uuid::Uuid;

use super::answers;
use super::journal::{self, JournalLine};
use super::quarantine::{self, QuarantineEntry};
use crate::database::schema::{entries, letters};
use crate::error::AdministrationError;

/// Value by which a letter is searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Id of the letter. Offices choose ids, so letters of two agencies may have the same id.
    Id(Uuid),
    /// SHA-256 of a letter's payload, or of a container in quarantine. Since the search reads all letters, it may take long.
    Digest(Vec<u8>),
    /// Number of a line of the journal.
    JournalLine(i64),
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Named, String> {
        let digest = || hex::decode(text.replace(':', "")).ok().filter(|octets| octets.len() == 32).map(Named::Digest);
        let line = || text.parse().ok().filter(|id| *id > 0).map(Named::JournalLine);
        line().or_else(digest).or_else(|| text.parse().ok().map(Named::Id)).ok_or_else(|| {
            format!("expected a letter's id, its digest (64 hexadecimal digits) or the number of a line of the journal, found {text:?}")
        })
    }
}

/// The decision of the centre about a letter.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Decided {
    /// Matricule of the agency whose key signed the letter.
    #[diesel(sql_type = Integer)]
    pub agency: Matricule,
    /// Id of the letter; for a letter that could not be stored under its own id, an id made from its digest.
    #[diesel(sql_type = SqlUuid)]
    pub letter_id: Uuid,
    /// Name of the installation in the letter; empty if unknown.
    #[diesel(sql_type = Text)]
    pub installation: String,
    /// Sequence number of the letter within the installation.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub sequence: Option<i64>,
    /// SHA-256 of the signed octets.
    #[serde(rename = "payload_digest", with = "hex")]
    #[diesel(sql_type = Bytea)]
    pub digest: Vec<u8>,
    /// Number of the attempt that decided.
    #[diesel(sql_type = SmallInt)]
    pub attempt: i16,
    /// Verdict: `accepted`, or the code of the refusal.
    #[diesel(sql_type = Text)]
    pub verdict: String,
    /// Time when the letter arrived.
    #[diesel(sql_type = Timestamptz)]
    pub received_at: DateTime<Utc>,
    /// Time when the receipt was last sent.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub answered_at: Option<DateTime<Utc>>,
    /// The signed octets of the receipt.
    #[serde(skip)]
    #[diesel(sql_type = Bytea)]
    pub receipt: Vec<u8>,
}

/// An entry of the ledger about a letter.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Serialize)]
#[diesel(table_name = entries)]
pub struct Entry {
    /// Number of the entry.
    pub id: i64,
    /// Kind of the entry, such as `letter`.
    pub kind: String,
    /// Amount in minor units.
    pub amount: i64,
    /// Balance of the account after the entry, in minor units.
    pub balance_after: i64,
    /// Time when the entry was posted.
    pub posted_at: DateTime<Utc>,
}

/// Everything that is stored about one letter, or about one container whose sender is not known.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// The decision; absent if no agency's signature was verified.
    pub decided: Option<Decided>,
    /// Lines of the journal, oldest first: one line for each arrival.
    pub journal: Vec<JournalLine>,
    /// Entries in quarantine.
    pub quarantine: Vec<QuarantineEntry>,
    /// The receipt, while it waits to be sent.
    pub waiting: Option<answers::Answer>,
    /// Entries in the ledger.
    pub entries: Vec<Entry>,
}

/// Returns everything that is stored about a letter. If several agencies use the same id, returns one story for each.
///
/// # Errors
/// Nothing is stored under this value; a fault of the database.
pub async fn stories(
    connection: &mut AsyncPgConnection,
    named: &Named,
    agency: Option<Matricule>,
) -> Result<Vec<Story>, AdministrationError> {
    let mut found = Vec::new();
    match named {
        Named::JournalLine(id) => {
            let (line, _) = journal::show(connection, *id).await?;
            match line.agency.zip(line.letter_id) {
                Some(key) => found.push(of_letter(connection, key).await?),
                None => {
                    let quarantine = quarantine::of_line(connection, &line).await?;
                    found.push(Story::of_stranger(vec![line], quarantine));
                }
            }
        }
        Named::Id(id) => {
            for Keeper { matricule } in keepers(connection, *id, agency).await? {
                found.push(of_letter(connection, (matricule, *id)).await?);
            }
        }
        Named::Digest(digest) => {
            let query = letters::table.filter(letters::digest.eq(digest));
            for key in query.select((letters::agency, letters::letter_id)).load(connection).await? {
                found.push(of_letter(connection, key).await?);
            }
            for entry in quarantine::of_container(connection, digest).await? {
                match entry.agency.zip(entry.letter_id) {
                    Some(key) => found.push(of_letter(connection, key).await?),
                    None => {
                        let lines = quarantine::lines_of(connection, &entry).await?;
                        found.push(Story::of_stranger(lines, vec![entry]));
                    }
                }
            }
        }
    }
    found.retain(|story| agency.is_none() || story.decided.as_ref().is_some_and(|one| Some(one.agency) == agency));
    if found.is_empty() { Err(AdministrationError::LetterUnknown(named.to_string())) } else { Ok(found) }
}

/// An agency that has sent a letter with the given id.
#[derive(QueryableByName)]
struct Keeper {
    #[diesel(sql_type = Integer)]
    matricule: Matricule,
}

/// Finds the agencies that have sent a letter with this id. Each agency's letter is found by the primary key. A separate index for this
/// search would make every new letter more expensive.
async fn keepers(
    connection: &mut AsyncPgConnection,
    id: Uuid,
    agency: Option<Matricule>,
) -> Result<Vec<Keeper>, AdministrationError> {
    let text = "SELECT a.matricule FROM xm.agencies a JOIN xm.letters l ON l.agency = a.matricule AND l.letter_id = $1
                 WHERE $2 IS NULL OR a.matricule = $2 ORDER BY a.matricule";
    let query = diesel::sql_query(text).bind::<SqlUuid, _>(id).bind::<Nullable<Integer>, _>(agency);
    Ok(query.load(connection).await?)
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Named::Id(id) => write!(f, "{id}"),
            Named::Digest(digest) => f.write_str(&hex::encode(digest)),
            Named::JournalLine(id) => write!(f, "{id}"),
        }
    }
}

impl Story {
    fn of_stranger(journal: Vec<JournalLine>, quarantine: Vec<QuarantineEntry>) -> Story {
        Story { decided: None, journal, quarantine, waiting: None, entries: Vec::new() }
    }
}

async fn of_letter(
    connection: &mut AsyncPgConnection,
    (agency, id): (Matricule, Uuid),
) -> Result<Story, AdministrationError> {
    let decided: Option<Decided> = diesel::sql_query(
        "SELECT l.agency, l.letter_id, l.installation, l.sequence, l.digest, l.attempt, coalesce(t.verdict, l.verdict) AS verdict,
                l.received_at, l.answered_at, coalesce(t.receipt, l.receipt) AS receipt
           FROM xm.letters l
           LEFT JOIN xm.attempts t ON t.agency = l.agency AND t.letter_id = l.letter_id AND t.attempt = l.attempt
          WHERE l.agency = $1 AND l.letter_id = $2",
    )
    .bind::<Integer, _>(agency)
    .bind::<SqlUuid, _>(id)
    .get_result(connection)
    .await
    .optional()?;
    let entries = entries::table
        .filter(entries::agency.eq(agency).and(entries::letter_id.eq(id)))
        .order(entries::id)
        .select(Entry::as_select())
        .load(connection)
        .await?;
    Ok(Story {
        decided,
        journal: journal::of_letter(connection, agency, id).await?,
        quarantine: quarantine::of_letter(connection, agency, id).await?,
        waiting: answers::of_letter(connection, agency, id).await?,
        entries,
    })
}
