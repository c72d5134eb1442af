//! How a poll ends: what it found, or why it failed.

use std::time::Duration;

use store::database::fault::Fault;

use crate::transport::TransportFault;

/// Longest wait for mail in hand at the end of a session; what is late is carried over, so that mail that came since is seen.
pub const CARRIED_AFTER: Duration = Duration::from_secs(1);
/// The same where another session would not know the mail again, or there is none; what is late then comes again.
pub const SETTLE_WAIT_MAX: Duration = Duration::from_secs(120);

/// What a poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polled {
    /// When the source is worth another look.
    pub next: NextPoll,
    /// Another process has the source's lease, so it was not looked into.
    pub is_elsewhere: bool,
}

/// When a source is worth another look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextPoll {
    /// It is evidently not empty.
    AtOnce,
    /// Mail in it is in hand, or found no room: nothing but time need pass.
    Soon,
    /// In its turn.
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
