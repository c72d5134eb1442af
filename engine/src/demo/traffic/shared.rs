//! What all workers of the demo's traffic share.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use simulation::record::Record;
use simulation::town::Town;

/// What all workers of the demo's traffic share.
pub struct Shared {
    /// The town.
    pub town: Town,
    /// What was sent, and what came back.
    pub record: Mutex<Record>,
    /// Letters sent side by side: all but the last.
    pub burst: u64,
    /// The seed of all dice.
    pub seed: u64,
    /// Whether agencies wait, because the centre's mailbox is full enough.
    pub is_held_back: AtomicBool,
}
