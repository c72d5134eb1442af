//! Takes a batch apart that met a fault of its own, so that the letters beside the one that causes it settle.

use std::time::{Duration, Instant};

use super::{Arrival, Outcome, RefusedLetter, Settled, Settler, Unsettled};
use crate::database::fault::Fault;

/// What became of a batch that was taken apart.
#[derive(Debug)]
pub struct Apart {
    /// For each arrival, in the batch's order: its outcome, or what kept it from one. It is none of the letter's own doing
    /// then, nor where the outcome is that it is deferred: what its bytes determine is a refusal.
    pub outcomes: Vec<Result<Outcome, Fault>>,
    /// Rows written.
    pub rows: usize,
    /// Minor units charged.
    pub charged: i64,
    /// Those that were refused.
    pub refused: Vec<RefusedLetter>,
}

impl From<Settled> for Apart {
    fn from(settled: Settled) -> Apart {
        let Settled { outcomes, rows, charged, refused } = settled;
        Apart { outcomes: outcomes.into_iter().map(Ok).collect(), rows, charged, refused }
    }
}

impl Unsettled {
    /// Says whether the fault may be of some letter of the batch, so that the others must be settled without it. The batch
    /// would meet the same fault for ever.
    pub fn must_be_taken_apart(&self) -> bool {
        self.fault.is_own() && !self.batch.is_empty()
    }
}

/// Longest that a batch is taken apart: the letters behind it wait. What is not tried by then comes again.
const APART_MAX: Duration = Duration::from_secs(30);

impl Settler {
    /// Settles the halves of a batch, and the halves of those that fail again, until what fails stands alone: that waits, and
    /// is tried again ever more seldom. A fault of the database itself (away or altered) ends it: the rest would meet it too.
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
                    for (place, outcome) in apart.outcomes[places].iter_mut().zip(outcomes) {
                        *place = Ok(outcome);
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

/// What has failed so far, each with its place, or that of its first letter.
#[derive(Default)]
struct Failed {
    /// To be tried again; the last one next.
    parts: Vec<(usize, Vec<Arrival>)>,
    alone: Vec<(usize, Arrival, Fault)>,
}

impl Failed {
    /// Cuts a part in two, so that its first half is next. A part that is gone because its commit has an unknown outcome is
    /// not cut.
    fn add(&mut self, first: usize, mut part: Vec<Arrival>, fault: Fault) {
        if part.len() < 2 {
            self.alone.extend(part.pop().map(|arrival| (first, arrival, fault)));
            return;
        }
        let second = part.split_off(part.len() / 2);
        self.parts.extend([(first + part.len(), second), (first, part)]);
    }
}
