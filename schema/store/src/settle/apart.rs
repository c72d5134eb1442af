//! Takes a batch apart that met a fault of its own: the letter that causes the fault waits, and the others are settled.

use std::time::{Duration, Instant};

use super::arrival::{Arrival, Outcome};
use super::settled::{RefusedLetter, Settled, Unsettled};
use super::settler::Settler;
use crate::database::fault::Fault;

/// What became of a batch that was taken apart.
#[derive(Debug)]
pub struct Apart {
    /// For each arrival, in the batch's order: its outcome, or the fault that kept it from one. Neither a fault nor the outcome
    /// `Deferred` is caused by the letter's bytes: what these determine is a refusal.
    pub outcomes: Vec<Result<Outcome, Fault>>,
    /// Rows written.
    pub rows: usize,
    /// Minor units charged.
    pub charged: i64,
    /// The letters that were refused.
    pub refused: Vec<RefusedLetter>,
}

impl From<Settled> for Apart {
    fn from(settled: Settled) -> Apart {
        let Settled { outcomes, rows, charged, refused } = settled;
        Apart { outcomes: outcomes.into_iter().map(Ok).collect(), rows, charged, refused }
    }
}

impl Unsettled {
    /// Says whether one letter of the batch may cause the fault, so that the others must be settled without it: the whole batch
    /// would meet the same fault for ever.
    pub fn must_be_taken_apart(&self) -> bool {
        self.fault.is_own() && !self.batch.is_empty()
    }
}

/// How long a batch is taken apart at most, since the writer's other letters wait meanwhile. Letters that are not tried by then are
/// settled another time.
const APART_MAX: Duration = Duration::from_secs(30);

impl Settler {
    /// Settles the halves of a batch, and the halves of those that fail again, until single letters fail. These wait, with pauses
    /// that grow. A fault of the database itself (away or altered) ends the search, since the remaining letters would meet it too.
    pub async fn settle_apart(&self, Unsettled { fault, batch }: Unsettled) -> Apart {
        let mut apart = Apart {
            outcomes: batch.iter().map(|_| Err(fault.clone())).collect(),
            rows: 0,
            charged: 0,
            refused: Vec::new(),
        };
        let began = Instant::now();
        let mut failed = Failed::default();
        failed.add(0, batch, fault);
        while let Some((first, part)) = failed.parts.pop() {
            let places = first..first + part.len();
            match self.settle(part).await {
                Ok(Settled { outcomes, rows, charged, refused }) => {
                    apart.refused.extend(refused);
                    apart.rows += rows;
                    apart.charged = apart.charged.saturating_add(charged);
                    // A letter without an outcome would keep the fault, and be settled another time.
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

/// Parts of the batch that have failed so far, each with the place of its first letter.
#[derive(Default)]
struct Failed {
    /// Parts to be tried again, the last one next.
    parts: Vec<(usize, Vec<Arrival>)>,
    /// Letters that failed by themselves.
    alone: Vec<(usize, Arrival, Fault)>,
}

impl Failed {
    /// Cuts a part in two, of which the first half is tried next. A part whose COMMIT has an unknown outcome comes back empty, and is
    /// left out.
    fn add(&mut self, first: usize, mut part: Vec<Arrival>, fault: Fault) {
        if part.len() < 2 {
            self.alone.extend(part.pop().map(|arrival| (first, arrival, fault)));
            return;
        }
        let second = part.split_off(part.len() / 2);
        self.parts.extend([(first + part.len(), second), (first, part)]);
    }
}
