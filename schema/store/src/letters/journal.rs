//! The journal: one line for each arrival of a letter, with the original bytes as long as they are kept.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Bytea, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;
use uuid::Uuid;

use crate::database::schema::originals;
use crate::error::{AdministrationError, Book};
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct JournalLine {
    /// Number of the line.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Time when the letter arrived.
    #[diesel(sql_type = Timestamptz)]
    pub received_at: DateTime<Utc>,
    /// Matricule of the agency that signed the letter.
    #[diesel(sql_type = Nullable<Integer>)]
    pub agency: Option<Matricule>,
    /// Name of the installation in the letter.
    #[diesel(sql_type = Nullable<Text>)]
    pub installation: Option<String>,
    /// Id of the letter.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub letter_id: Option<Uuid>,
    /// Sequence number of the letter within the installation.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub sequence: Option<i64>,
    /// SHA-256 of the signed octets.
    #[serde(rename = "payload_digest", with = "optional_hex")]
    #[diesel(sql_type = Nullable<Bytea>)]
    pub digest: Option<Vec<u8>>,
    /// Name of the service that the letter asks for.
    #[diesel(sql_type = Nullable<Text>)]
    pub service: Option<String>,
    /// Outcome: `accepted`, `duplicate`, or the code of the refusal.
    #[diesel(sql_type = Text)]
    pub outcome: String,
    /// Number of the attempt that decided about the letter, from 1.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub attempt: Option<i16>,
    /// Transport by which the letter arrived.
    #[diesel(sql_type = Text)]
    pub transport: String,
    /// Name of the mailbox or transfer folder.
    #[diesel(sql_type = Text)]
    pub mailbox: String,
    /// Domain of the mail's sender, which may be forged.
    #[diesel(sql_type = Text)]
    pub sender_domain: String,
    /// Size of the container, in bytes.
    #[diesel(sql_type = Integer)]
    pub container_bytes: i32,
    /// Number of rows written.
    #[diesel(sql_type = Integer)]
    pub row_count: i32,
    /// Price in minor units.
    #[diesel(sql_type = BigInt)]
    pub cost: i64,
    /// Difference of the office's clock to the centre's, in seconds; positive if the office's clock is ahead.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub skew_seconds: Option<i64>,
    /// Number of the letter's lines in `xm.flags`, which need an explanation.
    #[diesel(sql_type = Integer, column_name = flag_count)]
    pub flags: i32,
}

/// Conditions that select lines for a list; the newest line comes first.
#[derive(Clone, Debug, Default)]
pub struct JournalFilter {
    /// Matricule of the agency that signed the letters.
    pub agency: Option<Matricule>,
    /// Outcome of the lines.
    pub outcome: Option<String>,
    /// Id of the letter.
    pub letter_id: Option<Uuid>,
    /// Time from which the letters arrived.
    pub since: Option<DateTime<Utc>>,
    /// Time before which the letters arrived.
    pub until: Option<DateTime<Utc>>,
    /// Whether only accepted letters with flags are listed.
    pub flagged: bool,
    /// Number of the line below which the list begins.
    pub before: Option<i64>,
    /// Largest number of lines that the list shows; 100 if absent.
    pub limit: Option<i64>,
}

/// Lengths of the windows in which a list is read, in minutes before the list's end. The index of the time of arrival is of kind BRIN,
/// which finds a window but no order, and a journal has millions of lines: without a window all of them would be sorted to show the newest.
const WINDOWS: [i64; 7] = [1, 15, 60, 6 * 60, 24 * 60, 7 * 24 * 60, 31 * 24 * 60];

/// Lists lines by their time of arrival, newest first. Reads a short window of time first, and longer ones only until there are enough
/// lines.
///
/// # Errors
/// The line at which the list begins does not exist; a fault of the database.
pub async fn list(
    connection: &mut AsyncPgConnection,
    filter: &JournalFilter,
) -> Result<Vec<JournalLine>, AdministrationError> {
    let limit = filter.limit.unwrap_or(100);
    let behind = match filter.before {
        Some(id) => Some((received_at(connection, id).await?, id)),
        None => None,
    };
    let now = Utc::now();
    let ends = [filter.until, behind.map(|(time, _)| time)];
    let end = ends.into_iter().flatten().min().unwrap_or(now).min(now);
    let starts = WINDOWS.into_iter().map(|minutes| end.checked_sub_signed(TimeDelta::minutes(minutes)));
    let (mut lines, mut until) = (Vec::new(), filter.until);
    for start in starts.chain([None]) {
        let since = start.into_iter().chain(filter.since).max();
        let missing = limit.saturating_sub(i64::try_from(lines.len()).unwrap_or(i64::MAX));
        lines.append(&mut window(connection, filter, (since, until), behind, missing).await?);
        let is_enough = i64::try_from(lines.len()).is_ok_and(|found| found >= limit);
        if is_enough || since.is_none() || since == filter.since {
            break;
        }
        until = since;
    }
    Ok(lines)
}

