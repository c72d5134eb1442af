//! This module has the state that all tasks of the demo share while letters are sent: the town, the record of letters and answers, and the
//! settings of the run.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use simulation::record::Record;
use simulation::town::Town;

/// State that all tasks of the demo share while letters are sent.
pub struct Shared {
    /// The simulated agencies with their keys and mailboxes.
    pub town: Town,
    /// Record of the letters that the agencies have sent and of the answers that they have received. The oracle compares it with the
    /// database at the end.
    pub record: Mutex<Record>,
    /// Number of letters that the agencies send at the same time: all letters of the demo except the last, which is sent alone so that its
    /// waiting time can be measured.
    pub burst: u64,
    /// Seed of all random choices, so that a run with the same seed sends the same letters.
    pub seed: u64,
    /// Whether the agencies must stop sending for now, because too many mails wait in the centre's mailbox.
    pub is_held_back: AtomicBool,
}
