//! Selections: open entries of the quarantine that an operator has chosen together. The entries are frozen by their numbers and counted
//! before anything happens to them. Then each is retried or dropped in a transaction of its own, and its outcome is recorded beside it, so
//! that a job that was interrupted goes on where it ended.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{AdministrationError, Book};
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Conditions that every entry of a group fulfils. Only open entries are chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Code of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Matricule of the agency that signed the containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agency: Option<Matricule>,
    /// Table of the first faulty row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Domain of the mails' sender, which may be forged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_domain: Option<String>,
    /// Numbers of the entries; any number if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<i64>,
    /// Largest number of entries, the oldest first; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<i64>,
}

/// Open entries that probably have one cause: they have the same reason, table and sender's domain.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct GroupLine {
    /// Code of the refusal.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// Table of the first faulty row.
    #[diesel(sql_type = Nullable<Text>)]
    pub table: Option<String>,
    /// Domain of the mails' sender, which may be forged.
    #[diesel(sql_type = Text)]
    pub sender_domain: String,
    /// Number of entries.
    #[diesel(sql_type = BigInt)]
    pub entries: i64,
    /// Number of agencies that signed them.
    #[diesel(sql_type = BigInt)]
    pub agencies: i64,
    /// Number of the entries that wait for a decision between two versions.
    #[diesel(sql_type = BigInt)]
    pub held: i64,
    /// Sum of the sizes at arrival, in bytes.
    #[diesel(sql_type = BigInt)]
    pub bytes: i64,
    /// Time when the oldest of them arrived.
    #[diesel(sql_type = Timestamptz)]
    pub oldest: DateTime<Utc>,
}

/// A frozen selection, and how far its job is.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Selection {
    /// Number of the selection.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Name of the user who made it.
    #[diesel(sql_type = Text)]
    pub made_by: String,
    /// Time when it was made.
    #[diesel(sql_type = Timestamptz)]
    pub made_at: DateTime<Utc>,
    /// The conditions, as a [`Group`] in JSON.
    #[diesel(sql_type = Jsonb)]
    pub filter: Value,
    /// Number of its entries.
    #[diesel(sql_type = BigInt)]
    pub entries: i64,
    /// Number of its entries that have no outcome yet.
    #[diesel(sql_type = BigInt)]
    pub undecided: i64,
}

/// An entry of a selection, with its outcome.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Item {
    /// Number of the entry in the quarantine.
    #[diesel(sql_type = BigInt)]
    pub entry: i64,
    /// Code of the outcome; absent until the entry is tried.
    #[diesel(sql_type = Nullable<Text>)]
    pub outcome: Option<String>,
    /// Name of the user who had the entry tried.
    #[diesel(sql_type = Nullable<Text>)]
    pub decided_by: Option<String>,
    /// Time of the outcome.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub decided_at: Option<DateTime<Utc>>,
}

/// Lists the groups of open entries, the largest first.
///
/// # Errors
/// A fault of the database.
pub async fn groups(connection: &mut AsyncPgConnection) -> Result<Vec<GroupLine>, AdministrationError> {
    let groups = diesel::sql_query(
        "SELECT reason, faulty_table AS \"table\", sender_domain, count(*) AS entries, count(DISTINCT agency) AS agencies,
                count(*) FILTER (WHERE held) AS held, least(sum(original_bytes), 9223372036854775807)::bigint AS bytes,
                min(received_at) AS oldest
           FROM xm.quarantine WHERE state = 'open'
          GROUP BY reason, faulty_table, sender_domain
          ORDER BY entries DESC, reason, faulty_table, sender_domain",
    )
    .load(connection)
    .await?;
    Ok(groups)
}

/// Freezes the open entries of a group as a selection.
///
/// # Errors
/// No open entry is of the group; a fault of the database.
pub async fn select(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    group: &Group,
) -> Result<Selection, AdministrationError> {
    operator.require(connection, Operation::QuarantineSelect).await?;
    connection
        .transaction(async |connection| {
            let id = insert(connection, operator, group).await?;
            let selection = find(connection, id).await?;
            if selection.entries == 0 {
                return Err(AdministrationError::NothingSelected);
            }
            let action =
                AuditAction::QuarantineSelect { selection: id, entries: selection.entries, filter: &selection.filter };
            audit::write(connection, operator, &action).await?;
            Ok(selection)
        })
        .await
}

/// Inserts the selection with its items. Returns its number.
async fn insert(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    group: &Group,
) -> Result<i64, AdministrationError> {
    #[derive(QueryableByName)]
    struct Made {
        #[diesel(sql_type = BigInt)]
        id: i64,
    }
    let Made { id } = diesel::sql_query("INSERT INTO xm.selections (made_by, filter) VALUES ($1, $2) RETURNING id")
        .bind::<Text, _>(operator.user())
        .bind::<Jsonb, _>(json!(group))
        .get_result(connection)
        .await?;
    diesel::sql_query(
        "INSERT INTO xm.selection_items (selection, entry)
         SELECT $1, id FROM xm.quarantine
          WHERE state = 'open' AND ($2 IS NULL OR reason = $2) AND ($3 IS NULL OR agency = $3)
            AND ($4 IS NULL OR faulty_table = $4) AND ($5 IS NULL OR sender_domain = $5)
            AND (cardinality($6) = 0 OR id = ANY($6))
          ORDER BY id LIMIT $7",
    )
    .bind::<BigInt, _>(id)
    .bind::<Nullable<Text>, _>(&group.reason)
    .bind::<Nullable<Integer>, _>(group.agency)
    .bind::<Nullable<Text>, _>(&group.table)
    .bind::<Nullable<Text>, _>(&group.sender_domain)
    .bind::<diesel::sql_types::Array<BigInt>, _>(&group.entries)
    .bind::<Nullable<BigInt>, _>(group.first)
    .execute(connection)
    .await?;
    Ok(id)
}

