//! Reads a file of agencies. What a row says is judged here as far as it can be without the database: its values, its certificates with
//! their fingerprints, and whether an earlier row says something else about the same agency or key.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sdc::digest::Digest;
use sdc::keys::RegisteredCertificate;
use sdc::letter::Matricule;
use sdc::names::same;

use super::columns::{Column, EMPTIES, SEPARATOR, known};
use crate::agencies::change::{AgencyChange, check};
use crate::agencies::values::{check_installation, check_status};
use crate::certificates::certificate::{CertificateFields, plain_hex};
use crate::error::{AdministrationError, ImportError, InvalidValue, KeyName};
use crate::spreadsheet::{self, Encoding, SheetRow};

const PEM_BEGINS: &str = "-----BEGIN CERTIFICATE-----";
const PEM_ENDS: &str = "-----END CERTIFICATE-----";

/// What a row says that its agency is to have. A member that is absent stays as it is.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub(super) matricule: Matricule,
    pub(super) data: AgencyChange,
    pub(super) status: Option<i16>,
    pub(super) balance: Option<i64>,
    pub(super) installations: Vec<String>,
    pub(super) certificates: Vec<CertificateFields>,
    /// Codes by the name of their scope column, as the file writes it.
    pub(super) scopes: Vec<(String, Vec<String>)>,
}

/// A row of a file of agencies.
#[derive(Clone, Debug)]
pub struct Row {
    pub(super) line: u64,
    pub(super) agency: Option<Matricule>,
    pub(super) wanted: Result<Wanted, Arc<AdministrationError>>,
}

/// A file of agencies that was read.
#[derive(Clone, Debug)]
pub struct ImportFile {
    columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    encoding: Encoding,
    digest: String,
}

