//! Packs validated records into letters. Records, their letter and its number are committed together: after a crash a record is in exactly
//! one letter, or in none.

use std::collections::BTreeMap;

use agency::office::{Office, PackError};
use chrono::Utc;
use rusqlite::params;
use sdc::letter::{FORMAT_VERSION, Letter};
use sdc::request::{Records, Request, TableRecords};
use sdc::service::Service;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::LetterError;
use crate::database::{Database, DatabaseError};
use crate::desk::{Desk, KeyError};
use crate::records::{Fault, Record, Status, examine};
use crate::register::DatabaseRegister;
use crate::tables::Table;

/// Most records in one letter. The centre takes 20 000; a line that breaks is better served by letters that are not too large.
const RECORDS_MAX: usize = 5000;
/// The largest sequence number of a letter, for measuring: a letter is never larger than it was measured.
const SEQUENCE_MAX: u64 = 1 << 53;

/// What was packed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Exported {
    /// The letters, by number, each with the numbers of its records and its bytes.
    pub letters: Vec<Letters>,
    /// Records that the centre would refuse, each with its faults. They stay validated.
    pub faulty: Vec<(i64, Vec<Fault>)>,
    /// Records that are too large for a letter. They stay validated.
    pub too_large: Vec<TooLarge>,
}

/// One letter that was packed.
#[derive(Clone, Debug, Serialize)]
pub struct Letters {
    /// Its number.
    pub sequence: u64,
    /// The numbers of its records.
    pub records: Vec<i64>,
    /// Bytes of its document.
    pub bytes: usize,
}

/// One record alone is larger than the agency's limit.
#[derive(Clone, Debug, thiserror::Error, Serialize)]
#[error(
    "record {numero} makes a letter of {bytes} bytes, but the centre takes {most}: shorten it, or ask the centre for a higher limit"
)]
pub struct TooLarge {
    /// Number of the record.
    pub numero: i64,
    /// Bytes of the letter.
    pub bytes: usize,
    /// Largest letter of the agency, in bytes.
    pub most: usize,
}

/// Records could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The letter could not be made.
    #[error(transparent)]
    Letter(#[from] LetterError),
}

impl From<PackError> for ExportError {
    fn from(error: PackError) -> ExportError {
        ExportError::Letter(error.into())
    }
}

impl From<KeyError> for ExportError {
    fn from(error: KeyError) -> ExportError {
        ExportError::Letter(error.into())
    }
}

impl From<DatabaseError> for ExportError {
    fn from(error: DatabaseError) -> ExportError {
        ExportError::Letter(error.into())
    }
}

/// Packs the validated records, of one table or of all. With `again`, also those whose letter was refused until something happens at the
/// centre (`wait`).
///
/// # Errors
/// The office is not enrolled; the database cannot be written. Letters packed before the error stay packed.
pub fn export(desk: &Desk, only: Option<&Table>, again: bool) -> Result<Exported, ExportError> {
    let mut exported = Exported::default();
    for (application, tables) in by_application(desk.database.tables()?, only) {
        let mut groups: BTreeMap<String, Vec<(Table, Record)>> = BTreeMap::new();
        for table in tables {
            for record in waiting(&desk.database, &table, again)? {
                let faults = examine(&table, &record.columns);
                if !faults.is_empty() {
                    exported.faulty.push((record.numero, faults));
                    continue;
                }
                // One code of a scope a letter: a refusal or a hold for one station holds no other.
                let code = table.definition.scope.as_ref().and_then(|name| table.column(name));
                let code = code.and_then(|column| record.columns.get(&column.name)).map(Value::to_string);
                groups.entry(code.unwrap_or_default()).or_default().push((table.clone(), record));
            }
        }
        for group in groups.into_values() {
            for chunk in group.chunks(RECORDS_MAX) {
                pack(desk, &application, chunk, &mut exported)?;
            }
        }
    }
    Ok(exported)
}

fn by_application(tables: Vec<Table>, only: Option<&Table>) -> BTreeMap<String, Vec<Table>> {
    let mut found: BTreeMap<String, Vec<Table>> = BTreeMap::new();
    for table in tables.into_iter().filter(|table| only.is_none_or(|only| only.full_name() == table.full_name())) {
        found.entry(table.definition.application.clone()).or_default().push(table);
    }
    found
}

