//! Letters as they are kept: what came and what became of it, what was not accepted, and what is to be sent: answers, and what the
//! centre writes first.

pub mod answers;
pub mod flags;
pub mod held;
pub mod in_hand;
pub mod journal;
pub(crate) mod leased;
pub mod leases;
pub mod messages;
pub mod notices;
pub mod outbox;
pub mod quarantine;
pub mod resending;
pub mod story;
pub mod telling;
#[cfg(test)]
mod tests;
