//! The office's letters: packed, carried, and settled by the centre's verified answers.

mod correction;
mod export;
mod imported;
mod meanwhile;
mod settle;

use agency::office::{AnswerError, PackError};
use agency::packed::Packed;
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::params;
use sdc::answer::receipt::{Receipt, Verdict};
use sdc::request::{Enrol, Request};
use serde::Serialize;

use crate::database::{Database, DatabaseError};
use crate::desk::{Desk, KeyError};
use crate::register::verdict_named;

pub use correction::{Correcting, correct};
pub use export::{ExportError, Exported, TooLarge, export};
pub use settle::{News, take};

/// How long a letter waits for its answer before the same document is sent again: an hour (FORMAT.md, Sent again).
const PATIENCE: TimeDelta = TimeDelta::hours(1);

/// How often an enrolment is carried at most: the centre answers none with a wrong code, and locks a code after five of those.
const ENROLMENT_SENDS_MAX: u32 = 3;

/// A letter could not be made, or an answer could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// The letter could not be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The document is no answer to this office.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The office's key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl LetterError {
    /// Says whether the document itself is why it was not taken. Where the database cannot be used, or what is in it is damaged, nothing is
    /// proven against the document, and it is to be taken later.
    pub fn is_of_document(&self) -> bool {
        match self {
            LetterError::Answer(error) => !matches!(error, AnswerError::Register(_)),
            LetterError::Key(error) => matches!(error, KeyError::OtherKey),
            LetterError::Pack(_) | LetterError::Database(_) => false,
        }
    }
}

/// A letter, as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct Letter {
    /// Its number within the installation.
    pub sequence: i64,
    /// Its id, a UUIDv7.
    pub id: String,
    /// The service that it asks for.
    pub service: String,
    /// Bytes of the document.
    pub bytes: i64,
    /// When it was packed, RFC 3339.
    pub made_at: String,
    /// Who packed it.
    pub made_by: String,
    /// When it was carried last, RFC 3339; none while it was not.
    pub sent_at: Option<String>,
    /// How often it was carried.
    pub sends: u32,
    /// The verdict of the highest receipt; none while there is none.
    pub verdict: Option<Verdict>,
    /// The highest receipt.
    pub receipt: Option<Receipt>,
}

/// A letter to be carried.
#[derive(Clone, Debug)]
pub struct Due {
    /// Its number within the installation.
    pub sequence: i64,
    /// Its id in 32 digits, which names its mail and its file.
    pub name: String,
    /// The service that it asks for.
    pub service: String,
    /// The document, octet for octet as it was sealed.
    pub document: Vec<u8>,
}

fn letter(row: &rusqlite::Row<'_>) -> rusqlite::Result<Letter> {
    let (verdict, receipt): (Option<String>, Option<String>) = (row.get(8)?, row.get(9)?);
    Ok(Letter {
        sequence: row.get(0)?,
        id: row.get(1)?,
        service: row.get(2)?,
        bytes: row.get(3)?,
        made_at: row.get(4)?,
        made_by: row.get(5)?,
        sent_at: row.get(6)?,
        sends: row.get(7)?,
        verdict: verdict.as_deref().and_then(verdict_named),
        receipt: receipt.and_then(|text| serde_json::from_str(&text).ok()),
    })
}