/// Returns the time of arrival of a line.
async fn received_at(connection: &mut AsyncPgConnection, id: i64) -> Result<DateTime<Utc>, AdministrationError> {
    #[derive(QueryableByName)]
    struct Received {
        #[diesel(sql_type = Timestamptz)]
        received_at: DateTime<Utc>,
    }
    let line: Option<Received> = diesel::sql_query("SELECT received_at FROM xm.journal WHERE id = $1")
        .bind::<BigInt, _>(id)
        .get_result(connection)
        .await
        .optional()?;
    line.map(|line| line.received_at).ok_or(AdministrationError::LineUnknown { book: Book::Journal, id })
}

/// Lists the lines of a window of time, from its first element up to but not including its second one, newest first. `behind` is the line
/// after which the list begins.
async fn window(
    connection: &mut AsyncPgConnection,
    filter: &JournalFilter,
    (since, until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    behind: Option<(DateTime<Utc>, i64)>,
    limit: i64,
) -> Result<Vec<JournalLine>, AdministrationError> {
    let lines = diesel::sql_query(
        "SELECT * FROM xm.journal
          WHERE ($1 IS NULL OR agency = $1) AND ($2 IS NULL OR outcome = $2) AND ($3 IS NULL OR letter_id = $3)
            AND ($4 IS NULL OR received_at >= $4) AND ($5 IS NULL OR received_at < $5)
            AND ($6 IS NULL OR received_at <= $6 AND (received_at, id) < ($6, $7)) AND (NOT $8 OR flag_count > 0)
          ORDER BY received_at DESC, id DESC LIMIT $9",
    )
    .bind::<Nullable<Integer>, _>(filter.agency)
    .bind::<Nullable<Text>, _>(&filter.outcome)
    .bind::<Nullable<SqlUuid>, _>(filter.letter_id)
    .bind::<Nullable<Timestamptz>, _>(since)
    .bind::<Nullable<Timestamptz>, _>(until)
    .bind::<Nullable<Timestamptz>, _>(behind.map(|(time, _)| time))
    .bind::<Nullable<BigInt>, _>(behind.map(|(_, id)| id))
    .bind::<Bool, _>(filter.flagged)
    .bind::<BigInt, _>(limit)
    .load(connection)
    .await?;
    Ok(lines)
}

/// Lists the lines of a letter, oldest first: one line for each of its arrivals.
///
/// # Errors
/// A fault of the database.
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

/// Lists the lines of the journal about a mail whose agency or letter id is not known, oldest first. Such a letter cannot be found by its
/// id, so the lines are found by time of arrival, outcome, mailbox, size and, if it is known, agency.
///
/// # Errors
/// A fault of the database.
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

/// Returns one line, and whether the container's original bytes are still kept.
///
/// # Errors
/// The line does not exist; a fault of the database.
pub async fn show(connection: &mut AsyncPgConnection, id: i64) -> Result<(JournalLine, bool), AdministrationError> {
    let line = find(connection, id).await?;
    let original = originals::table
        .filter(originals::journal_id.eq(id))
        // The time selects the partition.
        .filter(originals::received_at.eq(line.received_at));
    let is_kept = diesel::select(exists(original)).get_result(connection).await?;
    Ok((line, is_kept))
}

/// Returns the container's original bytes; `None` if they are not kept any more. The audit log records that the operator took them.
///
/// # Errors
/// The line does not exist; a fault of the database.
pub async fn original(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    id: i64,
) -> Result<Option<Vec<u8>>, AdministrationError> {
    operator.require(connection, Operation::LetterOriginal).await?;
    connection
        .transaction(async |connection| {
            let JournalLine { received_at, agency, letter_id, .. } = find(connection, id).await?;
            let original = originals::table
                .filter(originals::journal_id.eq(id))
                .filter(originals::received_at.eq(received_at))
                .select(originals::container)
                .first(connection)
                .await
                .optional()?;
            let action = AuditAction::LetterOriginal { line: id, agency, letter_id };
            audit::write(connection, operator, &action).await?;
            Ok(original)
        })
        .await
}

async fn find(connection: &mut AsyncPgConnection, id: i64) -> Result<JournalLine, AdministrationError> {
    diesel::sql_query("SELECT * FROM xm.journal WHERE id = $1")
        .bind::<BigInt, _>(id)
        .get_result(connection)
        .await
        .optional()?
        .ok_or(AdministrationError::LineUnknown { book: Book::Journal, id })
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
