//! Fills in the columns of the legal key that letters leave out, with the value that PostgreSQL's default would give.
//!
//! A stored record is found by its whole legal key. If one column of the key were missing, a record that is sent again would not be found,
//! and the table's unique index would refuse it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use diesel::QueryableByName;
use diesel::sql_types::{Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use serde_json::Value;

use super::batch::Case;
use super::gathered::relation;
use super::judge::Judged;
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};
use crate::tables::definition::{Column, ColumnType, Definition};
use crate::tables::examine::{ColumnValues, TableRows};

/// Fills in the columns of legal keys that letters leave out, if the default is the same for every row of a transaction. If the default
/// differs from row to row (a sequence, a random number), every record gets a key of its own, and no two records are duplicates.
///
/// # Errors
/// The database cannot be reached. If a default cannot be evaluated, this function returns no error: the insert into its table fails later.
pub async fn fill(connection: &mut AsyncPgConnection, batch: &mut [Case]) -> Result<(), Fault> {
    let mut defaults: HashMap<(i32, usize), Option<Value>> = HashMap::new();
    for case in batch {
        let Judged::Sound { work, .. } = &mut case.judged else { continue };
        // The rows are in an `Arc`, which allows a change only while it has one owner. Nothing has cloned it since the letter was judged,
        // so the rows can be changed in place. Work without rows is skipped.
        let Some(tables) = work.tables_mut() else { continue };
        for rows in tables {
            for index in left_out(rows) {
                let default = match defaults.entry((rows.definition.table_id, index)) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(unknown) => unknown.insert(read(connection, &rows.definition, index).await?),
                };
                if let Some(value) = default {
                    add_column(rows, index, value);
                }
            }
        }
    }
    Ok(())
}

fn left_out(rows: &TableRows) -> Vec<usize> {
    let definition = &rows.definition;
    let is_key = |index: &usize| definition.legal_key.contains(&definition.columns[*index].name);
    (0..definition.columns.len()).filter(is_key).filter(|index| !rows.columns.contains(index)).collect()
}

fn add_column(rows: &mut TableRows, index: usize, value: &Value) {
    let mut is_readable = true;
    let column = &rows.definition.columns[index];
    let values = ColumnValues::read(column, &vec![value.clone(); rows.row_count()], &mut |_, _, _| is_readable = false);
    if is_readable {
        let at = rows.columns.partition_point(|known| *known < index);
        rows.columns.insert(at, index);
        rows.values.insert(at, values);
    }
}

#[derive(QueryableByName)]
struct Twice {
    #[diesel(sql_type = Nullable<Text>)]
    first: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    second: Option<String>,
}

/// Evaluates the default of a column, in the form in which a letter would write the value. Returns `None` if the default cannot be
/// evaluated, or if two evaluations differ.
async fn read(
    connection: &mut AsyncPgConnection,
    definition: &Definition,
    index: usize,
) -> Result<Option<Value>, Fault> {
    let column = &definition.columns[index];
    let Some(expression) = expression(connection, definition, column).await? else { return Ok(None) };
    let as_text = match column.kind {
        ColumnType::Numeric { .. } => format!("to_jsonb(({expression})::text)"),
        ColumnType::Bytea => format!("to_jsonb(translate(encode({expression}, 'base64'), E'\\n', ''))"),
        _ => format!("to_jsonb({expression})"),
    };
    let text = format!("SELECT {as_text}::text AS first, {as_text}::text AS second");
    connection.batch_execute("SAVEPOINT default_value").await?;
    let reckoned: Result<Twice, Fault> = diesel::sql_query(text).get_result(connection).await.map_err(Fault::from);
    connection.batch_execute("ROLLBACK TO SAVEPOINT default_value; RELEASE SAVEPOINT default_value").await?;
    let Ok(Twice { first: Some(first), second }) = reckoned else { return Ok(None) };
    Ok(if second.as_ref() == Some(&first) { serde_json::from_str(&first).ok() } else { None })
}

/// Reads the current default of a column from PostgreSQL, cast to the column's type.
async fn expression(
    connection: &mut AsyncPgConnection,
    definition: &Definition,
    column: &Column,
) -> Result<Option<String>, Fault> {
    let text = "SELECT format('CAST(%s AS %s)', pg_get_expr(d.adbin, d.adrelid), format_type(a.atttypid, a.atttypmod))
                  FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                 WHERE a.attrelid = to_regclass(?) AND a.attname = ? AND a.attgenerated = ''";
    let relation = relation(definition);
    let binds = [Bind::Text(&relation), Bind::Text(&column.name)];
    let rows: Vec<String> = Statement::<Text>::new(text, &binds).load(connection).await?;
    Ok(rows.into_iter().next())
}
