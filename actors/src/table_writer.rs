//! Gathers letters into batches and writes their rows, each batch in a transaction that it opens and hands on.
//!
//! A batch closes at a number of letters, after a short wait, or at once when nothing more is on its way. While one batch is
//! being written the next gathers, so the batch grows with the load by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, ContextFutureSpawner, Handler, Message, WrapFuture};
use sdc::letter::Matricule;
use sdc::refusal::Refusal;
use store::database::fault::Fault;
use store::planted::point;
use store::settle::{self, Arrival, Content, Settler};
use tokio::runtime::Handle;

use crate::billing_ledger::BillingLedger;
use crate::intake::Intake;
use crate::messages::{Carried, Duty, Rejected, Settleable, TakenApart, Verified, Written};
use crate::payload_room::Unpacked;
use crate::room::Hands;
use crate::shares::{Booking, Queue, Waiting};
use crate::supervision::{Guard, Heartbeat, Link};

/// What a letter costs beside its rows, in rows: its verdict, journal line, original and answer.
const LETTER_WORK: usize = 4;
/// Bytes of a container that cost as much as a row.
const ROW_BYTES: usize = 256;

/// What a writer is built with.
#[derive(Clone)]
pub struct TableWriterParts {
    /// The settling transaction.
    pub settler: Arc<Settler>,
    /// The runtime on which transactions run to their end, whatever becomes of actors.
    pub database_runtime: Handle,
    /// Where written batches go.
    pub ledger: Link<BillingLedger>,
    /// Closed when the database is away.
    pub intake: Intake,
    /// Tells whether anything more is on its way.
    pub hands: Hands,
    /// Most letters in a batch.
    pub batch_letters_max: usize,
    /// Longest wait of a letter for others.
    pub batch_wait: Duration,
}

/// The writers of a process. An agency always has the same one: its letters then wait for each other here, not for a lock.
#[derive(Clone, Default)]
pub struct TableWriters(Arc<[Link<TableWriter>]>);

impl TableWriters {
    /// Joins writers.
    pub fn new(links: Vec<Link<TableWriter>>) -> TableWriters {
        TableWriters(links.into())
    }

    /// Hands each letter to its agency's writer, those of one writer together.
    pub fn send_verified(&self, letters: Vec<(Matricule, Settleable)>) {
        let mut of_writers: Vec<Vec<Settleable>> = self.0.iter().map(|_| Vec::new()).collect();
        for (matricule, settleable) in letters {
            if let Some(at) = self.place(u32::from(matricule) as usize) {
                of_writers[at].push(settleable);
            }
        }
        for (writer, letters) in self.0.iter().zip(of_writers) {
            if !letters.is_empty() {
                writer.hand_on(Verified(letters));
            }
        }
    }

    /// Hands a rejected container to a writer.
    pub fn send_rejected(&self, rejected: Rejected) {
        if let Some(at) = self.place(rejected.0.arrival.container_bytes) {
            self.0[at].hand_on(rejected);
        }
    }

    /// Rejects a container of nobody known.
    pub fn reject(&self, carried: Carried, refusal: Refusal) {
        let arrival = Arrival {
            received_at: carried.received_at,
            source: carried.source,
            container_bytes: carried.container.len(),
            rendered_bytes: carried.container.len(),
            container: carried.container,
            content: Content::Stranger(refusal),
        };
        let (taken_at, share) = (carried.taken_at, carried.share);
        self.send_rejected(Rejected(Settleable { arrival, taken_at, unpacked: Unpacked::default(), share }));
    }

    /// Picks a writer. What it does not take is dropped, and the mail goes back: it is being rebuilt.
    fn place(&self, spread: usize) -> Option<usize> {
        spread.checked_rem(self.0.len())
    }
}

/// See the module.
pub struct TableWriter {
    parts: TableWriterParts,
    guard: Guard,
    pending: Queue<Settleable>,
    /// Since when the oldest of them has been pending.
    pending_since: Instant,
    is_writing: bool,
    is_timer_set: bool,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Tick;

impl TableWriter {
    /// Makes a writer.
    pub fn new(parts: TableWriterParts, guard: Guard) -> TableWriter {
        TableWriter {
            parts,
            guard,
            pending: Queue::default(),
            pending_since: Instant::now(),
            is_writing: false,
            is_timer_set: false,
        }
    }

    fn take(&mut self, letters: Vec<Settleable>, context: &mut Context<TableWriter>) {
        if self.pending.is_empty() {
            self.pending_since = Instant::now();
        }
        // All at once: unwinding from here on, none of them would be the one to blame.
        self.pending.extend(letters.into_iter().map(waiting));
        point("table_writer::take");
        self.write_if_due(context);
    }

    fn write_if_due(&mut self, context: &mut Context<TableWriter>) {
        if self.is_writing || self.pending.is_empty() {
            return;
        }
        // Not since it was fetched: under load every letter has waited, and a batch of few costs each of them more.
        let waited = self.pending_since.elapsed();
        if self.pending.len() >= self.parts.batch_letters_max
            || waited >= self.parts.batch_wait
            || !self.parts.hands.expects_more_than(self.pending.len())
        {
            self.write(context);
        } else if !self.is_timer_set {
            self.is_timer_set = true;
            context.notify_later(Tick, self.parts.batch_wait.saturating_sub(waited));
        }
    }

