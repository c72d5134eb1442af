//! Charges the accounts, writes verdicts, journal and answers, and commits: the moment from which a letter is settled.

use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, ActorFutureExt, Context, ContextFutureSpawner, Handler, WrapFuture};
use store::database::fault::Fault;
use store::planted::point;
use store::settle::{Apart, Outcome, Settler, Unsettled};
use tokio::runtime::Handle;

use crate::exporter::Exporter;
use crate::intake::Intake;
use crate::messages::{Duty, Posted, TakenApart, Written};
use crate::metrics::{ActorMetrics, Metrics};
use crate::refusal_log::RefusalLog;
use crate::supervision::{Guard, Heartbeat, Link};

/// What a ledger is built with.
#[derive(Clone)]
pub struct BillingLedgerParts {
    /// Settles the parts of a batch that met a fault of its own.
    pub settler: Arc<Settler>,
    /// The runtime on which transactions run to their end.
    pub database_runtime: Handle,
    /// Who is told that answers wait.
    pub exporters: Arc<[Link<Exporter>]>,
    /// Closed when the database is away.
    pub intake: Intake,
    /// Where outcomes are counted.
    pub metrics: Arc<Metrics>,
    /// Where refusals are told, with those of the other ledgers.
    pub refusals: RefusalLog,
}

/// See the module.
pub struct BillingLedger {
    parts: BillingLedgerParts,
    guard: Guard,
}

impl BillingLedger {
    /// Makes a ledger.
    pub fn new(parts: BillingLedgerParts, guard: Guard) -> BillingLedger {
        BillingLedger { parts, guard }
    }

    fn post(&mut self, written: Written, context: &mut Context<BillingLedger>) {
        point("billing_ledger::take");
        let started = Instant::now();
        let booking = written.booking.clone();
        let (settler, metrics) = (Arc::clone(&self.parts.settler), self.guard.metrics.clone());
        let task = self.parts.database_runtime.spawn(async move {
            let Written { written, duties, .. } = written;
            point("billing_ledger::post");
            let posted = post(&settler, written, &metrics).await;
            point("billing_ledger::committed");
            (posted, duties)
        });
        task.into_actor(self)
            .map(move |done, actor, context| {
                let guard = actor.guard.clone();
                guard.metrics.waited(started.elapsed());
                booking.book(started.elapsed(), Instant::now());
                match done {
                    Ok((posted, duties)) => guard.run(context, |_| actor.posted(posted, duties)),
                    Err(failed) if failed.is_panic() => guard.end_after_panic(context, failed.into_panic().as_ref()),
                    Err(_cancelled) => {}
                }
            })
            .spawn(context);
    }

    fn posted(&mut self, posted: Result<Apart, Fault>, duties: Vec<Duty>) {
        point("billing_ledger::posted");
        let apart = match posted {
            Ok(apart) => apart,
            Err(fault) => {
                self.guard.metrics.fault();
                // The intake tells a database that is away, once.
                if !fault.is_away() {
                    tracing::warn!(%fault, letters = duties.len(), "a batch was not committed; its mail stays and comes again");
                }
                self.parts.intake.fault(&fault);
                return;
            }
        };
        self.parts.refusals.tell(&apart.refused);
        let metrics = &self.parts.metrics;
        metrics.batch_letters.observe(f64::from(u32::try_from(duties.len()).unwrap_or(u32::MAX)));
        metrics.rows.inc_by(apart.rows as u64);
        metrics.charged.inc_by(u64::try_from(apart.charged).unwrap_or(0));
        for (outcome, duty) in apart.outcomes.into_iter().zip(duties) {
            self.conclude(outcome, duty);
        }
        // Each looks for answers of its own; one that finds none has lost a look.
        for exporter in self.parts.exporters.iter() {
            exporter.send(Posted);
        }
    }

    /// Gives a duty up: settled, or back to its transport.
    fn conclude(&self, outcome: Result<Outcome, Fault>, mut duty: Duty) {
        match outcome {
            // It comes again; why is told by the settler, once.
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
            // Never the letter's own doing: what its bytes determine is a verdict. So it makes nothing poison.
            Err(fault) => {
                self.guard.metrics.fault();
                self.parts.intake.fault(&fault);
            }
        }
    }
}

/// Posts a batch, in parts where it meets a fault of its own.
async fn post(settler: &Settler, written: store::settle::Written, metrics: &ActorMetrics) -> Result<Apart, Fault> {
    match written.post().await {
        Ok(settled) => Ok(settled.into()),
        Err(unsettled) if unsettled.must_be_taken_apart() => {
            metrics.fault();
            Ok(settler.settle_apart(unsettled).await)
        }
        Err(Unsettled { fault, .. }) => Err(fault),
    }
}

impl Actor for BillingLedger {
    type Context = Context<BillingLedger>;

    fn started(&mut self, context: &mut Context<BillingLedger>) {
        context.set_mailbox_capacity(crate::MAILBOX_CAPACITY);
    }
}

impl Handler<Written> for BillingLedger {
    type Result = ();

    fn handle(&mut self, written: Written, context: &mut Context<BillingLedger>) {
        let guard = self.guard.clone();
        guard.run(context, |context| self.post(written, context));
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
