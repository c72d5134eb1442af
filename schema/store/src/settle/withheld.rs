//! What waits although its letters are sound: tables that are no longer what was adopted or that somebody keeps locked, and
//! single letters that meet a fault which is not theirs. All others go on.
//!
//! A letter that waits stays in its mailbox and is never poison: what befalls it lies in the database, and is mended there.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sdc::digest::Digest;

use super::arrival::{Arrival, Content, Outcome};
use crate::database::StatementLimits;
use crate::database::fault::Fault;
use crate::tables::definition::Definition;

/// Pauses before a table is tried again: the first, and the longest.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The first pause of what used up its time, and the longest of a letter: each try takes others' time too.
const LONG_PAUSE_MIN: Duration = Duration::from_secs(10);
const LETTER_PAUSE_MAX: Duration = Duration::from_secs(600);
/// Letters remembered; of those beyond it is only not known that they must wait.
const LETTERS_MAX: usize = 10_000;

/// What a statement may take that writes letters' rows, of which a batch has a fraction of a second's: less than others, since all
/// letters of its writer wait meanwhile. An operator who makes an index locks a table for longer, and its letters wait.
const SETTLING_LOCK: Duration = Duration::from_secs(2);
const SETTLING_STATEMENT: Duration = Duration::from_secs(10);
/// The same where something is tried of which it is known, or feared, that it holds up everybody; the time at least.
const TRIAL_LOCK: Duration = Duration::from_secs(1);
const TRIAL_STATEMENT_MIN: Duration = Duration::from_secs(1);
/// The same where the cause is looked for of what took too long: letters beside it may have thousands of rows.
const SEARCH_STATEMENT: Duration = Duration::from_secs(2);

/// The tables and letters that wait. Shared by the batches of a settler.
#[derive(Default)]
pub struct Withheld(Mutex<Waits>);

#[derive(Default)]
struct Waits {
    tables: HashMap<i32, TableWait>,
    letters: HashMap<Digest, Wait>,
}

struct TableWait {
    name: String,
    wait: Wait,
    /// The catalogue that it was adopted in: adopted anew, it is tried at once.
    revision: i64,
}

#[derive(Clone, Copy)]
struct Wait {
    /// The next pause, and the last one.
    pause: Duration,
    paused: Duration,
    until: Instant,
}

impl Wait {
    fn first(fault: &Fault, now: Instant) -> Wait {
        // Whatever took all the time that it was given takes it from everybody.
        let pause = if fault.is_beside_other_work() { LONG_PAUSE_MIN } else { PAUSE_MIN };
        Wait { pause, paused: pause, until: now }
    }

    fn lengthen(&mut self, pause_max: Duration, now: Instant) {
        self.until = now + self.pause;
        self.paused = self.pause;
        self.pause = (self.pause * 2).min(pause_max);
    }
}

impl Withheld {
    /// Returns the tables to leave alone now. One whose pause is over is not among them: the next batch tries it.
    pub fn tables(&self, revision: i64, now: Instant) -> HashSet<i32> {
        let mut waits = self.lock();
        waits.tables.retain(|_, table| table.revision == revision);
        waits.tables.iter().filter(|(_, table)| now < table.wait.until).map(|(table_id, _)| *table_id).collect()
    }

    /// Returns the places of the letters to leave alone now.
    pub fn letters(&self, batch: &[Arrival], now: Instant) -> HashSet<usize> {
        let waits = self.lock();
        if waits.letters.is_empty() {
            return HashSet::new();
        }
        let waits_still = |arrival| waits.letters.get(&name(arrival)).is_some_and(|wait| now < wait.until);
        (0..batch.len()).filter(|at| waits_still(&batch[*at])).collect()
    }

