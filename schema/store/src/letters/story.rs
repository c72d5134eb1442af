//! The story of one letter, from all that is kept of it: for whoever has its office on the telephone.

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

/// What a letter is looked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Its id. Offices make these, so two agencies may have the same one.
    Id(Uuid),
    /// SHA-256 of its payload, or of a container in quarantine. Looks through all letters: it may take a while.
    Digest(Vec<u8>),
    /// The number of a line of the journal.
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

/// What the centre decided of a letter.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Decided {
    /// Whose key signed it.
    #[diesel(sql_type = Integer)]
    pub agency: Matricule,
    /// Its id; for a letter without a key of its own, the one made from its digest.
    #[diesel(sql_type = SqlUuid)]
    pub letter_id: Uuid,
    /// The installation that it names; empty where unknown.
    #[diesel(sql_type = Text)]
    pub installation: String,
    /// Its number within the installation.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub sequence: Option<i64>,
    /// SHA-256 of its signed octets.
    #[serde(rename = "payload_digest", with = "hex")]
    #[diesel(sql_type = Bytea)]
    pub digest: Vec<u8>,
    /// Which attempt decided.
    #[diesel(sql_type = SmallInt)]
    pub attempt: i16,
    /// `accepted`, or the code of the refusal.
    #[diesel(sql_type = Text)]
    pub verdict: String,
    /// When the letter came.
    #[diesel(sql_type = Timestamptz)]
    pub received_at: DateTime<Utc>,
    /// When the relay last took its receipt.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub answered_at: Option<DateTime<Utc>>,
    /// The signed octets of its receipt.
    #[serde(skip)]
    #[diesel(sql_type = Bytea)]
    pub receipt: Vec<u8>,
}

/// What a letter cost, as it stands in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Serialize)]
#[diesel(table_name = entries)]
pub struct Entry {
    /// Its number.
    pub id: i64,
    /// What it is, such as `letter`.
    pub kind: String,
    /// Minor units.
    pub amount: i64,
    /// The account's balance after it, in minor units.
    pub balance_after: i64,
    /// When it was posted.
    pub posted_at: DateTime<Utc>,
}

/// All that is kept of one letter, or of one container whose sender is not known.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// What was decided; absent where nobody vouches for the sender.
    pub decided: Option<Decided>,
    /// Its lines of the journal, oldest first: one each time it came.
    pub journal: Vec<JournalLine>,
    /// Its entries in quarantine.
    pub quarantine: Vec<QuarantineEntry>,
    /// Its receipt, while it waits to be sent.
    pub waiting: Option<answers::Answer>,
    /// Its entries in the ledger.
    pub entries: Vec<Entry>,
}

/// Returns all that is kept of a letter; of several letters where agencies have given theirs the same id.
///
/// # Errors
/// Nothing is known by that name; a fault.
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

/// An agency that has a letter of an id.
#[derive(QueryableByName)]
struct Keeper {
    #[diesel(sql_type = Integer)]
    matricule: Matricule,
}

/// Finds the agencies that have a letter of this id. Each agency's letter is found by the primary key. So no index is kept for this alone,
/// which every letter that comes would pay for.
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
