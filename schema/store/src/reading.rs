//! Reading for agencies: their rights, the staged answers of letters that are not settled yet, and the database login that reads.
//!
//! The crate `reader`, which depends on this crate, reads the records. It stores the parts of an answer in its own transactions (staging).
//! The transaction that settles the letter marks the reading as settled, or leaves it unmarked if the letter cannot be paid. Unmarked
//! readings are deleted after a day.

mod epoch;
pub mod login;
mod permit;
pub mod staging;
mod usage;

pub use epoch::epoch;
pub use permit::Permit;
pub(crate) use usage::{Usage, read as read_usage};

use std::sync::Arc;

use sdc::refusal::Refusal;
use uuid::Uuid;

/// The result of reading for a letter.
#[derive(Clone, Debug)]
pub enum Read {
    /// The parts of the answer are staged.
    Staged(Arc<Staged>),
    /// The letter is refused, even if its account has enough credit.
    Refused(Refusal),
}

/// A reading for a letter, whose parts are staged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Key in `xm.readings`.
    pub id: Uuid,
    /// The right under which the records were read. Absent if parts of an earlier answer to the agency are sent again.
    pub permit: Option<Permit>,
    /// Number of records or answered keys, which determines the price; 0 if the reading is free.
    pub acts: usize,
    /// Number of parts.
    pub parts: u16,
    /// Sum of the octets of all parts' containers.
    pub bytes: u64,
    /// Number of started units of 1 024 octets, counted for each part's container and summed. It determines the price.
    pub started_kb: usize,
    /// Whether the reading is free: an estimate, or parts that are sent again.
    pub is_free: bool,
}
