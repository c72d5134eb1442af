//! Takes a batch apart that met a fault of its own, so that the letters beside the one that causes it settle.

use super::{Outcome, RefusedLetter, Settled, Settler, Unsettled};
use crate::fault::Fault;

/// What became of a batch that was taken apart.
#[derive(Debug)]
pub struct Apart {
    /// For each arrival, in the batch's order: its outcome, or what kept it from one.
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

impl Apart {
    /// Returns the fault where several letters have each met one of their own and none was settled: then it is not theirs.
    pub fn of_every_letter(&self) -> Option<&Fault> {
        let several = self.outcomes.len() > 1;
        let all = self.outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(Fault::is_own));
        self.outcomes.first().and_then(|outcome| outcome.as_ref().err()).filter(|_| several && all)
    }
}

impl Unsettled {
    /// Says whether some letter of the batch is to blame, so that the others must be settled without it. The batch would
    /// meet the same fault for ever.
    pub fn must_be_taken_apart(&self) -> bool {
        self.fault.is_own() && !self.batch.is_empty()
    }
}

impl Settler {
    /// Settles the halves of a batch, and the halves of those that fail again, until what fails stands alone. A fault that
    /// is not of their own (the database away, busy or altered) ends it: the rest would meet it too.
    pub async fn settle_apart(&self, Unsettled { fault, batch }: Unsettled) -> Apart {
        let mut apart = Apart {
            outcomes: batch.iter().map(|_| Err(fault.clone())).collect(),
            rows: 0,
            charged: 0,
            refused: Vec::new(),
        };
        let mut parts = halves(0, batch);
        while let Some((first, part)) = parts.pop() {
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
                    if !fault.is_own() {
                        let open = apart.outcomes.iter_mut().filter(|outcome| outcome.is_err());
                        open.for_each(|outcome| *outcome = Err(fault.clone()));
                        break;
                    }
                    apart.outcomes[places].fill(Err(fault));
                    parts.extend(halves(first, batch));
                }
            }
        }
        apart
    }
}

/// Cuts a part in two, each with the place of its first letter, so that the first half is popped first. One letter, or a
/// part that is gone because its commit has an unknown outcome, is not cut.
fn halves<T>(first: usize, mut part: Vec<T>) -> Vec<(usize, Vec<T>)> {
    if part.len() < 2 {
        return Vec::new();
    }
    let second = part.split_off(part.len() / 2);
    vec![(first + part.len(), second), (first, part)]
}
