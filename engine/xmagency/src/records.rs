//! The office's records: what a clerk writes, an officer validates, and letters carry to the centre.

mod csv_file;
mod examine;

use std::fmt;

use rusqlite::{ErrorCode, params};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::database::{Database, DatabaseError};
use crate::not_found::NotFound;
use crate::tables::Table;

pub use csv_file::{CsvError, Loaded, load, written};
pub use examine::{Fault, examine, fill_identifiers, legal_key, read_changes, read_pairs};

/// The status of a record (guide, table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// 0: given up, or cancelled
    Cancelled,
    /// 1: a clerk may change it
    New,
    /// 2: an officer has validated it; it is locked
    Validated,
    /// 3: in a letter that the centre has not decided
    Packed,
    /// 4: the centre's verified receipt says that it has the record
    Exported,
}

impl Status {
    /// Every status, by its number.
    pub const ALL: [Status; 5] = [Status::Cancelled, Status::New, Status::Validated, Status::Packed, Status::Exported];

    /// Returns the number that the guide gives the status.
    pub fn number(self) -> u8 {
        self as u8
    }

    fn of(number: u8) -> Status {
        Status::ALL.get(usize::from(number)).copied().unwrap_or(Status::Cancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// A record of the office.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// The office's number of the record.
    pub numero: i64,
    /// The application of its table.
    pub application: String,
    /// Its table.
    pub table: String,
    /// Its status.
    pub status: Status,
    /// Its columns by name; those without a value are left out.
    pub columns: Map<String, Value>,
    /// The letter in which it was packed last; none once it was reopened.
    pub sequence: Option<i64>,
    /// Why the centre refused it, as the receipt says; or what was written here after a letter that the centre accepted after all.
    pub remark: Option<Value>,
    /// Who wrote it.
    pub made_by: String,
    /// When it was written, RFC 3339.
    pub made_at: String,
    /// Who validated it.
    pub validated_by: Option<String>,
    /// When it was validated, RFC 3339.
    pub validated_at: Option<String>,
    /// Who sent it to the centre, where it was imported.
    pub origin: Option<String>,
}

/// A record cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Another record has the legal key.
    #[error("another live record of {table} has this legal key: see `xmagency record search`")]
    Duplicate {
        /// The table.
        table: String,
    },
    /// The record's status does not admit the act.
    #[error("record {numero} has status {found}, expected {expected}")]
    Status {
        /// Number of the record.
        numero: i64,
        /// Its status.
        found: Status,
        /// What its status should be.
        expected: &'static str,
    },
    /// The record came from the centre.
    #[error("record {0} was imported: it belongs to the office that sent it")]
    Imported(i64),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

const COLUMNS: &str = "numero, application, table_name, status, columns, sequence, remark, made_by, made_at,
                       validated_by, validated_at, origin";

fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<Record> {
    let columns: String = row.get(4)?;
    let remark: Option<String> = row.get(6)?;
    Ok(Record {
        numero: row.get(0)?,
        application: row.get(1)?,
        table: row.get(2)?,
        status: Status::of(row.get(3)?),
        columns: serde_json::from_str(&columns).unwrap_or_default(),
        sequence: row.get(5)?,
        remark: remark.and_then(|text| serde_json::from_str(&text).ok()),
        made_by: row.get(7)?,
        made_at: row.get(8)?,
        validated_by: row.get(9)?,
        validated_at: row.get(10)?,
        origin: row.get(11)?,
    })
}

/// What a list of records is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this table.
    pub table: Option<(String, String)>,
    /// With this status.
    pub status: Option<Status>,
    /// With this text in a column.
    pub text: Option<String>,
}

/// Says who acts and when, for the record's story.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// Name of the user.
    pub name: &'a str,
    /// Time of the office's clock, RFC 3339.
    pub at: &'a str,
}

impl Database {
    /// Finds a record.
    ///
    /// # Errors
    /// There is none; the database cannot be read.
    pub fn record(&self, numero: i64) -> anyhow::Result<Record> {
        let found = self.find(&format!("SELECT {COLUMNS} FROM records WHERE numero = ?1"), [numero], record)?;
        found.ok_or_else(|| NotFound(format!("there is no record {numero}")).into())
    }

