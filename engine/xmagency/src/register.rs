//! The register of the pure office in the database. What it does belongs to the transaction that is open, so that a letter, its number and
//! the state of its records are on the disk together or not at all.

use std::collections::BTreeSet;

use agency::packed::Packed;
use agency::register::{Register, RegisterError, Sent};
use rusqlite::params;
use sdc::answer::receipt::Verdict;
use sdc::digest::Digest;

use crate::database::{Database, DatabaseError};
use crate::settings::Setting;

/// The register of one office. `by` is who packs letters now, and `at` when.
pub struct DatabaseRegister<'a> {
    /// The office's database.
    pub database: &'a Database,
    /// Name of the user.
    pub by: String,
    /// Service of the letter that is packed.
    pub service: &'static str,
    /// Time of the office's clock, RFC 3339.
    pub at: String,
}

impl From<DatabaseError> for RegisterError {
    fn from(error: DatabaseError) -> RegisterError {
        RegisterError::new(error)
    }
}

/// Returns the verdict as the database has it.
pub fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "accepted",
        Verdict::Refused => "refused",
        Verdict::Held => "held",
    }
}

/// Reads the verdict as the database has it.
pub fn verdict_named(name: &str) -> Option<Verdict> {
    match name {
        "accepted" => Some(Verdict::Accepted),
        "refused" => Some(Verdict::Refused),
        "held" => Some(Verdict::Held),
        _ => None,
    }
}

impl Register for DatabaseRegister<'_> {
    fn next_sequence(&mut self) -> Result<u64, RegisterError> {
        let known = self.database.setting(Setting::NextSequence)?.unwrap_or_else(|| "1".to_owned());
        let sequence: u64 = known.parse().map_err(RegisterError::new)?;
        self.database.set(Setting::NextSequence, &(sequence + 1).to_string())?;
        Ok(sequence)
    }

    fn remember(&mut self, packed: &Packed) -> Result<(), RegisterError> {
        let statement = "INSERT INTO letters (sequence, letter_id, digest, service, document, made_at, made_by)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let sequence = i64::try_from(packed.sequence).map_err(RegisterError::new)?;
        let (id, digest) = (packed.letter_id.to_string(), packed.digest.to_string());
        self.database
            .change(statement, params![sequence, id, digest, self.service, packed.document, self.at, self.by])?;
        Ok(())
    }

    fn find_sent(&mut self, digest: &str) -> Result<Option<Sent>, RegisterError> {
        type Row = (i64, String, String, Option<u32>, Option<u16>, Option<String>);
        let statement = "SELECT sequence, letter_id, digest, epoch, attempt, verdict FROM letters WHERE digest = ?1";
        let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Row> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        };
        let Some((sequence, id, digest, epoch, attempt, verdict)) = self.database.find(statement, [digest], read)?
        else {
            return Ok(None);
        };
        let parts = self.database.list("SELECT part FROM parts WHERE sequence = ?1", [sequence], |row| row.get(0))?;
        let digest = Digest::parse(&digest).ok_or_else(|| RegisterError::new("a letter's digest is damaged"))?;
        Ok(Some(Sent {
            digest,
            letter_id: id.parse().map_err(RegisterError::new)?,
            sequence: sequence.unsigned_abs(),
            answered: epoch.zip(attempt),
            verdict: verdict.as_deref().and_then(verdict_named),
            parts: parts.into_iter().collect::<BTreeSet<u16>>(),
        }))
    }

    fn mark(&mut self, sent: &Sent) -> Result<(), RegisterError> {
        let sequence = i64::try_from(sent.sequence).map_err(RegisterError::new)?;
        let (epoch, attempt) = sent.answered.unzip();
        let verdict = sent.verdict.map(verdict_name);
        let statement = "UPDATE letters SET epoch = ?2, attempt = ?3, verdict = ?4 WHERE sequence = ?1";
        self.database.change(statement, params![sequence, epoch, attempt, verdict])?;
        let known: Vec<u16> =
            self.database.list("SELECT part FROM parts WHERE sequence = ?1", [sequence], |row| row.get(0))?;
        for gone in known.iter().filter(|part| !sent.parts.contains(part)) {
            self.database.change("DELETE FROM parts WHERE sequence = ?1 AND part = ?2", params![sequence, gone])?;
        }
        for part in &sent.parts {
            let statement = "INSERT INTO parts (sequence, part) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            self.database.change(statement, params![sequence, part])?;
        }
        Ok(())
    }

    fn seen(&mut self) -> Result<u64, RegisterError> {
        // The first number behind which one is missing; numbers begin with 1.
        let statement = "SELECT count(*) FROM notices n
                          WHERE n.number <= (SELECT coalesce(min(m.number), 0) FROM notices m
                                              WHERE NOT EXISTS (SELECT 1 FROM notices x WHERE x.number = m.number + 1)
                                                AND EXISTS (SELECT 1 FROM notices f WHERE f.number = 1))";
        let seen = self.database.find(statement, [], |row| row.get::<_, i64>(0))?;
        Ok(seen.unwrap_or(0).unsigned_abs())
    }

    fn note(&mut self, number: u64) -> Result<bool, RegisterError> {
        let number = i64::try_from(number).map_err(RegisterError::new)?;
        let statement = "INSERT INTO notices (number, kind, content, written_at, arrived_at)
                         VALUES (?1, '', '', '', ?2) ON CONFLICT DO NOTHING";
        Ok(self.database.change(statement, params![number, self.at])? == 1)
    }

    fn pinned(&mut self) -> Result<Vec<Vec<u8>>, RegisterError> {
        Ok(self.database.list("SELECT der FROM centre_certificates", [], |row| row.get(0))?)
    }

    fn pin(&mut self, certificate: &[u8]) -> Result<(), RegisterError> {
        let statement = "INSERT INTO centre_certificates VALUES (?1) ON CONFLICT DO NOTHING";
        self.database.change(statement, [certificate])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::DatabaseKey;

    fn with_register(look: impl FnOnce(&mut DatabaseRegister<'_>)) {
        let place = tempfile::tempdir().unwrap();
        let database = Database::open(place.path(), &DatabaseKey::generate().unwrap()).unwrap();
        let at = "2026-12-01T08:00:00Z".to_owned();
        look(&mut DatabaseRegister { database: &database, by: "awa".to_owned(), service: "export", at });
    }

    #[test]
    fn numbers_are_given_once_and_notices_are_seen_up_to_the_first_gap() {
        with_register(|register| {
            assert_eq!([(); 3].map(|()| register.next_sequence().unwrap()), [1, 2, 3]);
            let mut told = |number| (register.note(number).unwrap(), register.seen().unwrap());
            assert_eq!(told(2), (true, 0), "the first is missing");
            assert_eq!(told(1), (true, 2));
            assert_eq!(told(1), (false, 2));
            assert_eq!(told(4), (true, 2));
            assert_eq!(told(3), (true, 4));
            assert!(register.find_sent(&Digest::of(b"x").to_string()).unwrap().is_none());
            register.pin(b"der").unwrap();
            register.pin(b"der").unwrap();
            assert_eq!(register.pinned().unwrap(), [b"der".to_vec()]);
        });
    }
}