    /// Returns what statements may take that write to these tables for these letters. Where one of them has waited that is a tenth
    /// of its last pause, so that trying it takes no more than a tenth of the time of the others.
    pub fn limits<'a>(
        &self,
        mut tables: impl Iterator<Item = i32>,
        mut letters: impl Iterator<Item = &'a Arrival>,
        usual: StatementLimits,
    ) -> StatementLimits {
        let settling = settling_limits(usual);
        let waits = self.lock();
        if waits.tables.is_empty() && waits.letters.is_empty() {
            return settling;
        }
        let of_tables = tables.find_map(|table_id| waits.tables.get(&table_id)).map(|table| table.wait.paused);
        let of_letters = letters.find_map(|arrival| waits.letters.get(&name(arrival))).map(|wait| wait.paused);
        match of_tables.max(of_letters) {
            Some(paused) => shortened(settling, (paused / 10).max(TRIAL_STATEMENT_MIN)),
            None => settling,
        }
    }

    /// Says whether the letters of a table wait, or waited until now.
    pub fn has_table(&self, table_id: i32) -> bool {
        self.lock().tables.contains_key(&table_id)
    }

    /// Makes the letters of a table wait, longer each time. Told once, until it takes letters again.
    pub fn add_table(&self, definition: &Definition, fault: &Fault, revision: i64, now: Instant) {
        let name = format!("{}.{}", definition.application, definition.name);
        let mut waits = self.lock();
        let table = waits.tables.entry(definition.table_id).or_insert_with(|| {
            tracing::error!(
                table = name,
                %fault,
                "the letters of this table wait, all others go on: see `xmserver check`, and mend the table or adopt it anew"
            );
            TableWait { name, wait: Wait::first(fault, now), revision }
        });
        table.wait.lengthen(PAUSE_MAX, now);
    }

    /// Makes single letters wait, longer each time. Of the letters of one call that meet the same fault the first is told.
    pub fn add_letters<'a>(&self, letters: impl Iterator<Item = (&'a Arrival, &'a Fault)>, now: Instant) {
        let mut waits = self.lock();
        waits.letters.retain(|_, wait| now < wait.until + LETTER_PAUSE_MAX);
        let mut told: HashMap<String, (usize, &Arrival)> = HashMap::new();
        for (arrival, fault) in letters {
            let is_full = waits.letters.len() >= LETTERS_MAX;
            let digest = name(arrival);
            match waits.letters.get_mut(&digest) {
                Some(wait) => wait.lengthen(LETTER_PAUSE_MAX, now),
                None => {
                    told.entry(fault.to_string()).or_insert((0, arrival)).0 += 1;
                    if !is_full {
                        let mut wait = Wait::first(fault, now);
                        wait.lengthen(LETTER_PAUSE_MAX, now);
                        waits.letters.insert(digest, wait);
                    }
                }
            }
        }
        drop(waits);
        for (fault, (letters, first)) in told {
            let agency = first.signer().map(|signer| signer.matricule.as_i32());
            let (mailbox, digest) = (&*first.source.mailbox, name(first));
            tracing::error!(
                fault, letters, mailbox, agency, %digest,
                "letters wait for a fault that is not theirs, all others go on: mend it, and they settle; their mail stays"
            );
        }
    }

    /// Forgets tables that have taken rows.
    pub fn taken(&self, tables: impl Iterator<Item = i32>) {
        let mut waits = self.lock();
        if waits.tables.is_empty() {
            return;
        }
        for table_id in tables {
            if let Some(table) = waits.tables.remove(&table_id) {
                tracing::info!(table = table.name, "this table takes letters again");
            }
        }
    }

    /// Returns the letters of a batch that have waited, with their places.
    pub fn waiting_among(&self, batch: &[Arrival]) -> Vec<(usize, Digest)> {
        let waits = self.lock();
        if waits.letters.is_empty() {
            return Vec::new();
        }
        batch.iter().map(name).enumerate().filter(|(_, digest)| waits.letters.contains_key(digest)).collect()
    }

    /// Forgets letters that are settled.
    pub fn settled(&self, letters: &[(usize, Digest)], outcomes: &[Outcome]) {
        for (at, digest) in letters {
            if outcomes[*at] != Outcome::Deferred && self.lock().letters.remove(digest).is_some() {
                tracing::info!(%digest, "a letter that waited is settled");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waits> {
        // The maps are valid after every single operation, so a panic elsewhere does not spoil them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what statements may take that write letters' rows.
pub fn settling_limits(usual: StatementLimits) -> StatementLimits {
    StatementLimits { lock: usual.lock.min(SETTLING_LOCK), statement: usual.statement.min(SETTLING_STATEMENT) }
}

/// Returns what statements may take that look for the cause of a fault: less where time is what it took too much of.
pub fn search_limits(fault: Option<&Fault>, usual: StatementLimits) -> StatementLimits {
    let is_slow = fault.is_some_and(Fault::is_beside_other_work);
    shortened(usual, if is_slow { SEARCH_STATEMENT } else { SETTLING_STATEMENT })
}

fn shortened(limits: StatementLimits, statement: Duration) -> StatementLimits {
    StatementLimits { lock: limits.lock.min(TRIAL_LOCK), statement: limits.statement.min(statement) }
}

/// Names a letter however often it comes: by its signed octets, or where nobody signed by all of its own.
fn name(arrival: &Arrival) -> Digest {
    match &arrival.content {
        Content::Signed { digest, .. } => *digest,
        Content::Stranger(_) => Digest::of(&arrival.container),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settle::tests::world::World;

    const USUAL: StatementLimits =
        StatementLimits { lock: Duration::from_secs(20), statement: Duration::from_secs(60) };

    #[tokio::test]
    async fn what_has_waited_is_tried_for_a_tenth_of_its_last_pause() {
        let world = World::new().await;
        let arrival = world.arrival(&world.births(42, 1, &[("CE-042", 1)])).await;
        let (withheld, mut now) = (Withheld::default(), Instant::now());
        let limits = |withheld: &Withheld| {
            let limits = withheld.limits(std::iter::empty(), std::iter::once(&arrival), USUAL);
            (limits.lock.as_secs(), limits.statement.as_secs())
        };
        assert_eq!(limits(&withheld), (2, 10), "it has not waited");
        let slow = Fault::Busy { sqlstate: "57014".to_owned(), message: String::new() };
        let mut seconds = Vec::new();
        for _ in 0..8 {
            withheld.add_letters(std::iter::once((&arrival, &slow)), now);
            let (lock, statement) = limits(&withheld);
            assert_eq!(lock, 1);
            seconds.push(statement);
            now += LETTER_PAUSE_MAX;
        }
        // Pauses of 10, 20, 40, 80, 160 s and so on; never longer than at first.
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10, 10, 10]);
        let other = world.arrival(&world.births(42, 2, &[("CE-042", 2)])).await;
        let beside = withheld.limits(std::iter::empty(), std::iter::once(&other), USUAL);
        assert_eq!(beside, settling_limits(USUAL), "others have their time");
    }
}
