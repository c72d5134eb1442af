//! Held letters, which an operator must decide about before they take effect: lists, single letters with their rows, and the decision,
//! which needs two people (SPEC 7, Held).
//!
//! One person asks for the decision (`Act::HeldDecide`), and another person confirms it. The letter is then settled again, like a letter
//! that an operator retries: it is judged under the locks, and the checks that the approval lists are waived. One transaction commits the
//! attempt, the end of the approval and the line of the audit log.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::answer::receipt::HoldCode;
use sdc::letter::Matricule;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::{AdministrationError, Book};
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;
use crate::tables::named_record::NamedRecord;

pub mod decision;

/// A held letter as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct HeldLetter {
    /// Number of the held letter.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Agency whose key signed the letter.
    #[diesel(sql_type = Integer)]
    pub agency: Matricule,
    /// Id of the letter.
    #[diesel(sql_type = SqlUuid)]
    pub letter_id: Uuid,
    /// Number of the attempt at the letter whose verdict is `held`.
    #[diesel(sql_type = SmallInt)]
    pub attempt: i16,
    /// Installation that sent the letter.
    #[diesel(sql_type = Text)]
    pub installation: String,
    /// Service that the letter asks for.
    #[diesel(sql_type = Text)]
    pub service: String,
    /// Reason of holding: `check` or `approval`.
    #[diesel(sql_type = Text)]
    pub code: String,
    /// Checks that hold the letter, as the receipt contains them.
    #[diesel(sql_type = Jsonb)]
    pub checks: Value,
    /// Full names of the tables that the letter writes to, such as `election.ResultatBureau`.
    #[diesel(sql_type = Array<Text>)]
    pub tables: Vec<String>,
    /// Whether one of these tables is marked `results`. One of the two people who decide must then belong to the election commission.
    #[diesel(sql_type = Bool)]
    pub is_of_results: bool,
    /// Time when the letter arrived.
    #[diesel(sql_type = Timestamptz)]
    pub received_at: DateTime<Utc>,
    /// Time when the letter was held.
    #[diesel(sql_type = Timestamptz)]
    pub held_at: DateTime<Utc>,
    /// State: `open`, `released` or `refused`.
    #[diesel(sql_type = Text)]
    pub state: String,
    /// Time of the decision; `None` before a decision.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub decided_at: Option<DateTime<Utc>>,
    /// Name of the operator who confirmed the decision; `None` before a decision.
    #[diesel(sql_type = Nullable<Text>)]
    pub decided_by: Option<String>,
    /// Reason of the decision; `None` before a decision.
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
}

impl HeldLetter {
    /// Says whether the letter is held because its corrections wait for approval.
    pub fn is_of_corrections(&self) -> bool {
        self.code == HoldCode::Approval.as_str()
    }

    /// Returns the names of the checks that hold the letter, such as `ResultatBureau.within_reference`.
    pub fn checks_named(&self) -> Vec<String> {
        let text = |flag: &Value, member: &str| flag[member].as_str().unwrap_or_default().to_owned();
        let named = |flag: &Value| format!("{}.{}", text(flag, "table"), text(flag, "check"));
        let mut named: Vec<String> = self.checks.as_array().into_iter().flatten().map(named).collect();
        named.dedup();
        named
    }
}

/// A row of a held letter.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct HeldRow {
    /// Name of the table in letters.
    #[diesel(sql_type = Text)]
    pub table: String,
    /// Position of the row in its table in the letter, from 1.
    #[serde(rename = "row")]
    #[diesel(sql_type = Integer)]
    pub number: i32,
    /// Number that the sender gave the record (column Numero); `None` if the record has none.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub numero: Option<i64>,
    /// Values of the row, by column.
    #[diesel(sql_type = Jsonb)]
    pub content: Value,
}

/// Filter of a list of held letters, which begins with the oldest.
#[derive(Clone, Debug, Default)]
pub struct HeldFilter {
    /// Only letters of this agency.
    pub agency: Option<Matricule>,
    /// Only letters held for this reason: `check` or `approval`.
    pub code: Option<String>,
    /// Whether decided letters are listed too.
    pub with_decided: bool,
    /// Only letters with a higher number than this.
    pub after: Option<i64>,
    /// Largest number of letters to list; 100 when `None`.
    pub limit: Option<i64>,
}

/// Expands to a SELECT of a held letter's columns; the caller adds the condition.
macro_rules! select_held {
    ($condition:literal) => {
        concat!(
            "SELECT h.id, h.agency, h.letter_id, h.attempt, h.installation, h.service, h.code, h.checks,
                    ARRAY(SELECT t.application || '.' || t.name FROM xm.tables t WHERE t.id = ANY(h.tables) ORDER BY 1) AS tables,
                    h.is_of_results, h.received_at, h.held_at, h.state, h.decided_at, h.decided_by, h.reason
               FROM xm.held h WHERE ",
            $condition
        )
    };
}

