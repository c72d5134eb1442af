//! Corrections of records that the centre has. The record here changes once the centre's receipt says that it has changed there.

use agency::packed::Packed;
use rusqlite::{ErrorCode, params};
use sdc::answer::receipt::Receipt;
use sdc::request::{Correction, CorrectionAction, Corrections, RecordName, Request};
use sdc::service::Service;
use serde_json::{Map, Value};

use super::LetterError;
use crate::database::{Database, DatabaseError};
use crate::desk::{Desk, KeyError, now};
use crate::records::{Record, legal_key};
use crate::settings::Setting;

/// What is corrected, and why.
#[derive(Clone, Debug)]
pub struct Correcting {
    /// Columns that change; none where the record is cancelled.
    pub columns: Option<Map<String, Value>>,
    /// Why, on one line.
    pub reason: String,
    /// What proves it, on one line.
    pub reference: String,
}

/// Packs the correction of a record that the centre has.
///
/// # Errors
/// The office is not enrolled; the centre could not read the correction; the database cannot be written.
pub fn correct(desk: &Desk, record: &Record, correcting: Correcting) -> Result<Packed, LetterError> {
    let database = &desk.database;
    let transaction = database.begin()?;
    let installation = database.required(Setting::Installation).map_err(KeyError::from)?;
    let changed = correcting.columns.clone();
    let (columns, values) = correcting.columns.unwrap_or_default().into_iter().unzip();
    let correction = Correction {
        table: record.table.clone(),
        record: RecordName::Identity { installation, numero: record.numero },
        action: if changed.is_some() { CorrectionAction::Replace } else { CorrectionAction::Cancel },
        columns,
        values,
        reason: correcting.reason,
        reference: correcting.reference,
    };
    let corrections = Corrections { application: record.application.clone(), corrections: vec![correction] };
    let packed = desk.office(Service::Correct)?.ask(Request::Correct(corrections))?;
    let sequence = i64::try_from(packed.sequence).unwrap_or(i64::MAX);
    let text = changed.map(|columns| Value::Object(columns).to_string());
    database.change(
        "INSERT INTO corrections (sequence, numero, columns) VALUES (?1, ?2, ?3)",
        params![sequence, record.numero, text],
    )?;
    transaction.commit().map_err(DatabaseError::from)?;
    Ok(packed)
}

/// Changes the records that an accepted letter has corrected, each once. A correction that the centre counts as superseded, or that is
/// older than what last wrote the record, changes nothing there (FORMAT.md, correct), so neither here.
pub(super) fn settle(database: &Database, sequence: i64, receipt: &Receipt) -> Result<(), DatabaseError> {
    if receipt.rows.iter().any(|table| table.superseded > 0) {
        return Ok(());
    }
    let statement = "UPDATE corrections SET applied_at = ?2
                      WHERE sequence = ?1 AND applied_at IS NULL
                        AND NOT EXISTS (SELECT 1 FROM corrections later WHERE later.numero = corrections.numero
                                          AND later.sequence > ?1 AND later.applied_at IS NOT NULL)
                     RETURNING numero, columns";
    let corrected: Vec<(i64, Option<String>)> =
        database.list(statement, params![sequence, now()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (numero, changes) in corrected {
        database.change("UPDATE records SET remark = NULL WHERE numero = ?1", [numero])?;
        let Some(changes) = changes else {
            database.change("UPDATE records SET status = 0 WHERE numero = ?1", [numero])?;
            continue;
        };
        let statement = "SELECT columns FROM records WHERE numero = ?1";
        let columns: Option<String> = database.find(statement, [numero], |row| row.get(0))?;
        let map = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
        let mut columns = map(&columns.unwrap_or_default());
        columns.extend(map(&changes));
        columns.retain(|_, value| !value.is_null());
        write(database, numero, &columns)?;
    }
    Ok(())
}

/// Gives a record that the centre has status 4, these columns, and the legal key that follows from them.
pub(super) fn write(database: &Database, numero: i64, columns: &Map<String, Value>) -> Result<(), DatabaseError> {
    let statement = "SELECT application || '.' || table_name FROM records WHERE numero = ?1";
    let name: Option<String> = database.find(statement, [numero], |row| row.get(0))?;
    let table = database.tables()?.into_iter().find(|table| Some(table.full_name()) == name);
    let key = table.as_ref().and_then(|table| legal_key(table, columns));
    let text = Value::Object(columns.clone()).to_string();
    let set = |key: Option<&str>| {
        let statement = "UPDATE records SET status = 4, columns = ?2, legal_key = ?3 WHERE numero = ?1";
        database.change(statement, params![numero, text, key])
    };
    match set(key.as_deref()) {
        // Another record here has this key. The centre has this one all the same, and refuses the other.
        Err(DatabaseError::Sqlite(error)) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            set(None).map(drop)
        }
        set => set.map(drop),
    }
}
