//! What an import and a certification both need: the database where rows are staged, the limits for one letter, and the ways in which a
//! reading fails.

use std::time::Duration;

use sdc::refusal::{Refusal, RefusalCode};
use store::database::Database;
use store::database::fault::Fault;

use crate::unreadable::Unreadable;

/// Limits on what one letter may read.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// Maximum number of records in one answer.
    pub rows_max: u64,
    /// Maximum number of bytes of the answer's containers together.
    pub bytes_max: u64,
    /// Maximum number of parts of one answer.
    pub parts_max: u16,
    /// Longest duration of one SQL statement.
    pub statement_max: Duration,
    /// Longest duration of the whole reading.
    pub time_max: Duration,
}

impl Default for ReadLimits {
    fn default() -> ReadLimits {
        ReadLimits {
            rows_max: 2_000_000,
            bytes_max: 1 << 30,
            parts_max: 10_000,
            statement_max: Duration::from_secs(30),
            time_max: Duration::from_secs(600),
        }
    }
}

/// The database where rows are staged, and the limits of a reading.
pub struct Place {
    /// The store under its main login.
    pub store: Database,
    /// Limits on what one letter may read.
    pub limits: ReadLimits,
}

impl Place {
    /// Makes the refusal of an answer that exceeds a limit, with the limit's name and value.
    pub fn too_large(&self, limit: &str, most: u64) -> Refusal {
        Refusal::new(RefusalCode::ReadTooLarge).with("limit", limit).with("expected", most)
    }
}

/// Why a reading gives no answer.
pub enum NotRead {
    /// The letter is wrong, so it is refused.
    Refused(Refusal),
    /// The database or its host failed, so the letter is tried again.
    Fault(Fault),
}

impl From<Fault> for NotRead {
    fn from(fault: Fault) -> NotRead {
        NotRead::Fault(fault)
    }
}

impl From<Refusal> for NotRead {
    fn from(refusal: Refusal) -> NotRead {
        NotRead::Refused(refusal)
    }
}

impl From<Unreadable> for NotRead {
    fn from(unreadable: Unreadable) -> NotRead {
        NotRead::Refused(unreadable.into())
    }
}