/// Lists the records of a table that wait to be packed, oldest first. A record in which the centre has found a fault waits for an officer.
fn waiting(database: &Database, table: &Table, again: bool) -> Result<Vec<Record>, DatabaseError> {
    let statement = "SELECT r.numero FROM records r LEFT JOIN letters l ON l.sequence = r.sequence
                      WHERE r.application = ?1 AND r.table_name = ?2 AND r.origin IS NULL
                        AND ((r.status = 2 AND r.remark ->> 'fault' IS NULL) OR (?3 AND r.status = 3 AND l.verdict = 'refused'))
                      ORDER BY r.numero";
    let named = params![table.definition.application, table.definition.table, again];
    let numeros: Vec<i64> = database.list(statement, named, |row| row.get(0))?;
    // A record that was listed is there: nothing else changes the database meanwhile.
    Ok(numeros.into_iter().filter_map(|numero| database.record(numero).ok()).collect())
}

/// Packs records into one letter, or where that is too large into several.
fn pack(
    desk: &Desk,
    application: &str,
    records: &[(Table, Record)],
    exported: &mut Exported,
) -> Result<(), ExportError> {
    let most = usize::try_from(desk.database.kit().map_err(KeyError::from)?.letter_bytes_max).unwrap_or(usize::MAX);
    let transaction = desk.database.begin()?;
    let mut office = desk.office(Service::Export)?;
    let body = body(application, records);
    let bytes = measured(&office, &body)?;
    if bytes > most {
        drop((office, transaction));
        if let [(_, only)] = records {
            // It keeps none of those behind it at home.
            exported.too_large.push(TooLarge { numero: only.numero, bytes, most });
            return Ok(());
        }
        let (first, second) = records.split_at(records.len() / 2);
        pack(desk, application, first, exported)?;
        return pack(desk, application, second, exported);
    }
    let rows = rows(&body);
    let packed = office.pack(body)?;
    for (table, row, numero) in rows {
        let statement = "INSERT INTO packed (sequence, table_name, row, numero) VALUES (?1, ?2, ?3, ?4)";
        let sequence = i64::try_from(packed.sequence).unwrap_or(i64::MAX);
        desk.database.change(statement, params![sequence, table, row, numero])?;
        let statement = "UPDATE records SET status = 3, sequence = ?2 WHERE numero = ?1";
        desk.database.change(statement, params![numero, sequence])?;
    }
    drop(office);
    transaction.commit().map_err(DatabaseError::from)?;
    let numeros = records.iter().map(|(_, record)| record.numero).collect();
    exported.letters.push(Letters { sequence: packed.sequence, records: numeros, bytes: packed.document.len() });
    Ok(())
}

/// Returns the bytes of the document that records would make.
fn measured(office: &Office<DatabaseRegister<'_>>, body: &Records) -> Result<usize, PackError> {
    let centre = office.centre();
    let letter = Letter {
        sdc: FORMAT_VERSION,
        id: Uuid::now_v7(),
        from: sdc::letter::Office { agency: office.matricule(), installation: office.installation().to_owned() },
        to: centre.name.clone(),
        sequence: SEQUENCE_MAX,
        time: Utc::now(),
        mode: centre.mode,
        seen: Some(SEQUENCE_MAX),
        request: Request::Export(body.clone()),
    };
    Ok(office.seal(&letter)?.document.len())
}

/// Makes the body of an export: per table the columns that any of its records has, and the values by column.
fn body(application: &str, records: &[(Table, Record)]) -> Records {
    let mut tables: Vec<(&Table, Vec<&Record>)> = Vec::new();
    for (table, record) in records {
        match tables.iter_mut().find(|(known, _)| known.definition.table == table.definition.table) {
            Some((_, of_table)) => of_table.push(record),
            None => tables.push((table, vec![record])),
        }
    }
    let tables = tables.into_iter().map(|(table, records)| {
        let is_filled = |name: &str| records.iter().any(|record| record.columns.contains_key(name));
        let filled: Vec<&str> =
            table.columns.iter().map(|column| column.name.as_str()).filter(|name| is_filled(name)).collect();
        let mut values = vec![
            records.iter().map(|record| Value::from(record.numero)).collect::<Vec<_>>(),
            records.iter().map(|_| Value::from(Status::Validated.number())).collect(),
        ];
        values.extend(filled.iter().map(|name| {
            records.iter().map(|record| record.columns.get(*name).cloned().unwrap_or(Value::Null)).collect::<Vec<_>>()
        }));
        let columns = ["Numero", "Status"].into_iter().chain(filled).map(str::to_owned).collect();
        TableRecords { table: table.definition.table.clone(), columns, values }
    });
    Records { application: application.to_owned(), tables: tables.collect() }
}

/// Returns table, row from 1 and number of every record in a body.
fn rows(body: &Records) -> Vec<(String, i64, i64)> {
    let of_table = |table: &TableRecords| {
        let numeros = table.values.first().into_iter().flatten().filter_map(Value::as_i64);
        (1..).zip(numeros).map(|(row, numero)| (table.table.clone(), row, numero)).collect::<Vec<_>>()
    };
    body.tables.iter().flat_map(of_table).collect()
}