/// Returns a selection.
///
/// # Errors
/// The selection does not exist; a fault of the database.
pub async fn find(connection: &mut AsyncPgConnection, id: i64) -> Result<Selection, AdministrationError> {
    diesel::sql_query(
        "SELECT id, made_by, made_at, filter, count(i.entry) AS entries,
                count(i.entry) FILTER (WHERE i.outcome IS NULL) AS undecided
           FROM xm.selections LEFT JOIN xm.selection_items i ON i.selection = id
          WHERE id = $1 GROUP BY id",
    )
    .bind::<BigInt, _>(id)
    .get_result(connection)
    .await
    .optional()?
    .ok_or(AdministrationError::LineUnknown { book: Book::Selections, id })
}

/// Lists selections, newest first. `before` is the number of a selection, below which the list begins.
///
/// # Errors
/// A fault of the database.
pub async fn list(
    connection: &mut AsyncPgConnection,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Selection>, AdministrationError> {
    let selections = diesel::sql_query(
        "SELECT s.*, count(i.entry) AS entries, count(i.entry) FILTER (WHERE i.outcome IS NULL) AS undecided
           FROM (SELECT id, made_by, made_at, filter FROM xm.selections
                  WHERE $1 IS NULL OR id < $1 ORDER BY id DESC LIMIT $2) s
           LEFT JOIN xm.selection_items i ON i.selection = s.id
          GROUP BY s.id, s.made_by, s.made_at, s.filter ORDER BY s.id DESC",
    )
    .bind::<Nullable<BigInt>, _>(before)
    .bind::<BigInt, _>(limit)
    .load(connection)
    .await?;
    Ok(selections)
}

/// Lists the items of a selection by the numbers of their entries. `behind` is the number after which the list begins.
///
/// # Errors
/// A fault of the database.
pub async fn items(
    connection: &mut AsyncPgConnection,
    selection: i64,
    is_undecided: bool,
    behind: Option<i64>,
    limit: i64,
) -> Result<Vec<Item>, AdministrationError> {
    let items = diesel::sql_query(
        "SELECT entry, outcome, decided_by, decided_at FROM xm.selection_items
          WHERE selection = $1 AND (outcome IS NULL OR NOT $2) AND ($3 IS NULL OR entry > $3) ORDER BY entry LIMIT $4",
    )
    .bind::<BigInt, _>(selection)
    .bind::<Bool, _>(is_undecided)
    .bind::<Nullable<BigInt>, _>(behind)
    .bind::<BigInt, _>(limit)
    .load(connection)
    .await?;
    Ok(items)
}

/// Counts open entries that are of the selection's group, but came or were opened after the selection was frozen.
///
/// # Errors
/// A fault of the database.
pub async fn later(connection: &mut AsyncPgConnection, selection: i64) -> Result<i64, AdministrationError> {
    #[derive(QueryableByName)]
    struct Later {
        #[diesel(sql_type = BigInt)]
        entries: i64,
    }
    let Later { entries } = diesel::sql_query(
        "SELECT count(*) AS entries
           FROM xm.selections s JOIN xm.quarantine q
             ON q.state = 'open' AND (s.filter ->> 'reason' IS NULL OR q.reason = s.filter ->> 'reason')
            AND (s.filter ->> 'agency' IS NULL OR q.agency = (s.filter ->> 'agency')::integer)
            AND (s.filter ->> 'table' IS NULL OR q.faulty_table = s.filter ->> 'table')
            AND (s.filter ->> 'sender_domain' IS NULL OR q.sender_domain = s.filter ->> 'sender_domain')
            AND NOT EXISTS (SELECT FROM xm.selection_items i WHERE i.selection = s.id AND i.entry = q.id)
          WHERE s.id = $1 AND s.filter -> 'entries' IS NULL AND s.filter -> 'first' IS NULL",
    )
    .bind::<BigInt, _>(selection)
    .get_result(connection)
    .await?;
    Ok(entries)
}

/// Reserves a selection for this connection until it ends. Returns false if another connection has it.
///
/// # Errors
/// The operator may not choose entries; a fault of the database.
pub async fn reserve(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    selection: i64,
) -> Result<bool, AdministrationError> {
    #[derive(QueryableByName)]
    struct Reserved {
        #[diesel(sql_type = Bool)]
        is_ours: bool,
    }
    operator.require(connection, Operation::QuarantineSelect).await?;
    let Reserved { is_ours } =
        diesel::sql_query("SELECT pg_try_advisory_lock(hashtext('xm.selections'), $1::integer) AS is_ours")
            .bind::<BigInt, _>(selection)
            .get_result(connection)
            .await?;
    Ok(is_ours)
}

/// Records what became of an item. An outcome that is recorded already stays as it is, because another operator may run the same job.
///
/// # Errors
/// The operator may not choose entries; a fault of the database.
pub async fn record(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    selection: i64,
    entry: i64,
    outcome: &str,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::QuarantineSelect).await?;
    diesel::sql_query(
        "UPDATE xm.selection_items SET outcome = $3, decided_by = $4, decided_at = now()
          WHERE selection = $1 AND entry = $2 AND outcome IS NULL",
    )
    .bind::<BigInt, _>(selection)
    .bind::<BigInt, _>(entry)
    .bind::<Text, _>(outcome)
    .bind::<Text, _>(operator.user())
    .execute(connection)
    .await?;
    Ok(())
}
