//! Posts what `store::settle` has decided: writes entries of accounts, verdicts, journal and answers, and commits. A letter is settled as
//! soon as this commit has succeeded. (The `TableWriter` actor has already called `store::settle`, which decides prices and credit.)

use std::sync::Arc;

use actix::{Actor, Context, Handler};
use store::database::fault::Fault;
use store::planted::point;
use store::settle::{Apart, Outcome, Settler, Unsettled, Written};

use crate::database_tasks::DatabaseTasks;
use crate::exporter::Exporter;
use crate::gate::Gate;
use crate::messages::{Posted, TakenApart, WrittenBatch};
use crate::metrics::{ActorMetrics, Metrics};
use crate::provenance::Duty;
use crate::refusal_log::RefusalLog;
use crate::supervision::{Guard, Guarded, Heartbeat, Link};
use crate::writer_time::WorkedTime;

/// Everything that a ledger actor is built with.
#[derive(Clone)]
pub struct BillingLedgerParts {
    /// Settles the letters of a batch one by one, after a fault of the batch itself.
    pub settler: Arc<Settler>,
    /// The runtime on which transactions run to their end.
    pub tasks: DatabaseTasks,
    /// The exporters, which get a message when answers have been committed.
    pub exporters: Arc<[Link<Exporter>]>,
    /// The gate, which is closed while the database cannot be reached.
    pub gate: Gate,
    /// Metrics that count the outcomes.
    pub metrics: Arc<Metrics>,
    /// Log of refusals. All ledgers share it, because its limit of lines in a minute holds for all of them together.
    pub refusals: RefusalLog,
}

/// The ledger actor. It commits batches.
pub struct BillingLedger {
    parts: BillingLedgerParts,
    guard: Guard,
}

impl BillingLedger {
    /// Makes a ledger.
    pub fn new(parts: BillingLedgerParts, guard: Guard) -> BillingLedger {
        BillingLedger { parts, guard }
    }

    fn post(&mut self, batch: WrittenBatch, context: &mut Context<BillingLedger>) {
        point("billing_ledger::take");
        let worked = WorkedTime::of(&batch.booking);
        let (settler, metrics) = (Arc::clone(&self.parts.settler), self.guard.metrics.clone());
        let work = async move {
            let WrittenBatch { written, duties, .. } = batch;
            point("billing_ledger::post");
            let posted = post(&settler, written, &metrics).await;
            point("billing_ledger::committed");
            (posted, duties)
        };
        self.parts.tasks.run(self, context, work, |actor, (posted, duties), _| {
            drop(worked);
            actor.posted(posted, duties);
        });
    }

    fn posted(&mut self, posted: Result<Apart, Fault>, duties: Vec<Duty>) {
        point("billing_ledger::posted");
        let apart = match posted {
            Ok(apart) => apart,
            Err(fault) => {
                self.guard.metrics.fault();
                // If the database cannot be reached, the gate has already logged this, once.
                if !fault.is_away() {
                    tracing::warn!(%fault, letters = duties.len(), "a batch was not committed; its mail stays and comes again");
                }
                self.parts.gate.fault(&fault);
                return;
            }
        };
        self.parts.refusals.tell(&apart.refused);
        let metrics = &self.parts.metrics;
        metrics.batch_letters.observe(f64::from(u32::try_from(duties.len()).unwrap_or(u32::MAX)));
        metrics.rows.inc_by(apart.rows as u64);
        metrics.count(&apart.tally);
        for (place, letter) in apart.answered {
            if let Some(duty) = duties.get(place) {
                duty.share.answered(letter);
            }
        }
        for (outcome, duty) in apart.outcomes.into_iter().zip(duties) {
            self.conclude(outcome, duty);
        }
        // All exporters are told, although each of them looks only for answers of its own transport: a look at the outbox that finds none
        // costs little.
        for exporter in self.parts.exporters.iter() {
            exporter.send(Posted);
        }
    }

    /// Reports the outcome of one letter: settles the letter's share, or returns its mail to the source.
    fn conclude(&self, outcome: Result<Outcome, Fault>, mut duty: Duty) {
        match outcome {
            // The letter is withheld; the settler logs why, once.
            Ok(Outcome::Deferred) => duty.share.withhold(),
            Ok(Outcome::SettledBefore) => duty.share.settle(),
            Ok(outcome) => {
                self.parts.metrics.letters.with_label_values(&[outcome.as_str()]).inc();
                self.parts.metrics.settle_seconds.observe(duty.taken_at.elapsed().as_secs_f64());
                if let Outcome::Refused(_) = outcome {
                    duty.share.refused();
                }
                duty.share.settle();
            }
            // Whatever is wrong with a letter itself leads to a verdict, so a fault here has another cause, such as the database. The mail
            // therefore does not become a suspect.
            Err(fault) => {
                self.guard.metrics.fault();
                self.parts.gate.fault(&fault);
            }
        }
    }
}

/// Posts a batch. If a letter of the batch may be the cause of a fault, the batch is settled in smaller batches.
async fn post(settler: &Settler, written: Written, metrics: &ActorMetrics) -> Result<Apart, Fault> {
    match written.post().await {
        Ok(settled) => Ok(settled.into()),
        Err(unsettled) if unsettled.must_be_taken_apart() => {
            metrics.fault();
            Ok(settler.settle_apart(unsettled).await)
        }
        Err(Unsettled { fault, .. }) => Err(fault),
    }
}

impl Guarded for BillingLedger {
    fn guard(&self) -> &Guard {
        &self.guard
    }
}

impl Actor for BillingLedger {
    type Context = Context<BillingLedger>;

    fn started(&mut self, context: &mut Context<BillingLedger>) {
        context.set_mailbox_capacity(crate::MAILBOX_CAPACITY);
    }
}

impl Handler<WrittenBatch> for BillingLedger {
    type Result = ();

    fn handle(&mut self, batch: WrittenBatch, context: &mut Context<BillingLedger>) {
        let guard = self.guard.clone();
        guard.run(context, |context| self.post(batch, context));
    }
}

impl Handler<TakenApart> for BillingLedger {
    type Result = ();

    fn handle(&mut self, taken: TakenApart, context: &mut Context<BillingLedger>) {
        let guard = self.guard.clone();
        guard.run(context, |_| self.posted(Ok(taken.apart), taken.duties));
    }
}

impl Handler<Heartbeat> for BillingLedger {
    type Result = ();

    fn handle(&mut self, _: Heartbeat, _: &mut Context<BillingLedger>) {}
}
