//! Keeps records that the centre gave: they carry status 2 and their origin, and are never exported again.

use rusqlite::{ErrorCode, params};
use sdc::answer::rows::Rows;
use sdc::names::same;
use serde_json::{Map, Value};

use crate::database::{Database, DatabaseError};
use crate::desk::{KeyError, now};
use crate::records::legal_key;
use crate::settings::Setting;
use crate::tables::Table;

/// The columns that say who sent a record to the centre (FORMAT.md, import).
const ORIGIN: [&str; 3] = ["xm_agency", "xm_installation", "xm_numero"];

/// Keeps the records of a part, and once every part is there the position up to which the table has been read.
///
/// Rows without an origin, as a SELECT of single columns gives, stay in the letter alone. So do those of this installation, which has them,
/// and those whose legal key a record of the office has.
pub(super) fn keep(database: &Database, digest: &str, rows: &Rows) -> Result<(), KeyError> {
    let place = |name: &str| rows.columns.iter().position(|column| same(column, name));
    let table = database.tables()?.into_iter().find(|table| {
        same(&table.definition.application, &rows.application) && same(&table.definition.table, &rows.table)
    });
    if let (Some(table), [Some(agency), Some(installation), Some(numero)]) = (table, ORIGIN.map(place)) {
        let own = format!("{}/{}/", u32::from(database.kit()?.matricule), database.required(Setting::Installation)?);
        for row in 0..rows.row_count() {
            let cell =
                |column: usize| rows.values.get(column).and_then(|values| values.get(row)).unwrap_or(&Value::Null);
            let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let origin = [agency, installation, numero].map(|column| plain(cell(column))).join("/");
            if !origin.starts_with(&own) {
                let is_cancelled = place("Status").is_some_and(|column| cell(column).as_i64() == Some(0));
                keep_one(database, &table, &origin, is_cancelled, &columns(&table, rows, row))?;
            }
        }
    }
    Ok(keep_position(database, digest)?)
}

/// Returns the columns of a row by the names of the table; those without a value are left out.
fn columns(table: &Table, rows: &Rows, row: usize) -> Map<String, Value> {
    let named = rows.columns.iter().zip(&rows.values);
    let known = named.filter_map(|(name, values)| Some((table.column(name)?.name.clone(), values.get(row)?.clone())));
    known.filter(|(_, value)| !value.is_null()).collect()
}

fn keep_one(
    database: &Database,
    table: &Table,
    origin: &str,
    is_cancelled: bool,
    columns: &Map<String, Value>,
) -> Result<(), DatabaseError> {
    let status = if is_cancelled { 0 } else { 2 };
    let (text, key) = (Value::Object(columns.clone()).to_string(), legal_key(table, columns));
    let definition = &table.definition;
    let statement = "INSERT INTO records (application, table_name, status, columns, legal_key, made_at, made_by, origin)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, '', ?7)
                     ON CONFLICT (application, table_name, origin) WHERE origin IS NOT NULL
                     DO UPDATE SET status = excluded.status, columns = excluded.columns, legal_key = excluded.legal_key";
    let kept =
        database.change(statement, params![definition.application, definition.table, status, text, key, now(), origin]);
    match kept {
        // A record of the office has this legal key.
        Err(DatabaseError::Sqlite(error)) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Ok(())
        }
        kept => kept.map(drop),
    }
}

/// Keeps the position that the last part has, once no part before it is missing.
fn keep_position(database: &Database, digest: &str) -> Result<(), DatabaseError> {
    let statement = "INSERT INTO positions
                     SELECT p.body ->> 'application', p.body ->> 'table', p.body ->> 'position'
                       FROM parts p JOIN letters l USING (sequence)
                      WHERE l.digest = ?1 AND p.body ->> 'position' IS NOT NULL
                        AND p.part = (SELECT count(*) FROM parts q WHERE q.sequence = p.sequence AND q.body IS NOT NULL AND q.part > 0)
                     ON CONFLICT (application, table_name) DO UPDATE SET position = excluded.position";
    database.change(statement, [digest]).map(drop)
}
