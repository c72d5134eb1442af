//! Loads reference data from a CSV file: lists that the centre maintains, such as polling stations and candidates.
//!
//! Records are found by their legal key. A record that is not in the table is added. A record with other values is changed. Records that
//! are not in the file are kept. Loading the same file again changes nothing. Each load needs two people: one requests it, with the figures
//! of a dry run and the digest of the file, and another confirms it with the same file.

use std::sync::Arc;

use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use sdc::digest::Digest;
use sdc::names::same;
use serde_json::Value;

use super::catalogue::Catalogue;
use super::definition::{Column, ColumnType, Definition, NUMERO, STATUS, is_provenance};
use super::examine::ColumnValues;
use super::loaded::{LoadFault, Loaded, TableLoad};
use crate::approvals;
use crate::database::fault::Fault;
use crate::database::identifier::quoted;
use crate::database::statement::{Bind, Statement};
use crate::error::{AdministrationError, InvalidValue};
use crate::people::act::Act;
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Number of rows that one statement sends to PostgreSQL.
const ROWS_PER_STATEMENT: usize = 5_000;
/// Largest number of faulty values that an error lists.
const FAULTS_MAX: usize = 20;

/// A CSV file that was read: the names of its columns, and its rows as texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadFile {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    digest: String,
}

impl LoadFile {
    /// Reads a CSV file in UTF-8, with or without a byte order mark. The first line has the names of the columns. Fields are quoted as
    /// RFC 4180 says. Fields are separated by semicolons if the first line has a semicolon, otherwise by commas.
    ///
    /// # Errors
    /// The octets are not a CSV file in UTF-8, or the file has no row.
    pub fn parse(octets: &[u8]) -> Result<LoadFile, AdministrationError> {
        let unreadable = || AdministrationError::from(InvalidValue::LoadFile);
        let digest = Digest::of(octets).to_string();
        let text = std::str::from_utf8(octets).map_err(|_not_utf8| unreadable())?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let head = text.lines().next().unwrap_or_default();
        let delimiter = if head.contains(';') { b';' } else { b',' };
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
        let columns: Vec<String> =
            reader.headers().map_err(|_quotes| unreadable())?.iter().map(|name| name.trim().to_owned()).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            rows.push(record.map_err(|_quotes| unreadable())?.iter().map(str::to_owned).collect());
        }
        if rows.is_empty() || columns.iter().any(String::is_empty) {
            return Err(unreadable());
        }
        Ok(LoadFile { columns, rows, digest })
    }

    /// Returns the file's SHA-256, in hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// Returns what loading a file would change, without changing anything.
///
/// # Errors
/// The table is unknown; a column is unknown or missing; a value does not fit its column; a fault.
pub async fn dry_run(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    table: &str,
    file: &LoadFile,
) -> Result<Loaded, AdministrationError> {
    operator.require(connection, Operation::TableLoad).await?;
    let stopped: Result<(), Stopped> =
        connection.transaction(async |connection| Err(Stopped(prepare(connection, table, file).await))).await;
    match stopped {
        Err(Stopped(found)) => Ok(found?.1),
        Ok(()) => Err(Fault::Bug("a dry run was committed".to_owned()).into()),
    }
}

/// Makes the request to load this file, with the figures of a dry run made now. Another person must confirm it.
///
/// # Errors
/// The errors of [`dry_run`].
pub async fn act(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    table: &str,
    file: &LoadFile,
) -> Result<Act, AdministrationError> {
    operator.require(connection, Operation::TableLoad).await?;
    let loaded = dry_run(connection, operator, table, file).await?;
    let table = super::adoption::find(connection, table).await?.full_name();
    Ok(Act::TableLoad(TableLoad { table, sha256: file.digest.clone(), loaded }))
}

/// Confirms another person's request with the same file, and loads the file, in one transaction. Returns what was done.
///
/// # Errors
/// The errors of [`approvals::confirm`] and of [`dry_run`]; the file differs from the one that was requested.
pub async fn confirm(
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    approval: i64,
    file: &LoadFile,
) -> Result<Loaded, AdministrationError> {
    decider.require(connection, Operation::TableLoad).await?;
    let Act::TableLoad(asked) = approvals::show(connection, approval).await?.act else {
        return Err(AdministrationError::ApprovalUnknown(approval));
    };
    if asked.sha256 != file.digest {
        return Err(InvalidValue::LoadFileOther { sha256: asked.sha256 }.into());
    }
    approvals::still_holds(connection, decider, approval).await?;
    connection
        .transaction(async |connection| {
            let judged = approvals::judged(connection, decider, approval).await?;
            let (staged, loaded) = prepare(connection, &asked.table, file).await?;
            if loaded != asked.loaded {
                return Err(AdministrationError::ApprovalChanged(approval));
            }
            staged.write(connection).await?;
            let action = AuditAction::TableLoad { table: &asked.table, sha256: &asked.sha256, loaded };
            audit::write(connection, decider, &action).await?;
            approvals::end(connection, decider, &judged.approval).await?;
            Ok(loaded)
        })
        .await
}

