//! Tables that are no longer what was adopted, or that somebody keeps locked: their letters wait, all others go on.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::definition::Definition;
use crate::fault::Fault;

/// Pauses before a table is tried again: the first, and the longest.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The tables whose letters wait. Shared by the batches of a settler.
#[derive(Default)]
pub struct Withheld(Mutex<HashMap<i32, Wait>>);

struct Wait {
    name: String,
    pause: Duration,
    until: Instant,
    /// The catalogue that it was adopted in: adopted anew, it is tried at once.
    revision: i64,
}

impl Withheld {
    /// Returns the tables to leave alone now. One whose pause is over is not among them: the next batch tries it.
    pub fn tables(&self, revision: i64, now: Instant) -> HashSet<i32> {
        let mut waits = self.lock();
        waits.retain(|_, wait| wait.revision == revision);
        waits.iter().filter(|(_, wait)| now < wait.until).map(|(table_id, _)| *table_id).collect()
    }

    /// Makes the letters of a table wait, longer each time. Told once, until it takes letters again.
    pub fn add(&self, definition: &Definition, fault: &Fault, revision: i64, now: Instant) {
        let name = format!("{}.{}", definition.application, definition.name);
        let mut waits = self.lock();
        let wait = waits.entry(definition.table_id).or_insert_with(|| {
            tracing::error!(
                table = name,
                %fault,
                "the letters of this table wait, all others go on: see `xmserver check`, and mend the table or adopt it anew"
            );
            // To try a table that is locked takes as long as the wait for a lock, from everybody.
            let pause = if fault.is_locked_out() { PAUSE_MAX } else { PAUSE_MIN };
            Wait { name, pause, until: now, revision }
        });
        wait.until = now + wait.pause;
        wait.pause = (wait.pause * 2).min(PAUSE_MAX);
    }

    /// Forgets tables that have taken rows.
    pub fn taken(&self, tables: impl Iterator<Item = i32>) {
        let mut waits = self.lock();
        if waits.is_empty() {
            return;
        }
        for table_id in tables {
            if let Some(wait) = waits.remove(&table_id) {
                tracing::info!(table = wait.name, "this table takes letters again");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Wait>> {
        // The map is valid after every single operation, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