/// Lists held letters, the oldest first.
///
/// # Errors
/// A fault of the database.
pub async fn list(
    connection: &mut AsyncPgConnection,
    filter: &HeldFilter,
) -> Result<Vec<HeldLetter>, AdministrationError> {
    let letters = diesel::sql_query(select_held!(
        "($1 IS NULL OR h.agency = $1) AND ($2 IS NULL OR h.code = $2) AND (h.state = 'open' OR $3) AND ($4 IS NULL OR h.id > $4)
          ORDER BY h.id LIMIT $5"
    ))
    .bind::<Nullable<Integer>, _>(filter.agency)
    .bind::<Nullable<Text>, _>(&filter.code)
    .bind::<Bool, _>(filter.with_decided)
    .bind::<Nullable<BigInt>, _>(filter.after)
    .bind::<BigInt, _>(filter.limit.unwrap_or(100))
    .load(connection)
    .await?;
    Ok(letters)
}

/// Returns a letter that is or was held, without its rows.
///
/// # Errors
/// The letter does not exist; a fault of the database.
pub async fn find(connection: &mut AsyncPgConnection, id: i64) -> Result<HeldLetter, AdministrationError> {
    diesel::sql_query(select_held!("h.id = $1"))
        .bind::<BigInt, _>(id)
        .get_result(connection)
        .await
        .optional()?
        .ok_or(AdministrationError::LineUnknown { book: Book::Held, id })
}

/// Locks and reads an open held letter, so that only one decision is made.
async fn find_open(connection: &mut AsyncPgConnection, id: i64) -> Result<HeldLetter, AdministrationError> {
    let found: Option<HeldLetter> = diesel::sql_query(select_held!("h.id = $1 FOR UPDATE"))
        .bind::<BigInt, _>(id)
        .get_result(connection)
        .await
        .optional()?;
    let letter = found.ok_or(AdministrationError::LineUnknown { book: Book::Held, id })?;
    if letter.state != "open" {
        return Err(AdministrationError::HeldDecided { id, state: letter.state });
    }
    Ok(letter)
}

/// Returns a held letter with its rows. The audit log records that the operator looked at the records.
///
/// # Errors
/// The letter does not exist; a fault of the database.
pub async fn show(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    id: i64,
) -> Result<(HeldLetter, Vec<HeldRow>), AdministrationError> {
    operator.require(connection, Operation::HeldShow).await?;
    connection
        .transaction(async |connection| {
            let letter = find(connection, id).await?;
            let rows: Vec<HeldRow> = diesel::sql_query(
                "SELECT coalesce(t.name, '') AS table, r.row_number AS number, r.numero, r.content
                   FROM xm.held_rows r LEFT JOIN xm.tables t ON t.id = r.table_id
                  WHERE r.held = $1 ORDER BY r.table_id, r.row_number",
            )
            .bind::<BigInt, _>(id)
            .load(connection)
            .await?;
            let records = named(connection, id, &rows).await?;
            let HeldLetter { agency, letter_id, .. } = letter;
            let action = AuditAction::HeldShow { held: id, agency, letter_id, records: &records };
            audit::write(connection, operator, &action).await?;
            Ok((letter, rows))
        })
        .await
}

/// A table that a held letter writes to.
#[derive(QueryableByName)]
struct Keyed {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    full_name: String,
    #[diesel(sql_type = Array<Text>)]
    legal_key: Vec<String>,
}

/// Names the records of a held letter's rows, for the audit log.
async fn named(
    connection: &mut AsyncPgConnection,
    id: i64,
    rows: &[HeldRow],
) -> Result<Vec<NamedRecord>, AdministrationError> {
    let tables: Vec<Keyed> = diesel::sql_query(
        "SELECT t.name, t.application || '.' || t.name AS full_name, t.legal_key
           FROM xm.held h JOIN xm.tables t ON t.id = ANY(h.tables) WHERE h.id = $1",
    )
    .bind::<BigInt, _>(id)
    .load(connection)
    .await?;
    let record = |row: &HeldRow| {
        let table = tables.iter().find(|table| table.name == row.table)?;
        NamedRecord::of_row(&table.full_name, &table.legal_key, &row.content)
    };
    Ok(rows.iter().filter_map(record).collect())
}

/// Locks an open held letter until the transaction ends, and returns its state. An approval stores this state as `seen`, and the decision
/// is carried out only if the letter is still in it.
pub(crate) async fn seen(connection: &mut AsyncPgConnection, id: i64) -> Result<Value, AdministrationError> {
    let HeldLetter { agency, letter_id, attempt, checks, .. } = find_open(connection, id).await?;
    Ok(json!({ "agency": agency, "letter": letter_id, "attempt": attempt, "checks": checks }))
}

/// Bytes and origin of a held letter, from which the letter is settled again.
#[derive(QueryableByName)]
struct Kept {
    #[diesel(sql_type = Text)]
    transport: String,
    #[diesel(sql_type = Text)]
    mailbox: String,
    #[diesel(sql_type = Text)]
    sender_domain: String,
    #[diesel(sql_type = Bytea)]
    original: Vec<u8>,
}

async fn kept(connection: &mut AsyncPgConnection, id: i64) -> Result<Kept, AdministrationError> {
    let text = "SELECT transport, mailbox, sender_domain, original FROM xm.held WHERE id = $1";
    Ok(diesel::sql_query(text).bind::<BigInt, _>(id).get_result(connection).await?)
}
