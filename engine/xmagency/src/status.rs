//! The state of the office at a glance: what waits, since when, what was refused and why, and what to do.

use chrono::{DateTime, Utc};
use sdc::answer::receipt::Verdict;
use serde::Serialize;

use crate::database::DatabaseError;
use crate::desk::{Desk, KeyError};
use crate::letters::Letter;
use crate::records::Status;
use crate::settings::Setting;
use crate::transmit::Traffic;

/// Letters of which `status` tells.
const LETTERS_MAX: u32 = 10_000;

/// The state of an office.
#[derive(Debug, Serialize)]
pub struct Overview {
    /// The agency's number.
    pub matricule: sdc::letter::Matricule,
    /// Name of the installation.
    pub installation: String,
    /// The centre's name.
    pub centre: String,
    /// The centre's telephone; empty where the kit names none.
    pub telephone: String,
    /// Whether this is a rehearsal.
    pub mode: sdc::letter::Mode,
    /// Who asks.
    pub user: String,
    /// Last moment of the certificate; none while the office is not enrolled.
    pub certificate_ends: Option<DateTime<Utc>>,
    /// How many tables are known.
    pub tables: usize,
    /// Number of records by status.
    pub records: Vec<Counted>,
    /// Letters that were never carried.
    pub unsent: Vec<Letter>,
    /// Letters that were carried and have no answer.
    pub unanswered: Vec<Letter>,
    /// Letters about which the centre has not decided.
    pub held: Vec<Letter>,
    /// Refused letters of which records still wait for somebody.
    pub refused: Vec<Letter>,
    /// When letters were last carried, RFC 3339.
    pub carried_at: Option<String>,
    /// The account after the newest receipt, as it says.
    pub balance: Option<i64>,
    /// Currency of the balance.
    pub currency: Option<String>,
    /// The office's clock less the centre's, in seconds, as the newest receipt says.
    pub skew_seconds: Option<i64>,
    /// Bytes by month.
    pub traffic: Vec<Traffic>,
}

/// Records with one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The status.
    pub status: Status,
    /// How many records have it.
    pub count: u64,
}

/// Reads the state of the office.
///
/// # Errors
/// The database cannot be read; the kit or a key cannot be used.
pub fn overview(desk: &Desk) -> Result<Overview, KeyError> {
    let database = &desk.database;
    let kit = database.kit()?;
    let letters = database.letters(None, LETTERS_MAX)?;
    let newest = letters.iter().find_map(|letter| letter.receipt.as_ref());
    let is_of = |verdict: Option<Verdict>, is_sent: bool| {
        let fits = move |letter: &&Letter| letter.verdict == verdict && letter.sent_at.is_some() == is_sent;
        letters.iter().filter(fits).cloned().collect::<Vec<_>>()
    };
    let refused: Vec<i64> = database.list(
        "SELECT DISTINCT l.sequence FROM letters l JOIN packed p USING (sequence) JOIN records r USING (numero)
          WHERE l.verdict = 'refused' AND r.status IN (1, 2, 3) AND coalesce(r.sequence, l.sequence) = l.sequence",
        [],
        |row| row.get(0),
    )?;
    Ok(Overview {
        matricule: kit.matricule,
        installation: database.required(Setting::Installation)?,
        centre: kit.centre.name,
        telephone: kit.centre.telephone,
        mode: kit.mode,
        user: desk.person.name.clone(),
        certificate_ends: database.identity("current")?.map(|identity| identity.certificate().validity().1),
        tables: database.tables()?.len(),
        records: counted(desk)?,
        unsent: is_of(None, false),
        unanswered: is_of(None, true),
        held: is_of(Some(Verdict::Held), true),
        refused: letters.iter().filter(|letter| refused.contains(&letter.sequence)).cloned().collect(),
        carried_at: database.setting(Setting::CarriedAt)?,
        balance: newest.map(|receipt| receipt.account.balance),
        currency: newest.map(|receipt| receipt.account.currency.clone()),
        skew_seconds: newest.and_then(|receipt| receipt.skew_seconds),
        traffic: database.traffic()?,
    })
}

fn counted(desk: &Desk) -> Result<Vec<Counted>, DatabaseError> {
    let statement = "SELECT status, count(*) FROM records GROUP BY status";
    let found: Vec<(u8, i64)> = desk.database.list(statement, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let count =
        |status: Status| found.iter().find(|(number, _)| *number == status.number()).map_or(0, |(_, count)| *count);
    Ok(Status::ALL.iter().map(|status| Counted { status: *status, count: count(*status).unsigned_abs() }).collect())
}
