//! Writes the decisions of a batch (entries, verdicts, receipts, journal, quarantine and outbox) and commits.

mod answers;
mod attempts;
mod flags;
mod held;
mod history;
mod journal;
mod ledger;
mod letters;
mod readings;

use std::collections::HashSet;

use diesel_async::SimpleAsyncConnection;
use futures_util::join;
use tokio::task::yield_now;

use super::arrival::Outcome;
use super::bodies::Bodies;
use super::decision::Decision;
use super::services::Served;
use super::settled::{RefusedLetter, Settled, Unsettled};
use super::tally::Tally;
use super::verdict::VerdictRow;
use super::written::Written;
use crate::database::fault::Fault;
use crate::database::statement::STATEMENT_BYTES_MAX;
use crate::letters::collected::HTTP;
use crate::letters::quarantine;
use crate::planted::{self, Bug, point};

impl Written {
    /// Writes the decisions of the batch and commits the transaction.
    ///
    /// # Errors
    /// [`Unsettled`] with the batch if nothing is committed. [`Unsettled`] without the batch if the connection broke at COMMIT, since it is
    /// then unknown whether the batch is committed. The transports deliver these letters again, and settling recognises those that are
    /// committed.
    pub async fn post(mut self) -> Result<Settled, Unsettled> {
        let (counted, served) = match self.write_verdicts().await {
            Ok(written) => written,
            Err(fault) => return Err(Unsettled { fault, batch: self.batch.into_arrivals() }),
        };
        let settled = self.settled(&counted);
        let Written { transaction, batch, withheld, .. } = self;
        // A large batch has tens of thousands of values, and it takes time to free their memory. This is done while PostgreSQL writes the
        // commit to its disk, since this program would only wait then.
        let free = async {
            yield_now().await;
            let names = withheld.waiting_among(&batch);
            drop(batch);
            names
        };
        let (committed, had_waited) = join!(transaction.commit(), free);
        match committed {
            Ok(()) => {
                served.tell();
                withheld.settled(&had_waited, &settled.outcomes);
                Ok(settled)
            }
            Err(fault) => Err(Unsettled { fault, batch: Vec::new() }),
        }
    }

    /// Writes all rows of the verdicts. Returns the places of the containers that quarantine only counted, and the warnings to log after
    /// the commit.
    async fn write_verdicts(&mut self) -> Result<(HashSet<usize>, Served), Fault> {
        let bodies = std::mem::take(&mut self.bodies);
        let verdicts = self.verdicts(bodies).await;
        if self.batch.iter().any(|case| case.arrival.container.len() > STATEMENT_BYTES_MAX) {
            self.transaction.close_after_commit();
        }
        let counted = quarantine::insert(self.transaction.connection(), &self.batch, &self.settings).await?;
        self.take_answers_back(&verdicts).await?;
        let services = &self.standing.services;
        let mut served = services.write(self.transaction.shared(), &self.batch, self.retry.is_some()).await?;
        served.enrolments_locked = std::mem::take(&mut self.enrolments_locked);
        let charge = async { if planted::has(Bug::ChargeOutside) { Ok(()) } else { self.charge(&verdicts).await } };
        let kept = async {
            let (readings, held, history) =
                join!(self.take_readings(&verdicts), self.insert_held(), self.insert_history());
            readings.and(held).and(history)
        };
        // The statements are sent one after the other, without waiting for each answer. Then all answers are awaited: after one statement
        // fails, the later ones only report that the transaction is aborted. The order matters. `queue_answers_again` must find the answers
        // that `queue_answers` has just queued. The originals may take several statements, so they come last, and the first fault in this
        // order is the real cause.
        let written: [Result<(), Fault>; 12] = join!(
            charge,
            self.insert_letters(&verdicts),
            self.insert_attempts(&verdicts),
            self.raise_sequences(&verdicts),
            self.acknowledge(&verdicts),
            self.insert_journal(&counted),
            self.insert_parts(&verdicts),
            self.queue_answers(&verdicts),
            self.queue_answers_again(),
            self.insert_flags(&verdicts),
            kept,
            self.insert_originals(),
        )
        .into();
        written.into_iter().collect::<Result<(), Fault>>()?;
        point("settle::commit");
        if planted::has(Bug::ChargeOutside) {
            self.transaction.connection().batch_execute("COMMIT; BEGIN").await?;
            self.charge(&verdicts).await?;
        }
        Ok((counted, served))
    }

    async fn charge(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        point("settle::charge");
        let (entered, charged) = join!(self.insert_entries(verdicts), self.change_balances(verdicts));
        entered.and(charged)?;
        point("settle::charged");
        Ok(())
    }

    async fn verdicts(&self, mut bodies: Bodies) -> Vec<VerdictRow> {
        let mut verdicts = Vec::with_capacity(self.batch.len());
        for (place, case) in self.batch.iter().enumerate() {
            let (body, decided_at) = (bodies.remove(&place), self.decided_at(&case.arrival));
            verdicts.extend(VerdictRow::new(case, (&self.catalogue, self.epoch), body, decided_at).await);
        }
        verdicts
    }

    fn settled(&self, counted: &HashSet<usize>) -> Settled {
        let mut settled = Settled {
            outcomes: Vec::with_capacity(self.batch.len()),
            rows: 0,
            tally: Tally::default(),
            refused: Vec::new(),
            answered: Vec::new(),
        };
        for (place, case) in self.batch.iter().enumerate() {
            let is_counted = counted.contains(&place);
            let is_counted_before = is_counted && case.arrival.source.is_fetched_again;
            let outcome = if is_counted_before { Outcome::SettledBefore } else { case.outcome() };
            settled.outcomes.push(outcome);
            settled.tally.count(case, outcome);
            if let Outcome::Refused(code) = outcome {
                let letter_id = match &case.decision {
                    Decision::Refused { key, .. } => Some(key.letter_id),
                    _ => None,
                };
                let journal_line = case.journal_id.filter(|_| !is_counted);
                settled.refused.push(RefusedLetter { journal_line, agency: case.agency(), letter_id, code });
            }
            if case.arrival.source.transport == HTTP {
                settled.answered.extend(case.answered_letter().map(|letter| (place, letter)));
            }
            if let Some(acceptance) = case.acceptance() {
                settled.rows += acceptance.new_rows();
            }
        }
        settled
    }
}