    /// Lists records, newest first, at most `limit` of them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn records(&self, filter: &Filter, limit: u32) -> Result<Vec<Record>, DatabaseError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM records
              WHERE (?1 IS NULL OR application = ?1) AND (?2 IS NULL OR table_name = ?2)
                AND (?3 IS NULL OR status = ?3)
                AND (?4 IS NULL OR EXISTS (SELECT 1 FROM json_each(records.columns) c
                                            WHERE instr(lower(c.value), lower(?4)) > 0))
              ORDER BY numero DESC LIMIT ?5"
        );
        let (application, table) = filter.table.clone().unzip();
        let status = filter.status.map(Status::number);
        self.list(&statement, params![application, table, status, filter.text, limit], record)
    }

    /// Writes a new record. Returns its number.
    ///
    /// # Errors
    /// Another live record has its legal key; the database cannot be written.
    pub fn add_record(&self, table: &Table, columns: &Map<String, Value>, by: By<'_>) -> Result<i64, RecordError> {
        let statement = "INSERT INTO records (application, table_name, status, columns, legal_key, made_at, made_by)
                         VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6)";
        let definition = &table.definition;
        let (text, key) = (Value::Object(columns.clone()).to_string(), legal_key(table, columns));
        let added =
            self.change(statement, params![definition.application, definition.table, text, key, by.at, by.name]);
        unique(added, table)?;
        Ok(self.connection().last_insert_rowid())
    }

    /// Replaces the columns of a new record.
    ///
    /// # Errors
    /// The record is not new; another live record has its legal key; the database cannot be written.
    pub fn edit_record(
        &self,
        table: &Table,
        former: &Record,
        columns: &Map<String, Value>,
        by: By<'_>,
    ) -> Result<(), RecordError> {
        require(former, &[Status::New], "1, a new record; an officer reopens a validated one")?;
        self.note_act(former, "edit", None, by)?;
        let (text, key) = (Value::Object(columns.clone()).to_string(), legal_key(table, columns));
        let statement = "UPDATE records SET columns = ?2, legal_key = ?3 WHERE numero = ?1 AND status = 1";
        unique(self.change(statement, params![former.numero, text, key]), table)
    }

    /// Locks a new record: an officer has validated it.
    ///
    /// # Errors
    /// The record is not new; the database cannot be written.
    pub fn validate_record(&self, former: &Record, by: By<'_>) -> Result<(), RecordError> {
        require(former, &[Status::New], "1, a new record")?;
        self.note_act(former, "validate", None, by)?;
        let statement = "UPDATE records SET status = 2, validated_at = ?2, validated_by = ?3, remark = NULL
                          WHERE numero = ?1 AND status = 1";
        self.change(statement, params![former.numero, by.at, by.name])?;
        Ok(())
    }

    /// Makes a validated record new again, so that it can be changed.
    ///
    /// # Errors
    /// The record is not validated, or was imported; the database cannot be written.
    pub fn reopen_record(&self, former: &Record, by: By<'_>) -> Result<(), RecordError> {
        require(former, &[Status::Validated], "2, a validated record that no letter has packed")?;
        self.note_act(former, "reopen", None, by)?;
        // A letter that was refused may be accepted later, with what it said.
        let statement = "UPDATE packed SET columns = ?2 WHERE numero = ?1 AND columns IS NULL";
        self.change(statement, params![former.numero, Value::Object(former.columns.clone()).to_string()])?;
        let statement = "UPDATE records SET status = 1, validated_at = NULL, validated_by = NULL, sequence = NULL
                          WHERE numero = ?1 AND status = 2";
        self.change(statement, [former.numero])?;
        Ok(())
    }

    /// Gives up a record that the centre does not have.
    ///
    /// # Errors
    /// The record is packed or exported, or was imported; the database cannot be written.
    pub fn cancel_record(&self, former: &Record, reason: &str, by: By<'_>) -> Result<(), RecordError> {
        let expected = "1 or 2; what the centre has is cancelled by `xmagency correct`";
        require(former, &[Status::New, Status::Validated], expected)?;
        self.note_act(former, "cancel", Some(reason), by)?;
        self.change("UPDATE records SET status = 0 WHERE numero = ?1 AND status IN (1, 2)", [former.numero])?;
        Ok(())
    }

    fn note_act(&self, former: &Record, act: &str, reason: Option<&str>, by: By<'_>) -> Result<(), DatabaseError> {
        let statement = "INSERT INTO acts (numero, act, at, by, reason, columns) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let columns = Value::Object(former.columns.clone()).to_string();
        self.change(statement, params![former.numero, act, by.at, by.name, reason, columns]).map(drop)
    }
}

fn require(record: &Record, admitted: &[Status], expected: &'static str) -> Result<(), RecordError> {
    if record.origin.is_some() {
        return Err(RecordError::Imported(record.numero));
    }
    if admitted.contains(&record.status) {
        return Ok(());
    }
    Err(RecordError::Status { numero: record.numero, found: record.status, expected })
}

fn unique(changed: Result<usize, DatabaseError>, table: &Table) -> Result<(), RecordError> {
    match changed {
        Err(DatabaseError::Sqlite(error)) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Err(RecordError::Duplicate { table: table.full_name() })
        }
        changed => Ok(changed.map(drop)?),
    }
}

#[cfg(test)]
pub mod tests;
