//! The content of an office's letter: sender, addressee, sequence number and request. Module `answer` has the centre's letters.
//!
//! These types are the JSON of FORMAT.md, Payload. Unknown and repeated members are refused, because one reader might ignore a member that
//! another reader uses, and they would disagree about what was signed.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::request::Request;

/// The format version that this crate writes. The crate reads this version and, where there is one, the version before it, so that offices
/// and centre need not be upgraded on the same day.
pub const FORMAT_VERSION: u16 = 1;

/// An agency's number, shown with six digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
#[cfg_attr(feature = "diesel", derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow))]
#[cfg_attr(feature = "diesel", diesel(sql_type = diesel::sql_types::Integer))]
pub struct Matricule(u32);

/// Error: a matricule is outside 1 to 999 999.
#[derive(Debug, thiserror::Error)]
#[error("matricule {0} is outside 1 to 999999")]
pub struct MatriculeOutOfRange(pub u32);

impl TryFrom<u32> for Matricule {
    type Error = MatriculeOutOfRange;

    fn try_from(number: u32) -> Result<Matricule, MatriculeOutOfRange> {
        if (1..=999_999).contains(&number) { Ok(Matricule(number)) } else { Err(MatriculeOutOfRange(number)) }
    }
}

impl From<Matricule> for u32 {
    fn from(matricule: Matricule) -> u32 {
        matricule.0
    }
}

impl Matricule {
    /// Returns the number as a value of PostgreSQL's type `integer`.
    pub fn as_i32(self) -> i32 {
        // A matricule is at most 999 999 by construction.
        i32::try_from(self.0).unwrap_or(i32::MAX)
    }
}

impl fmt::Display for Matricule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl fmt::Debug for Matricule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One set-up of an office program, identified by its agency and by the name that it got at its enrolment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Office {
    /// The agency.
    pub agency: Matricule,
    /// The installation's name: 1 to 32 of `a-z 0-9 -`, not beginning with `-`.
    pub installation: String,
}

/// Whether a letter is a rehearsal or is meant to take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The letter is a rehearsal.
    Test,
    /// The letter is meant to take effect.
    Live,
}

impl Mode {
    /// Returns `test` or `live`.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Test => "test",
            Mode::Live => "live",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A letter from an office to the centre. Module `payload` reads and writes it, and is stricter than serde.
#[derive(Clone, PartialEq)]
pub struct Letter {
    /// Format version.
    pub sdc: u16,
    /// UUIDv7 made by the sender, the same in every resend.
    pub id: Uuid,
    /// The sender.
    pub from: Office,
    /// Name of the server that the letter is addressed to.
    pub to: String,
    /// Sequence number of the letter within its installation, from 1.
    pub sequence: u64,
    /// Moment at which the letter was packed, by the office's clock. A letter is never refused for a wrong time.
    pub time: DateTime<Utc>,
    /// Whether the letter is a rehearsal or is meant to take effect.
    pub mode: Mode,
    /// The installation has verified every notice up to this number, so the centre need not send these notices any more; absent where the
    /// letter does not say.
    pub seen: Option<u64>,
    /// The request of the letter.
    pub request: Request,
}

// `Debug` shows no content, because names of people must not reach a log.
impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter")
            .field("id", &self.id)
            .field("from", &self.from)
            .field("to", &self.to)
            .field("sequence", &self.sequence)
            .field("mode", &self.mode)
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
