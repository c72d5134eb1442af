//! The journal: one line per letter received, with its original bytes for as long as they are kept.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Bytea, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;
use uuid::Uuid;

use crate::database::schema::originals;
use crate::error::{AdministrationError, Book};

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct JournalLine {
    /// Its number.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// When the letter came.
    #[diesel(sql_type = Timestamptz)]
    pub received_at: DateTime<Utc>,
    /// Who signed it.
    #[diesel(sql_type = Nullable<Integer>)]
    pub agency: Option<Matricule>,
    /// The installation that it names.
    #[diesel(sql_type = Nullable<Text>)]
    pub installation: Option<String>,
    /// Its id.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub letter_id: Option<Uuid>,
    /// Its number within the installation.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub sequence: Option<i64>,
    /// SHA-256 of its signed octets.
    #[serde(rename = "payload_digest", with = "optional_hex")]
    #[diesel(sql_type = Nullable<Bytea>)]
    pub digest: Option<Vec<u8>>,
    /// What it asks.
    #[diesel(sql_type = Nullable<Text>)]
    pub service: Option<String>,
    /// `accepted`, `duplicate`, or the code of the refusal.
    #[diesel(sql_type = Text)]
    pub outcome: String,
    /// Which attempt at the letter decided.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub attempt: Option<i16>,
    /// How it came.
    #[diesel(sql_type = Text)]
    pub transport: String,
    /// Where it lay.
    #[diesel(sql_type = Text)]
    pub mailbox: String,
    /// Domain of the mail's sender, not to be believed.
    #[diesel(sql_type = Text)]
    pub sender_domain: String,
    /// Size of the container.
    #[diesel(sql_type = Integer)]
    pub container_bytes: i32,
    /// Rows written.
    #[diesel(sql_type = Integer)]
    pub row_count: i32,
    /// Price in minor units.
    #[diesel(sql_type = BigInt)]
    pub cost: i64,
    /// The office's clock less the centre's.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub skew_seconds: Option<i64>,
    /// How many of its checks need an explanation: its lines of `xm.flags`.
    #[diesel(sql_type = Integer, column_name = flag_count)]
    pub flags: i32,
}

/// Which lines a list shows, newest first.
#[derive(Clone, Debug, Default)]
pub struct JournalFilter {
    /// Of this agency.
    pub agency: Option<Matricule>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// Of this letter.
    pub letter_id: Option<Uuid>,
    /// Received from this time on.
    pub since: Option<DateTime<Utc>>,
    /// Received before this time.
    pub until: Option<DateTime<Utc>>,
    /// Only of letters that were accepted and need an explanation.
    pub flagged: bool,
    /// Older than this line.
    pub before: Option<i64>,
    /// At most so many; 100 when absent.
    pub limit: Option<i64>,
}

/// Lists lines, newest first.
///
/// # Errors
/// A fault.
pub async fn list(
    connection: &mut AsyncPgConnection,
    filter: &JournalFilter,
) -> Result<Vec<JournalLine>, AdministrationError> {
    let lines = diesel::sql_query(
        "SELECT * FROM xm.journal
          WHERE ($1 IS NULL OR agency = $1) AND ($2 IS NULL OR outcome = $2) AND ($3 IS NULL OR letter_id = $3)
            AND ($4 IS NULL OR received_at >= $4) AND ($5 IS NULL OR received_at < $5) AND ($6 IS NULL OR id < $6)
            AND (NOT $7 OR flag_count > 0)
          ORDER BY id DESC LIMIT $8",
    )
    .bind::<Nullable<Integer>, _>(filter.agency)
    .bind::<Nullable<Text>, _>(&filter.outcome)
    .bind::<Nullable<SqlUuid>, _>(filter.letter_id)
    .bind::<Nullable<Timestamptz>, _>(filter.since)
    .bind::<Nullable<Timestamptz>, _>(filter.until)
    .bind::<Nullable<BigInt>, _>(filter.before)
    .bind::<Bool, _>(filter.flagged)
    .bind::<BigInt, _>(filter.limit.unwrap_or(100))
    .load(connection)
    .await?;
    Ok(lines)
}

/// Lists the lines of a letter, oldest first: one each time it came.
///
/// # Errors
/// A fault.
pub async fn of_letter(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    letter_id: Uuid,
) -> Result<Vec<JournalLine>, AdministrationError> {
    let lines = diesel::sql_query("SELECT * FROM xm.journal WHERE agency = $1 AND letter_id = $2 ORDER BY id")
        .bind::<Integer, _>(agency)
        .bind::<SqlUuid, _>(letter_id)
        .load(connection)
        .await?;
    Ok(lines)
}

/// Lists the lines of a mail whose signer is not known, oldest first. It has no name that the journal keeps, but the moment at which it
/// came.
///
/// # Errors
/// A fault.
pub async fn of_mail(
    connection: &mut AsyncPgConnection,
    received_at: DateTime<Utc>,
    outcome: &str,
    mailbox: &str,
    bytes: i64,
    agency: Option<Matricule>,
) -> Result<Vec<JournalLine>, AdministrationError> {
    let lines = diesel::sql_query(
        "SELECT * FROM xm.journal
          WHERE received_at = $1 AND outcome = $2 AND mailbox = $3 AND container_bytes = $4
            AND agency IS NOT DISTINCT FROM $5 ORDER BY id",
    )
    .bind::<Timestamptz, _>(received_at)
    .bind::<Text, _>(outcome)
    .bind::<Text, _>(mailbox)
    .bind::<BigInt, _>(bytes)
    .bind::<Nullable<Integer>, _>(agency)
    .load(connection)
    .await?;
    Ok(lines)
}

/// Shows one line and the container's original bytes, while they are kept.
///
/// # Errors
/// No such line; a fault.
pub async fn show(
    connection: &mut AsyncPgConnection,
    id: i64,
) -> Result<(JournalLine, Option<Vec<u8>>), AdministrationError> {
    let line: JournalLine = diesel::sql_query("SELECT * FROM xm.journal WHERE id = $1")
        .bind::<BigInt, _>(id)
        .get_result(connection)
        .await
        .optional()?
        .ok_or(AdministrationError::LineUnknown { book: Book::Journal, id })?;
    let original = originals::table
        .filter(originals::journal_id.eq(id))
        // The time says which partition to look into.
        .filter(originals::received_at.eq(line.received_at))
        .select(originals::container)
        .first(connection)
        .await
        .optional()?;
    Ok((line, original))
}

mod optional_hex {
    use serde::Serializer;

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub fn serialize<S: Serializer>(octets: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        match octets {
            Some(octets) => serializer.serialize_some(&hex::encode(octets)),
            None => serializer.serialize_none(),
        }
    }
}