impl Database {
    /// Lists letters, newest first; `only` keeps those of one number.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn letters(&self, only: Option<i64>, limit: u32) -> Result<Vec<Letter>, DatabaseError> {
        let statement =
            "SELECT sequence, letter_id, service, length(document), made_at, made_by, sent_at, sends, verdict, receipt
                           FROM letters WHERE ?1 IS NULL OR sequence = ?1 ORDER BY sequence DESC LIMIT ?2";
        self.list(statement, params![only, limit], letter)
    }

    /// Lists what answers to a letter brought beside their receipts, by part.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn parts(&self, sequence: i64) -> Result<Vec<serde_json::Value>, DatabaseError> {
        let statement = "SELECT body FROM parts WHERE sequence = ?1 AND body IS NOT NULL ORDER BY part";
        let texts = self.list(statement, [sequence], |row| row.get::<_, String>(0))?;
        Ok(texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
    }

    /// Lists the letters that are to be carried now, in their order: those never carried, those that have had no answer for an hour, and
    /// those that the centre has lost and asked for. Until the centre knows the office, only the enrolment is: the newest one, three times
    /// at most, since each with a mistyped code counts against the right one at the centre.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn due(&self, now: DateTime<Utc>) -> Result<Vec<Due>, DatabaseError> {
        let before = (now - PATIENCE).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        // A clock that was put back must not keep a letter at home: what was carried in the future is due.
        let now = now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let statement = "SELECT sequence, replace(letter_id, '-', ''), service, document FROM letters
                          WHERE (sent_at IS NULL OR (verdict IS NULL AND (sent_at <= ?1 OR sent_at > ?2)))
                            AND CASE service WHEN 'enrol'
                                THEN sequence = (SELECT max(sequence) FROM letters WHERE service = 'enrol')
                                     AND (verdict IS NOT NULL OR sends < ?3)
                                ELSE EXISTS (SELECT 1 FROM keys WHERE state = 'current') END
                          ORDER BY sequence";
        self.list(statement, params![before, now, ENROLMENT_SENDS_MAX], |row| {
            Ok(Due { sequence: row.get(0)?, name: row.get(1)?, service: row.get(2)?, document: row.get(3)? })
        })
    }

    /// Notes that a letter was carried.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn note_sent(&self, sequence: i64, at: &str) -> Result<(), DatabaseError> {
        let statement = "UPDATE letters SET sent_at = ?2, sends = sends + 1 WHERE sequence = ?1";
        self.change(statement, params![sequence, at]).map(drop)
    }

    /// Returns the enrolment that waits for its answer, the newest of several; another one withdraws it.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn pending_enrolment(&self) -> Result<Option<i64>, DatabaseError> {
        let statement = "SELECT max(sequence) FROM letters WHERE service = 'enrol' AND verdict IS NULL";
        Ok(self.find(statement, [], |row| row.get(0))?.flatten())
    }

    /// Returns how many letters have been carried and not been answered. Enrolments that were withdrawn by another one await nothing.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn awaited(&self) -> Result<u32, DatabaseError> {
        let statement = "SELECT count(*) FROM letters l WHERE verdict IS NULL AND sent_at IS NOT NULL
                            AND NOT (service = 'enrol' AND EXISTS (SELECT 1 FROM letters later
                                                                    WHERE later.service = 'enrol' AND later.sequence > l.sequence))";
        Ok(self.find(statement, [], |row| row.get(0))?.unwrap_or(0))
    }
}

/// Packs a request of any service into the next letter. The letter is on the disk when this returns.
///
/// # Errors
/// The office is not enrolled; the centre could not read the request; the database cannot be written.
pub fn ask(desk: &Desk, request: Request) -> Result<Packed, LetterError> {
    let transaction = desk.database.begin()?;
    let packed = desk.office(request.service())?.ask(request)?;
    transaction.commit().map_err(DatabaseError::from)?;
    Ok(packed)
}

/// Packs the letter that enrols this installation.
///
/// # Errors
/// The centre knows the office already; the database cannot be written.
pub fn enrol(desk: &Desk, code: sdc::request::EnrolmentCode) -> Result<Packed, LetterError> {
    if desk.database.identity("current")?.is_some() {
        return Err(KeyError::Enrolled.into());
    }
    let made = desk.database.identity("made")?.ok_or(KeyError::NotEnrolled)?;
    let certificate = made.certificate().der().to_vec();
    ask(desk, Request::Enrol(Enrol { code, certificate }))
}

#[cfg(test)]
mod tests;
