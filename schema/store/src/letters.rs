//! Stored letters: received letters with their outcomes, containers that were not accepted, and letters to be sent. A letter to be sent is
//! an answer to a letter, or a notice, which the centre sends on its own initiative.

pub mod answers;
pub mod collected;
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