impl ImportFile {
    /// Reads a file. `currency_digits` is the number of digits of the currency's minor unit.
    ///
    /// # Errors
    /// [`ImportError::Columns`] and [`ImportError::Empty`]. A row that is wrong is no error of the file.
    pub fn parse(octets: &[u8], currency_digits: i16) -> Result<ImportFile, AdministrationError> {
        let (encoding, sheet) = spreadsheet::read(octets);
        let (head, body) = sheet.split_first().ok_or(ImportError::Empty)?;
        let columns = columns(&head.cells)?;
        if body.is_empty() || !columns.contains(&Column::Matricule) {
            return Err(ImportError::Empty.into());
        }
        let mut earlier = Earlier::default();
        let rows = body
            .iter()
            .map(|row| {
                let agency = matricule(&columns, row).ok();
                let wanted = wanted(&columns, row, currency_digits).and_then(|wanted| {
                    earlier.admit(row.line, &wanted)?;
                    Ok(wanted)
                });
                Row { line: row.line, agency, wanted: wanted.map_err(Arc::new) }
            })
            .collect();
        Ok(ImportFile { columns, rows, encoding, digest: Digest::of(octets).to_string() })
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Returns how the file's characters are written.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Returns the file's SHA-256, in hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub(super) fn has(&self, column: &Column) -> bool {
        self.columns.contains(column)
    }
}

fn columns(names: &[String]) -> Result<Vec<Column>, ImportError> {
    let mut columns: Vec<Column> = Vec::with_capacity(names.len());
    let mut unknown = Vec::new();
    for name in names {
        match Column::named(name).filter(|column| columns.iter().all(|other| !is_same(other, column))) {
            Some(column) => columns.push(column),
            None => unknown.push(name.clone()),
        }
    }
    if unknown.is_empty() { Ok(columns) } else { Err(ImportError::Columns { unknown, known: known() }) }
}

fn is_same(one: &Column, other: &Column) -> bool {
    match (one, other) {
        (Column::Scope(one), Column::Scope(other)) => same(one, other),
        _ => one == other,
    }
}

fn matricule(columns: &[Column], row: &SheetRow) -> Result<Matricule, ImportError> {
    let cells = columns.iter().zip(&row.cells);
    let found = cells.filter(|(column, _)| **column == Column::Matricule).map(|(_, cell)| cell.as_str()).next();
    let found = found.unwrap_or_default();
    let number = found.parse::<u32>().ok().and_then(|number| Matricule::try_from(number).ok());
    number.ok_or_else(|| ImportError::Matricule { found: found.to_owned() })
}

/// Reads a row.
fn wanted(columns: &[Column], row: &SheetRow, currency_digits: i16) -> Result<Wanted, AdministrationError> {
    if row.cells.len() != columns.len() {
        return Err(ImportError::Cells { expected: columns.len(), found: row.cells.len() }.into());
    }
    let matricule = matricule(columns, row)?;
    let mut wanted = Wanted {
        matricule,
        data: AgencyChange::default(),
        status: None,
        balance: None,
        installations: Vec::new(),
        certificates: Vec::new(),
        scopes: Vec::new(),
    };
    let mut fingerprints = Vec::new();
    for (column, cell) in columns.iter().zip(&row.cells).filter(|(_, cell)| !cell.is_empty()) {
        let text = || Some(if cell == EMPTIES { String::new() } else { cell.clone() });
        let amount = |column: &Column| amount(column.name(), cell, currency_digits).map(Some);
        match column {
            Column::Matricule => {}
            Column::Name => wanted.data.name = Some(cell.clone()),
            Column::Town => wanted.data.town = text(),
            Column::Area => wanted.data.area = text(),
            Column::Telephone => wanted.data.telephone = text(),
            Column::Email => wanted.data.email = text(),
            Column::Plan => wanted.data.plan = Some(cell.clone()),
            Column::Status => wanted.status = Some(cell.parse().map_err(|_no_number| InvalidValue::Status)?),
            Column::CreditLimit => wanted.data.credit_limit = amount(column)?,
            Column::LetterLimit => {
                wanted.data.letter_bytes_max = Some(cell.parse().map_err(|_no_number| InvalidValue::LetterLimit)?);
            }
            Column::Cbc => wanted.data.cbc_allowed = Some(yes_or_no(column.name(), cell)?),
            Column::Balance => wanted.balance = amount(column)?,
            Column::Installation => wanted.installations = parts(cell),
            Column::Certificate => wanted.certificates = certificates(cell)?,
            Column::Fingerprint => fingerprints = cell.split_whitespace().map(plain_hex).collect(),
            Column::Scope(name) => wanted.scopes.push((name.clone(), parts(cell))),
        }
    }
    check_values(&wanted)?;
    confirm(matricule, &wanted.certificates, &fingerprints)?;
    Ok(wanted)
}

fn check_values(wanted: &Wanted) -> Result<(), AdministrationError> {
    if wanted.data != AgencyChange::default() {
        check(&wanted.data)?;
    }
    wanted.status.map_or(Ok(()), check_status)?;
    wanted.installations.iter().try_for_each(|name| check_installation(name))
}

/// Fails if a fingerprint is missing or is another certificate's. Fingerprints come from the offices, over another channel than the
/// certificates, so they are never computed here.
fn confirm(
    agency: Matricule,
    certificates: &[CertificateFields],
    fingerprints: &[String],
) -> Result<(), AdministrationError> {
    if certificates.len() != fingerprints.len() {
        let (certificates, fingerprints) = (certificates.len(), fingerprints.len());
        return Err(ImportError::Fingerprints { certificates, fingerprints }.into());
    }
    let is_confirmed = |(one, told): (&CertificateFields, &String)| hex::encode(&one.fingerprint) == *told;
    if certificates.iter().zip(fingerprints).all(is_confirmed) {
        return Ok(());
    }
    Err(AdministrationError::FingerprintMismatch { agency })
}

fn parts(cell: &str) -> Vec<String> {
    cell.split(SEPARATOR).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn yes_or_no(column: &'static str, cell: &str) -> Result<bool, ImportError> {
    match cell.to_lowercase().as_str() {
        "yes" | "oui" | "true" | "1" => Ok(true),
        "no" | "non" | "false" | "0" => Ok(false),
        _ => Err(ImportError::YesOrNo { column, found: cell.to_owned() }),
    }
}

/// Reads an amount in the main unit, such as `-3.50` or `-3,50`, and returns it in minor units. Blanks between digits are allowed, as
/// spreadsheets write them.
fn amount(column: &'static str, cell: &str, digits: i16) -> Result<i64, ImportError> {
    let wrong = || ImportError::Amount { column, found: cell.to_owned() };
    let written: String = cell.chars().filter(|c| !c.is_whitespace()).collect();
    let (sign, unsigned) = written.strip_prefix('-').map_or((1, written.as_str()), |rest| (-1, rest));
    let (whole, fraction) = unsigned.split_once(['.', ',']).unwrap_or((unsigned, ""));
    let digits = usize::try_from(digits).unwrap_or_default();
    let is_number = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
    if whole.is_empty() || fraction.len() > digits || !is_number(whole) || !is_number(fraction) {
        return Err(wrong());
    }
    let minor_units: i64 = format!("{whole}{fraction:0<digits$}").parse().map_err(|_too_large| wrong())?;
    Ok(sign * minor_units)
}

/// Reads the certificates of a cell, each as PEM or as the base64 of its DER.
fn certificates(cell: &str) -> Result<Vec<CertificateFields>, ImportError> {
    let unreadable = || ImportError::Certificate { reason: String::new() };
    let mut ders = Vec::new();
    let mut rest = cell;
    while let Some((before, pem)) = rest.split_once(PEM_BEGINS) {
        let (body, after) = pem.split_once(PEM_ENDS).ok_or_else(unreadable)?;
        ders.extend(before.split_whitespace().map(str::to_owned));
        ders.push(body.split_whitespace().collect());
        rest = after;
    }
    ders.extend(rest.split_whitespace().map(str::to_owned));
    let read = |text: &String| {
        let der = STANDARD.decode(text).map_err(|_no_base64| unreadable())?;
        let certificate = RegisteredCertificate::from_der(&der)
            .map_err(|error| ImportError::Certificate { reason: error.to_string() })?;
        Ok(CertificateFields::from(&certificate))
    };
    ders.iter().map(read).collect()
}

/// What the rows before have said: their agencies, and the keys of their certificates with the names by which letters find them.
#[derive(Default)]
struct Earlier {
    lines: BTreeMap<Matricule, u64>,
    keys: BTreeMap<Vec<u8>, Matricule>,
    key_ids: BTreeMap<Vec<u8>, Vec<u8>>,
    serials: BTreeMap<(Vec<u8>, Vec<u8>), Vec<u8>>,
}

impl Earlier {
    /// Takes a row in, or fails if an earlier row contradicts it.
    fn admit(&mut self, line: u64, wanted: &Wanted) -> Result<(), AdministrationError> {
        let agency = wanted.matricule;
        if let Some(line) = self.lines.get(&agency) {
            return Err(ImportError::Twice { line: *line }.into());
        }
        self.lines.insert(agency, line);
        for one in &wanted.certificates {
            let owner = *self.keys.entry(one.spki_sha256.clone()).or_insert(agency);
            if owner != agency {
                return Err(AdministrationError::KeyOfAnotherAgency { owner, agency });
            }
            let by_key_id = self.key_ids.entry(one.key_id.clone()).or_insert_with(|| one.spki_sha256.clone());
            let serial = (one.issuer.clone(), one.serial.clone());
            let by_serial = self.serials.entry(serial).or_insert_with(|| one.spki_sha256.clone());
            for (key, name) in [(by_key_id, KeyName::KeyId), (by_serial, KeyName::IssuerSerial)] {
                if *key != one.spki_sha256 {
                    let owner = self.keys.get(key).copied().unwrap_or(agency);
                    return Err(AdministrationError::KeyNameTaken { name, owner });
                }
            }
        }
        Ok(())
    }
}
