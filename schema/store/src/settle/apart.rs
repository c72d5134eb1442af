//! Splits a batch that failed because of one of its letters. This letter waits, and the other letters are settled.

use std::time::{Duration, Instant};

use super::arrival::{Arrival, Outcome};
use super::settled::{RefusedLetter, Settled, Unsettled};
use super::settler::Settler;
use super::tally::Tally;
use crate::database::fault::Fault;
use crate::letters::collected::AnsweredLetter;

/// The result of splitting a failed batch.
#[derive(Debug)]
pub struct Apart {
    /// For each arrival, in the batch's order: its outcome, or the fault for which it has no outcome. A letter whose own bytes are wrong is
    /// refused; it is never `Deferred` and never has a fault.
    pub outcomes: Vec<Result<Outcome, Fault>>,
    /// Number of rows written into the tables.
    pub rows: usize,
    /// Totals of the settled letters, by service.
    pub tally: Tally,
    /// The refused letters, for the log.
    pub refused: Vec<RefusedLetter>,
    /// The letters that came by HTTPS and have an answer, each with its place in the batch.
    pub answered: Vec<(usize, AnsweredLetter)>,
}

impl From<Settled> for Apart {
    fn from(settled: Settled) -> Apart {
        let Settled { outcomes, rows, tally, refused, answered } = settled;
        Apart { outcomes: outcomes.into_iter().map(Ok).collect(), rows, tally, refused, answered }
    }
}

impl Unsettled {
    /// Says whether one letter of the batch may cause the fault. If so, the batch must be split: tried again as a whole, it would fail in
    /// the same way each time.
    pub fn must_be_taken_apart(&self) -> bool {
        self.fault.is_own() && !self.batch.is_empty()
    }
}

/// Longest time spent on splitting one batch, since other letters wait meanwhile. Letters that are not tried in this time are settled
/// another time.
const APART_MAX: Duration = Duration::from_secs(30);

impl Settler {
    /// Settles each half of a failed batch, and halves each part that fails again, down to single letters. A single letter that fails has
    /// to wait, longer each time. A fault of the whole database ends the search, because every remaining letter would fail for the same
    /// cause.
    pub async fn settle_apart(&self, Unsettled { fault, batch }: Unsettled) -> Apart {
        let mut apart = Apart {
            outcomes: batch.iter().map(|_| Err(fault.clone())).collect(),
            rows: 0,
            tally: Tally::default(),
            refused: Vec::new(),
            answered: Vec::new(),
        };
        let began = Instant::now();
        let mut failed = Failed::default();
        failed.add(0, batch, fault);
        while let Some((first, part)) = failed.parts.pop() {
            let places = first..first + part.len();
            match self.settle(part).await {
                Ok(Settled { outcomes, rows, tally, refused, answered }) => {
                    apart.refused.extend(refused);
                    apart.answered.extend(answered.into_iter().map(|(place, letter)| (first + place, letter)));
                    apart.rows += rows;
                    apart.tally.add(tally);
                    // At first, every entry of `outcomes` has the fault. An entry that gets no outcome here keeps it: its letter is settled
                    // another time.
                    for (at, outcome) in outcomes.into_iter().enumerate() {
                        apart.outcomes[first + at] = Ok(outcome);
                    }
                }
                Err(Unsettled { fault, batch }) => {
                    let is_of_a_letter = fault.is_own() || fault.is_beside_other_work();
                    if !is_of_a_letter {
                        let open = apart.outcomes.iter_mut().filter(|outcome| outcome.is_err());
                        open.for_each(|outcome| *outcome = Err(fault.clone()));
                        break;
                    }
                    apart.outcomes[places].fill(Err(fault.clone()));
                    failed.add(first, batch, fault);
                    if began.elapsed() > APART_MAX {
                        break;
                    }
                }
            }
        }
        for (place, _, _) in &failed.alone {
            apart.outcomes[*place] = Ok(Outcome::Deferred);
        }
        let alone = failed.alone.iter().map(|(_, arrival, fault)| (arrival, fault));
        self.withheld.add_letters(alone, Instant::now());
        apart
    }
}

/// Parts of the batch that have failed so far, each with the place of its first letter in the batch.
#[derive(Default)]
struct Failed {
    /// Stack of parts to try again: the last part is tried next.
    parts: Vec<(usize, Vec<Arrival>)>,
    /// Letters that failed when they were settled alone, each with its place in the batch and its fault.
    alone: Vec<(usize, Arrival, Fault)>,
}

impl Failed {
    /// Cuts a failed part in two; the first half is tried next. A single letter is added to `alone`. If the connection broke at COMMIT, the
    /// letters may be committed, so the part has no letters and nothing is added.
    fn add(&mut self, first: usize, mut part: Vec<Arrival>, fault: Fault) {
        if part.len() < 2 {
            self.alone.extend(part.pop().map(|arrival| (first, arrival, fault)));
            return;
        }
        let second = part.split_off(part.len() / 2);
        self.parts.extend([(first + part.len(), second), (first, part)]);
    }
}
