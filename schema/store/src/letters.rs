//! Letters as they are kept: those received, with what became of them, those not accepted, and those to be sent. The last are answers,
//! and notices, which the centre sends unasked.

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
