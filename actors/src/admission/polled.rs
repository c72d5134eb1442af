//! The result of a poll: when to poll next, or the error.

use std::time::Duration;

use store::database::fault::Fault;

use crate::transport::TransportFault;

/// Longest wait at the end of a session for mail that is still lent. Mail that takes longer is carried over, so that the next session can
/// list the mail that has arrived since.
pub const CARRIED_AFTER: Duration = Duration::from_secs(1);
/// Longest wait for lent mail that a later session cannot recognise (its token is missing or unreliable), or that is lent by the last
/// session before a stop. Mail that takes longer is fetched again as new.
pub const SETTLE_WAIT_MAX: Duration = Duration::from_secs(120);

/// Result of a poll that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polled {
    /// When to poll the source next.
    pub next: NextPoll,
    /// Whether the source was not polled, because another process has its lease.
    pub is_elsewhere: bool,
}

/// When to poll a source next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextPoll {
    /// Without a pause: the source probably has more mail.
    AtOnce,
    /// After a short pause: mail of the source is being processed, or no permits were free for it. Nothing is wrong, so the source need not
    /// wait for the whole polling interval.
    Soon,
    /// After a second. This process should have the source's lease, and has asked the process that still holds the lease to give it up.
    Asking,
    /// At the source's usual moment in the next polling interval.
    InTurn,
}

/// Why a poll failed.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// The source, or the connection to it, failed.
    #[error(transparent)]
    Source(#[from] TransportFault),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Fault),
    /// Letters that are lent were not settled in time.
    #[error(
        "{0} mails in hand were not settled within {seconds} s; they stay where they are and come again",
        seconds = SETTLE_WAIT_MAX.as_secs()
    )]
    Unsettled(usize),
}

impl PollError {
    /// Returns the name of the step that failed, as the metrics show it.
    pub fn step(&self) -> &'static str {
        match self {
            PollError::Source(fault) => fault.step,
            PollError::Database(_) => "database",
            PollError::Unsettled(_) => "settle",
        }
    }
}
