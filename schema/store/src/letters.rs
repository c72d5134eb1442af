//! Letters as they are kept: what came and what became of it, what was not accepted, and the answers that are to be sent.

pub mod answers;
pub mod in_hand;
pub mod journal;
pub mod leases;
pub mod outbox;
pub mod quarantine;
pub mod story;
#[cfg(test)]
mod tests;
