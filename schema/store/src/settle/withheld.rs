//! Tables and letters that wait although the letters are sound. A table waits if it is locked or was altered since its adoption. A single
//! letter waits if it fails for a reason other than its bytes. All other letters are settled.
//!
//! A waiting letter stays in its mailbox and never becomes poison, because the cause is in the database and must be removed there.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sdc::digest::Digest;
use sdc::letter::Matricule;

use super::arrival::{Arrival, Content, Outcome};
use super::batch::Case;
use crate::database::StatementLimits;
use crate::database::fault::Fault;
use crate::tables::definition::Definition;

/// First pause before a table or letter is tried again.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longest pause of a table.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// First pause after a statement ran out of time. It is longer than the first pause after other faults: the next try may again use up all
/// the time that a statement has, while other letters wait.
const LONG_PAUSE_MIN: Duration = Duration::from_secs(10);
/// Longest pause of a letter. It is long, because each try may take time from other letters.
const LETTER_PAUSE_MAX: Duration = Duration::from_secs(600);
/// Largest number of waiting letters that are remembered. A letter beyond this number is tried again in each batch.
const LETTERS_MAX: usize = 10_000;

/// Longest wait for a lock of a statement that writes the rows of letters. Other statements may wait longer. But a batch takes a fraction
/// of a second, and all letters of its writer wait while it waits. If an operator creates an index, which locks a table for longer than
/// this, the letters of this table wait.
const SETTLING_LOCK: Duration = Duration::from_secs(2);
/// Longest time that a statement which writes the rows of letters may take.
const SETTLING_STATEMENT: Duration = Duration::from_secs(10);
/// Longest wait for a lock of a statement that tries a table or letter which has failed before, or that searches for the cause of a fault.
/// The wait is short, because other letters wait for the statement.
const TRIAL_LOCK: Duration = Duration::from_secs(1);
/// Shortest time limit of a statement that tries a table or letter again.
const TRIAL_STATEMENT_MIN: Duration = Duration::from_secs(1);
/// Longest time of a statement while the cause of a slow statement is searched for. A shorter limit would also stop statements of sound
/// letters with thousands of rows.
const SEARCH_STATEMENT: Duration = Duration::from_secs(2);

/// The tables and letters that wait. All batches of a settler share it.
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
    /// The revision of the catalogue at the time when the table failed. A new adoption changes the revision, and the table is then tried
    /// immediately.
    revision: i64,
}

#[derive(Clone, Copy)]
struct Wait {
    /// Length of the next pause.
    pause: Duration,
    /// Length of the latest pause.
    paused: Duration,
    until: Instant,
}

impl Wait {
    fn first(fault: &Fault, now: Instant) -> Wait {
        // A statement that ran out of time may do so at each try, while all other letters wait. So the first pause is long.
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
    /// Returns the tables that wait now. A table whose pause is over is not among them: the next batch tries it.
    pub fn tables(&self, revision: i64, now: Instant) -> HashSet<i32> {
        let mut waits = self.lock();
        waits.tables.retain(|_, table| table.revision == revision);
        waits.tables.iter().filter(|(_, table)| now < table.wait.until).map(|(table_id, _)| *table_id).collect()
    }

    /// Returns the places of the letters that wait now.
    pub fn letters(&self, batch: &[Case], now: Instant) -> HashSet<usize> {
        let waits = self.lock();
        if waits.letters.is_empty() {
            return HashSet::new();
        }
        let waits_still = |case: &Case| waits.letters.get(&name(&case.arrival)).is_some_and(|wait| now < wait.until);
        (0..batch.len()).filter(|place| waits_still(&batch[*place])).collect()
    }

    /// Returns the limits of statements that write to these tables for these letters. If one of the tables or letters has waited, a
    /// statement may take a tenth of its last pause. So tries take at most a tenth of the time, and the rest is left to other letters.
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

    /// Says whether a table waits, or has waited and has taken no rows since.
    pub fn has_table(&self, table_id: i32) -> bool {
        self.lock().tables.contains_key(&table_id)
    }

    /// Makes a table wait, longer each time, so that its tries take ever less time from other letters. The wait is logged once, and again
    /// only after the table has taken letters.
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

    /// Makes single letters wait, longer each time, so that their tries take ever less time from other letters. For letters with the same
    /// fault, only the first is logged, with the number of these letters.
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
            let agency = first.agency().map(Matricule::as_i32);
            let (mailbox, digest) = (&*first.source.mailbox, name(first));
            tracing::error!(
                fault, letters, mailbox, agency, %digest,
                "letters wait for a fault that is not theirs, all others go on: mend it, and they settle; their mail stays"
            );
        }
    }

    /// Removes the tables that have taken rows.
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

    /// Returns the places and names of those letters of a batch that have waited.
    pub fn waiting_among(&self, batch: &[Case]) -> Vec<(usize, Digest)> {
        let waits = self.lock();
        if waits.letters.is_empty() {
            return Vec::new();
        }
        let names = batch.iter().map(|case| name(&case.arrival));
        names.enumerate().filter(|(_, digest)| waits.letters.contains_key(digest)).collect()
    }

    /// Removes the letters that are settled.
    pub fn settled(&self, letters: &[(usize, Digest)], outcomes: &[Outcome]) {
        for (at, digest) in letters {
            if outcomes[*at] != Outcome::Deferred && self.lock().letters.remove(digest).is_some() {
                tracing::info!(%digest, "a letter that waited is settled");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waits> {
        // A panic of a thread that holds the lock marks the lock as poisoned. This is ignored: every single operation leaves the maps
        // valid.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the limits of statements that write the rows of letters.
pub fn settling_limits(usual: StatementLimits) -> StatementLimits {
    StatementLimits { lock: usual.lock.min(SETTLING_LOCK), statement: usual.statement.min(SETTLING_STATEMENT) }
}

/// Returns the limits of statements that search for the cause of a fault. If the fault is that a statement took too long, each statement of
/// the search might take as long again, so the limits are lower.
pub fn search_limits(fault: Option<&Fault>, usual: StatementLimits) -> StatementLimits {
    let is_slow = fault.is_some_and(Fault::is_beside_other_work);
    shortened(usual, if is_slow { SEARCH_STATEMENT } else { SETTLING_STATEMENT })
}

fn shortened(limits: StatementLimits, statement: Duration) -> StatementLimits {
    StatementLimits { lock: limits.lock.min(TRIAL_LOCK), statement: limits.statement.min(statement) }
}

/// Returns the name by which a waiting letter is recognised when it arrives again: the digest of its signed octets. Without a verified
/// signer, it is the digest of the whole container.
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
        // The pauses are 10, 20, 40, 80, 160 s and so on. The limit, in seconds, is a tenth of the pause, and at most the 10 s that apply
        // without a pause.
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10, 10, 10]);
        let other = world.arrival(&world.births(42, 2, &[("CE-042", 2)])).await;
        let beside = withheld.limits(std::iter::empty(), std::iter::once(&other), USUAL);
        assert_eq!(beside, settling_limits(USUAL), "others have their time");
    }
}
