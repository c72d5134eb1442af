//! Records as a file of comma-separated values, for offices that have them elsewhere: read line by line, and written.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use super::examine::{Fault, examine, fill_identifiers, read_pairs};
use super::{By, Record, RecordError};
use crate::database::{Database, DatabaseError};
use crate::tables::Table;

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Loaded {
    /// Lines that became records, or would become some.
    pub records: usize,
    /// Lines whose legal key a record of the office has already.
    pub duplicates: Vec<u64>,
    /// Lines with faults, each with its faults.
    pub faulty: Vec<(u64, Vec<Fault>)>,
}

/// A file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The file is not there, or is no text of comma-separated values.
    #[error("{} cannot be read as comma-separated values in UTF-8: {source}", path.display())]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Reads a file whose first line names columns, and adds a record for each further line. With `is_dry`, and where a line is faulty,
/// nothing is changed.
///
/// # Errors
/// The file cannot be read; the database cannot be written.
pub fn load(database: &Database, table: &Table, path: &Path, is_dry: bool, by: By<'_>) -> Result<Loaded, CsvError> {
    let unreadable = |source| CsvError::Unreadable { path: path.to_path_buf(), source };
    let mut reader = csv::ReaderBuilder::new().from_path(path).map_err(unreadable)?;
    let headings: Vec<String> = reader
        .headers()
        .map_err(unreadable)?
        .iter()
        .map(|name| sdc::names::composed(name.trim_start_matches('\u{feff}').trim()))
        .collect();
    let mut loaded = Loaded::default();
    let transaction = database.begin()?;
    for row in reader.records() {
        let row = row.map_err(unreadable)?;
        let line = row.position().map_or(0, csv::Position::line);
        let pairs = headings.iter().cloned().zip(row.iter().map(str::to_owned));
        let mut columns = Map::new();
        let faults = match read_pairs(table, pairs, &mut columns) {
            Err(faults) => faults,
            Ok(()) => {
                fill_identifiers(table, &mut columns);
                examine(table, &columns)
            }
        };
        if !faults.is_empty() {
            loaded.faulty.push((line, faults));
            continue;
        }
        match database.add_record(table, &columns, by) {
            Ok(_) => loaded.records += 1,
            Err(RecordError::Database(error)) => return Err(error.into()),
            Err(_duplicate) => loaded.duplicates.push(line),
        }
    }
    if !is_dry && loaded.faulty.is_empty() {
        transaction.commit().map_err(DatabaseError::from)?;
    }
    Ok(loaded)
}

/// Writes records of a table as comma-separated values: `Numero`, `Status` and every column of the table.
pub fn written(table: &Table, records: &[Record]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = table.columns.iter().map(|column| column.name.as_str());
    let headings: Vec<&str> = ["Numero", "Status"].into_iter().chain(names).collect();
    let cell = |value: Option<&Value>| match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    // A writer into memory never fails.
    let mut write = |cells: Vec<String>| writer.write_record(cells).unwrap_or_default();
    write(headings.iter().map(|heading| (*heading).to_owned()).collect());
    for record in records {
        let own = [record.numero.to_string(), record.status.to_string()];
        let columns = table.columns.iter().map(|column| cell(record.columns.get(&column.name)));
        write(own.into_iter().chain(columns).collect());
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}