/// A dry run prepares the load in a transaction and then fails with this error, which rolls the transaction back. The error carries the dry
/// run's result.
struct Stopped(Result<(Staged, Loaded), AdministrationError>);

impl From<diesel::result::Error> for Stopped {
    fn from(error: diesel::result::Error) -> Stopped {
        Stopped(Err(error.into()))
    }
}

/// A file that was copied into the temporary table `xm_load`, where it is compared with its table.
struct Staged {
    definition: Arc<Definition>,
    /// Columns of the file, spelled as in the table.
    columns: Vec<String>,
}

async fn prepare(
    connection: &mut AsyncPgConnection,
    table: &str,
    file: &LoadFile,
) -> Result<(Staged, Loaded), AdministrationError> {
    let unknown = || AdministrationError::TableUnknown(table.to_owned());
    let (application, name) = table.split_once('.').ok_or_else(unknown)?;
    let definition = Catalogue::load(connection).await?.table(application, name).ok_or_else(unknown)?;
    let columns = placed(&definition, file)?;
    let values = values(&columns, file)?;
    let staged =
        Staged { definition: Arc::clone(&definition), columns: columns.iter().map(|one| one.name.clone()).collect() };
    staged.stage(connection, &columns, &values, file.rows.len()).await?;
    let loaded = staged.figures(connection).await?;
    Ok((staged, loaded))
}

/// Returns the definition's columns that are in the file. They must include the legal key and every column that a new record needs.
fn placed<'a>(definition: &'a Definition, file: &LoadFile) -> Result<Vec<&'a Column>, AdministrationError> {
    let is_own = |column: &&Column| !is_provenance(&column.name) && column.name != NUMERO && column.name != STATUS;
    let mut placed: Vec<&Column> = Vec::with_capacity(file.columns.len());
    let mut unknown = Vec::new();
    for name in &file.columns {
        let found = definition.columns.iter().filter(is_own).find(|column| same(&column.name, name));
        match found.filter(|column| placed.iter().all(|other| other.name != column.name)) {
            Some(column) => placed.push(column),
            None => unknown.push(name.clone()),
        }
    }
    let has = |name: &str| placed.iter().any(|column| column.name == name);
    let is_wanted = |column: &&Column| definition.legal_key.contains(&column.name) || column.is_needed();
    let missing: Vec<String> = definition
        .columns
        .iter()
        .filter(is_own)
        .filter(is_wanted)
        .filter(|column| !has(&column.name))
        .map(|column| column.name.clone())
        .collect();
    if unknown.is_empty() && missing.is_empty() {
        return Ok(placed);
    }
    Err(AdministrationError::LoadColumns { unknown, missing })
}

/// Reads the values like those of a letter. An empty field is NULL if the column may be NULL, and an empty text if not.
fn values(columns: &[&Column], file: &LoadFile) -> Result<Vec<ColumnValues>, AdministrationError> {
    let mut faults = Vec::new();
    let mut read = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        let cells: Vec<Value> = file.rows.iter().map(|row| cell(column, &row[at])).collect();
        read.push(ColumnValues::read(column, &cells, &mut |row, _rule, expected| {
            faults.push(LoadFault { line: row + 2, column: column.name.clone(), expected });
        }));
    }
    if faults.is_empty() {
        return Ok(read);
    }
    faults.sort_by_key(|fault| fault.line);
    let total = faults.len();
    faults.truncate(FAULTS_MAX);
    Err(AdministrationError::LoadValues { faults, total })
}

fn cell(column: &Column, text: &str) -> Value {
    let is_text = matches!(column.kind, ColumnType::Text { .. });
    match (text, column.kind) {
        ("", _) if column.nullable || !is_text => Value::Null,
        (text, ColumnType::Smallint | ColumnType::Integer | ColumnType::Bigint) => {
            text.trim().parse::<i64>().map_or_else(|_no_number| text.into(), Value::from)
        }
        ("true" | "t" | "1", ColumnType::Boolean) => true.into(),
        ("false" | "f" | "0", ColumnType::Boolean) => false.into(),
        (text, _) => text.into(),
    }
}

