//! What agencies read: who may, what is staged for a letter before it is settled, and the login that reads.
//!
//! Reading itself is crate `reader`, above this one. It stages what it reads in transactions of its own, and the settling
//! transaction takes it or leaves it: a letter that cannot be paid leaves nothing behind but what is forgotten within a day.

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

/// What became of the reading of a letter.
#[derive(Clone, Debug)]
pub enum Read {
    /// It is staged.
    Staged(Arc<Staged>),
    /// It is refused, whatever the account bears.
    Refused(Refusal),
}

/// What was read for a letter, as it is staged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Key in `xm.readings`.
    pub id: Uuid,
    /// By which rights it was read; absent for parts of an answer that the agency was given before.
    pub permit: Option<Permit>,
    /// What it is priced by: records given or keys answered; 0 where it is free.
    pub acts: usize,
    /// The number of its parts.
    pub parts: u16,
    /// The octets of the parts' containers together.
    pub bytes: u64,
    /// How many units of 1 024 bytes the parts' containers begin, each for itself.
    pub started_kb: usize,
    /// Whether it costs nothing: an estimate, or parts that are sent again.
    pub is_free: bool,
}
