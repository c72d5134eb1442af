//! How a poll ends: what it found, or why it failed.

use std::time::Duration;

use store::database::fault::Fault;

use crate::transport::TransportFault;

/// Longest wait at the end of a session for mail in hand. Mail that takes longer is carried over, so that the next session sees what has
/// come since.
pub const CARRIED_AFTER: Duration = Duration::from_secs(1);
/// Longest wait for mail in hand that a later session would not know again, or after which no session follows. Mail that takes longer is
/// fetched again as new.
pub const SETTLE_WAIT_MAX: Duration = Duration::from_secs(120);

/// What a poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polled {
    /// When the source is worth another look.
    pub next: NextPoll,
    /// Whether the source was not looked into, since another process has its lease.
    pub is_elsewhere: bool,
}

/// When a source is worth another look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextPoll {
    /// At once: the source is evidently not empty.
    AtOnce,
    /// After a short pause: mail of the source is in hand or found no room, and only time need pass.
    Soon,
    /// At the source's next turn in the polling interval.
    InTurn,
}

/// Why a poll failed.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// The source or the way to it.
    #[error(transparent)]
    Source(#[from] TransportFault),
    /// The database.
    #[error(transparent)]
    Database(#[from] Fault),
    /// Letters in hand did not come back in time.
    #[error(
        "{0} mails in hand were not settled within {seconds} s; they stay where they are and come again",
        seconds = SETTLE_WAIT_MAX.as_secs()
    )]
    Unsettled(usize),
}

impl PollError {
    /// Names the step that failed, as on metrics.
    pub fn step(&self) -> &'static str {
        match self {
            PollError::Source(fault) => fault.step,
            PollError::Database(_) => "database",
            PollError::Unsettled(_) => "settle",
        }
    }
}