impl Staged {
    fn relation(&self) -> String {
        format!("{}.{}", quoted(&self.definition.schema_name), quoted(&self.definition.relation_name))
    }

    fn names(&self, prefix: &str) -> String {
        self.columns.iter().map(|name| format!("{prefix}{}", quoted(name))).collect::<Vec<_>>().join(", ")
    }

    fn same_key(&self) -> String {
        let equal = |name: &String| format!("t.{0} = n.{0}", quoted(name));
        let equal: Vec<String> = self.definition.legal_key.iter().map(equal).collect();
        format!("{} AND t.{} <> 0", equal.join(" AND "), quoted(STATUS))
    }

    fn differs(&self) -> String {
        format!("({}) IS DISTINCT FROM ({})", self.names("t."), self.names("n."))
    }

    async fn stage(
        &self,
        connection: &mut AsyncPgConnection,
        columns: &[&Column],
        values: &[ColumnValues],
        rows: usize,
    ) -> Result<(), AdministrationError> {
        let (names, relation) = (self.names(""), self.relation());
        connection
            .batch_execute(&format!(
                "CREATE TEMPORARY TABLE xm_load ON COMMIT DROP AS SELECT {names} FROM {relation} WITH NO DATA"
            ))
            .await?;
        let array = |column: &&Column| match column.kind {
            ColumnType::Numeric { .. } => "unnest(?::numeric[])",
            _ => "unnest(?)",
        };
        let arrays: Vec<&str> = columns.iter().map(array).collect();
        let text = format!("INSERT INTO xm_load ({names}) SELECT {}", arrays.join(", "));
        let all: Vec<usize> = (0..rows).collect();
        for some in all.chunks(ROWS_PER_STATEMENT) {
            let mut binds: Vec<Bind<'_>> = Vec::new();
            for column in values {
                let mut bind = column.empty_bind();
                column.push_onto(some, &mut bind);
                binds.push(bind);
            }
            Statement::<()>::of_columns(&text, &binds).execute(connection).await?;
        }
        let key = self.definition.legal_key.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let text = format!("SELECT count(*) FROM (SELECT FROM xm_load GROUP BY {key} HAVING count(*) > 1) twice");
        let twice: Vec<i64> = Statement::<BigInt>::of_columns(&text, &[]).load(connection).await?;
        if twice != [0] {
            let count = twice.into_iter().next().unwrap_or_default();
            return Err(AdministrationError::LoadKeysTwice { key: self.definition.legal_key.clone(), count });
        }
        connection.batch_execute("ANALYZE xm_load").await?;
        Ok(())
    }

    async fn figures(&self, connection: &mut AsyncPgConnection) -> Result<Loaded, AdministrationError> {
        let text = format!(
            "SELECT count(*) FILTER (WHERE t.{numero} IS NULL),
                    count(*) FILTER (WHERE t.{numero} IS NOT NULL AND {differs}),
                    count(*) FILTER (WHERE t.{numero} IS NOT NULL AND NOT {differs}),
                    (SELECT count(*) FROM {relation} WHERE {status} <> 0)
               FROM xm_load n LEFT JOIN {relation} t ON {same_key}",
            numero = quoted(NUMERO),
            status = quoted(STATUS),
            differs = self.differs(),
            relation = self.relation(),
            same_key = self.same_key(),
        );
        let found: Vec<(i64, i64, i64, i64)> =
            Statement::<(BigInt, BigInt, BigInt, BigInt)>::of_columns(&text, &[]).load(connection).await?;
        let (new, changed, same, held) = found.into_iter().next().unwrap_or_default();
        Ok(Loaded { new, changed, same, beside: held - changed - same })
    }

    async fn write(&self, connection: &mut AsyncPgConnection) -> Result<(), AdministrationError> {
        let (relation, names) = (self.relation(), self.names(""));
        let set: Vec<String> = self.columns.iter().map(|name| format!("{0} = n.{0}", quoted(name))).collect();
        connection
            .batch_execute(&format!(
                "UPDATE {relation} t SET {set} FROM xm_load n WHERE {same_key} AND {differs};
                 INSERT INTO {relation} ({status}, {names})
                 SELECT 2, {from_load} FROM xm_load n WHERE NOT EXISTS (SELECT FROM {relation} t WHERE {same_key})",
                set = set.join(", "),
                same_key = self.same_key(),
                differs = self.differs(),
                status = quoted(STATUS),
                from_load = self.names("n."),
            ))
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
