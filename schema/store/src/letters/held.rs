//! Letters that are held: listed and shown, and the end of each, which two people decide (SPEC 7, Held).
//!
//! One asks (`Act::HeldDecide`), another confirms; then the letter is tried again, as an operator's retry is:
//! judged anew under the locks, with the checks waived that the approval names. The attempt, the approval's end and the operator's line
//! are one transaction.

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

pub mod decision;

/// A letter that is held, in a list.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct HeldLetter {
    /// Its number.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Whose key signed it.
    #[diesel(sql_type = Integer)]
    pub agency: Matricule,
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub letter_id: Uuid,
    /// The attempt that holds it.
    #[diesel(sql_type = SmallInt)]
    pub attempt: i16,
    /// The installation that sent it.
    #[diesel(sql_type = Text)]
    pub installation: String,
    /// What it asks.
    #[diesel(sql_type = Text)]
    pub service: String,
    /// `check` or `approval`.
    #[diesel(sql_type = Text)]
    pub code: String,
    /// The checks that hold it, as the receipt tells them.
    #[diesel(sql_type = Jsonb)]
    pub checks: Value,
    /// The tables that it writes to, as `election.ResultatBureau`.
    #[diesel(sql_type = Array<Text>)]
    pub tables: Vec<String>,
    /// Whether one of them has results: one of the two who decide is of the election commission.
    #[diesel(sql_type = Bool)]
    pub is_of_results: bool,
    /// When it came.
    #[diesel(sql_type = Timestamptz)]
    pub received_at: DateTime<Utc>,
    /// When it was held.
    #[diesel(sql_type = Timestamptz)]
    pub held_at: DateTime<Utc>,
    /// `open`, `released` or `refused`.
    #[diesel(sql_type = Text)]
    pub state: String,
    /// When it was decided.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub decided_at: Option<DateTime<Utc>>,
    /// Who confirmed.
    #[diesel(sql_type = Nullable<Text>)]
    pub decided_by: Option<String>,
    /// Why.
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
}

impl HeldLetter {
    /// Says whether it has corrections that wait for approval.
    pub fn is_of_corrections(&self) -> bool {
        self.code == HoldCode::Approval.as_str()
    }

    /// Names the checks that hold it, as `ResultatBureau.within_reference`.
    pub fn checks_named(&self) -> Vec<String> {
        let text = |flag: &Value, member: &str| flag[member].as_str().unwrap_or_default().to_owned();
        let named = |flag: &Value| format!("{}.{}", text(flag, "table"), text(flag, "check"));
        let mut named: Vec<String> = self.checks.as_array().into_iter().flatten().map(named).collect();
        named.dedup();
        named
    }
}

/// A row of a letter that is held.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct HeldRow {
    /// Its table, as letters name it.
    #[diesel(sql_type = Text)]
    pub table: String,
    /// Its place in that table of the letter, from 1.
    #[serde(rename = "row")]
    #[diesel(sql_type = Integer)]
    pub number: i32,
    /// The sender's number of the record.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub numero: Option<i64>,
    /// What it says, by column.
    #[diesel(sql_type = Jsonb)]
    pub content: Value,
}

/// Which letters a list shows, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct HeldFilter {
    /// Of this agency.
    pub agency: Option<Matricule>,
    /// Held for this: `check` or `approval`.
    pub code: Option<String>,
    /// Those decided already, too.
    pub with_decided: bool,
    /// Behind this one.
    pub after: Option<i64>,
    /// At most so many; 100 when absent.
    pub limit: Option<i64>,
}

/// Columns of a letter; the caller adds the condition.
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

/// Lists letters that are held, the oldest first.
///
/// # Errors
/// A fault.
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

/// Returns a letter that is or was held, by its number, without its rows.
///
/// # Errors
/// No such letter; a fault.
pub async fn find(connection: &mut AsyncPgConnection, id: i64) -> Result<HeldLetter, AdministrationError> {
    diesel::sql_query(select_held!("h.id = $1"))
        .bind::<BigInt, _>(id)
        .get_result(connection)
        .await
        .optional()?
        .ok_or(AdministrationError::LineUnknown { book: Book::Held, id })
}

/// Reads a letter that waits, and locks it: it is decided once.
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

/// Shows a letter with its rows. Looking at a record's content is itself put on record.
///
/// # Errors
/// No such letter; a fault.
pub async fn show(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    id: i64,
) -> Result<(HeldLetter, Vec<HeldRow>), AdministrationError> {
    operator.require(connection, Operation::HeldShow).await?;
    connection
        .transaction(async |connection| {
            let letter = find(connection, id).await?;
            let rows = diesel::sql_query(
                "SELECT coalesce(t.name, '') AS table, r.row_number AS number, r.numero, r.content
                   FROM xm.held_rows r LEFT JOIN xm.tables t ON t.id = r.table_id
                  WHERE r.held = $1 ORDER BY r.table_id, r.row_number",
            )
            .bind::<BigInt, _>(id)
            .load(connection)
            .await?;
            audit::write(connection, operator, &AuditAction::HeldShow { held: id }).await?;
            Ok((letter, rows))
        })
        .await
}

/// Returns what a letter was when its end was asked for, and keeps others from changing it until the transaction ends.
pub(crate) async fn seen(connection: &mut AsyncPgConnection, id: i64) -> Result<Value, AdministrationError> {
    let HeldLetter { agency, letter_id, attempt, checks, .. } = find_open(connection, id).await?;
    Ok(json!({ "agency": agency, "letter": letter_id, "attempt": attempt, "checks": checks }))
}

/// What is kept of a letter to try it again.
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
