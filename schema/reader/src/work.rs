//! What reading works with: where what is read is staged, how much one letter may have read, and why nothing was read.

use std::time::Duration;

use sdc::refusal::{Refusal, RefusalCode};
use store::database::Database;
use store::database::fault::Fault;

use crate::unreadable::Unreadable;

/// How much one letter may have read.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// Most records.
    pub rows_max: u64,
    /// Most octets of the containers together.
    pub bytes_max: u64,
    /// Most parts.
    pub parts_max: u16,
    /// Longest time of one statement.
    pub statement_max: Duration,
    /// Longest time in all.
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

/// Where what is read is staged, and how much it may be.
pub struct Place {
    /// The main login.
    pub store: Database,
    /// How much one letter may have read.
    pub limits: ReadLimits,
}

impl Place {
    /// Refuses what one answer cannot hold.
    pub fn too_large(&self, limit: &str, most: u64) -> Refusal {
        Refusal::new(RefusalCode::ReadTooLarge).with("limit", limit).with("expected", most)
    }
}

/// Why nothing was read.
pub enum NotRead {
    /// The letter is wrong.
    Refused(Refusal),
    /// The world is.
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
