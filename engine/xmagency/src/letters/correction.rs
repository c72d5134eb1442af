//! Corrections of records that the centre has. The record here changes once the centre's receipt says that it has changed there.

use agency::packed::Packed;
use rusqlite::params;
use sdc::request::{Correction, CorrectionAction, Corrections, RecordName, Request};
use sdc::service::Service;
use serde_json::{Map, Value};

use super::LetterError;
use crate::database::{Database, DatabaseError};
use crate::desk::{Desk, KeyError};
use crate::records::Record;
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
    database.change("INSERT INTO corrections VALUES (?1, ?2, ?3)", params![sequence, record.numero, text])?;
    transaction.commit().map_err(DatabaseError::from)?;
    Ok(packed)
}

/// Changes the records that an accepted letter has corrected.
pub(super) fn settle(database: &Database, sequence: i64) -> Result<(), DatabaseError> {
    let statement = "UPDATE records SET columns = json_patch(records.columns, c.columns)
                       FROM corrections c WHERE c.numero = records.numero AND c.sequence = ?1 AND c.columns IS NOT NULL";
    database.change(statement, [sequence])?;
    let statement = "UPDATE records SET status = 0
                       FROM corrections c WHERE c.numero = records.numero AND c.sequence = ?1 AND c.columns IS NULL";
    database.change(statement, [sequence]).map(drop)
}