    fn write(&mut self, context: &mut Context<TableWriter>) {
        self.is_writing = true;
        let taken = self.pending.take(self.parts.batch_letters_max, Instant::now());
        let booking = self.pending.booking(&taken);
        let (batch, duties): (Vec<Arrival>, Vec<Duty>) = taken
            .into_iter()
            .map(|Waiting { item, .. }| {
                (item.arrival, Duty { taken_at: item.taken_at, unpacked: item.unpacked, share: item.share })
            })
            .unzip();
        let settler = Arc::clone(&self.parts.settler);
        let started = Instant::now();
        let task = self.parts.database_runtime.spawn(async move {
            // The duties travel with the batch: unwinding here makes exactly these letters suspect.
            point("table_writer::write");
            (write_batch(&settler, batch).await, duties)
        });
        task.into_actor(self)
            .map(move |done, actor, context| {
                let guard = actor.guard.clone();
                guard.metrics.waited(started.elapsed());
                booking.book(started.elapsed(), Instant::now());
                match done {
                    Ok((outcome, duties)) => {
                        guard.run(context, |context| actor.written(outcome, (duties, booking), context));
                    }
                    Err(failed) if failed.is_panic() => guard.end_after_panic(context, failed.into_panic().as_ref()),
                    Err(_cancelled) => {}
                }
            })
            .spawn(context);
    }

    fn written(
        &mut self,
        outcome: Outcome,
        (duties, booking): (Vec<Duty>, Booking),
        context: &mut Context<TableWriter>,
    ) {
        point("table_writer::written");
        self.is_writing = false;
        match outcome {
            Outcome::Written(written) => {
                self.parts.ledger.hand_on(Written { written: *written, duties, booking });
            }
            Outcome::TakenApart(apart) => {
                self.guard.metrics.fault();
                self.parts.ledger.hand_on(TakenApart { apart, duties });
            }
            Outcome::Unsettled(fault) => {
                self.guard.metrics.fault();
                let letters = duties.len();
                // The intake tells a database that is away, once.
                if !fault.is_away() {
                    tracing::warn!(%fault, letters, "a batch was not settled; its mail stays and comes again");
                }
                self.parts.intake.fault(&fault);
            }
        }
        self.write_if_due(context);
    }
}

/// What became of a batch.
enum Outcome {
    /// Its rows are written.
    Written(Box<settle::Written>),
    /// It met a fault of its own, and was settled in parts.
    TakenApart(settle::Apart),
    /// The world was wrong.
    Unsettled(Fault),
}

/// Writes a batch, in parts where it meets a fault of its own. One that met another transaction is tried once more at once:
/// by then the other one has ended. If it has not, or seems not to, some letter may be what makes them meet.
async fn write_batch(settler: &Settler, batch: Vec<Arrival>) -> Outcome {
    let (written, has_met_others_twice) = match settler.write(batch).await {
        Err(unsettled) if unsettled.fault.is_passing() && !unsettled.fault.is_away() => {
            let again = settler.write(unsettled.batch).await;
            let has_met = again.as_ref().is_err_and(|unsettled| unsettled.fault.is_beside_other_work());
            (again, has_met)
        }
        written => (written, false),
    };
    match written {
        Ok(written) => Outcome::Written(Box::new(written)),
        Err(unsettled) if has_met_others_twice || unsettled.must_be_taken_apart() => {
            Outcome::TakenApart(settler.settle_apart(unsettled).await)
        }
        Err(unsettled) => Outcome::Unsettled(unsettled.fault),
    }
}

/// Puts down whose letter it is and what it asks of the database.
fn waiting(item: Settleable) -> Waiting<Settleable> {
    let agency = item.arrival.signer().map(|signer| signer.matricule);
    Waiting { agency, work: LETTER_WORK + item.arrival.work() + item.arrival.container.len() / ROW_BYTES, item }
}

impl Actor for TableWriter {
    type Context = Context<TableWriter>;

    fn started(&mut self, context: &mut Context<TableWriter>) {
        context.set_mailbox_capacity(crate::MAILBOX_CAPACITY);
    }
}

impl Handler<Verified> for TableWriter {
    type Result = ();

    fn handle(&mut self, verified: Verified, context: &mut Context<TableWriter>) {
        let guard = self.guard.clone();
        guard.run(context, |context| self.take(verified.0, context));
    }
}

impl Handler<Rejected> for TableWriter {
    type Result = ();

    fn handle(&mut self, rejected: Rejected, context: &mut Context<TableWriter>) {
        let guard = self.guard.clone();
        guard.run(context, |context| self.take(vec![rejected.0], context));
    }
}

impl Handler<Tick> for TableWriter {
    type Result = ();

    fn handle(&mut self, _: Tick, context: &mut Context<TableWriter>) {
        let guard = self.guard.clone();
        guard.run(context, |context| {
            self.is_timer_set = false;
            self.write_if_due(context);
        });
    }
}

impl Handler<Heartbeat> for TableWriter {
    type Result = ();

    fn handle(&mut self, _: Heartbeat, _: &mut Context<TableWriter>) {}
}
