//! Gathers letters into batches and writes their rows, each batch in a transaction that the writer opens and hands on.
//!
//! A batch closes at a number of letters, after a short wait, or at once when no more letters are on their way. While one batch is being
//! written the next one gathers, so that batches grow with the load.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, Message};
use sdc::enrolment::Enrolment;
use sdc::letter::Matricule;
use sdc::refusal::Refusal;
use store::database::fault::Fault;
use store::planted::point;
use store::settle::{Apart, Arrival, Settler, Written};

use crate::billing_ledger::BillingLedger;
use crate::database_tasks::DatabaseTasks;
use crate::gate::Gate;
use crate::messages::{Carried, Rejected, TakenApart, VerifiedLetters, WrittenBatch};
use crate::provenance::{Duty, Original, Settleable};
use crate::room::Hands;
use crate::supervision::{Guard, Guarded, Heartbeat, Link};
use crate::writer_time::{Booking, Queue, Waiting, WorkedTime};

/// Work of a letter beside its rows, in rows: its verdict, journal line, original and answer.
const LETTER_WORK: usize = 4;
/// So many bytes of a container are as much work as a row.
const ROW_BYTES: usize = 256;

/// What a writer is built with.
#[derive(Clone)]
pub struct TableWriterParts {
    /// The settling transaction.
    pub settler: Arc<Settler>,
    /// Where transactions run to their end, whatever becomes of actors.
    pub tasks: DatabaseTasks,
    /// Where written batches go.
    pub ledger: Link<BillingLedger>,
    /// Closed when the database is away.
    pub gate: Gate,
    /// Tells whether more letters are on their way.
    pub hands: Hands,
    /// Most letters in a batch.
    pub batch_letters_max: usize,
    /// Longest wait of a letter for others.
    pub batch_wait: Duration,
}

/// The writers of a process. An agency always has the same writer: its letters then wait for each other in one queue, not for a lock.
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
                writer.hand_on(VerifiedLetters(letters));
            }
        }
    }

    /// Hands a rejected container to a writer.
    pub fn send_rejected(&self, rejected: Rejected) {
        if let Some(at) = self.place(rejected.0.arrival.container_bytes) {
            self.0[at].hand_on(rejected);
        }
    }

    /// Says which agency has signed a container, or that no known one has, and hands on what is then to be kept of its mail.
    pub fn conclude(&self, carried: &mut Carried, signer: Option<Matricule>) {
        if let Some(left) = carried.conclude(signer) {
            self.send_rejected(left);
        }
    }

    /// Rejects a container that no registered key has signed.
    pub fn reject(&self, carried: Carried, refusal: Refusal) {
        let Carried { provenance, container, share, .. } = carried;
        self.send_rejected(Rejected(provenance.refused(Original::of(container), refusal, share)));
    }

    /// Hands on the first letter of an installation, among those of strangers: it is settled whether its sender may come.
    pub fn enrol(&self, carried: Carried, rendered_bytes: usize, enrolment: Enrolment) {
        let Carried { provenance, container, share, .. } = carried;
        let original = Original { rendered_bytes, ..Original::of(container) };
        self.send_rejected(Rejected(provenance.enrolling(original, enrolment, share)));
    }

    /// Picks a writer. A writer that is being rebuilt takes no message: the message is dropped, and its mail returns to its source.
    fn place(&self, spread: usize) -> Option<usize> {
        spread.checked_rem(self.0.len())
    }
}

/// See the module.
pub struct TableWriter {
    parts: TableWriterParts,
    guard: Guard,
    pending: Queue<Settleable>,
    /// Since when the oldest pending letter has been pending.
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
        // Queued before `point`, where tests panic: a panic makes suspects of the letters that the running call still holds, while
        // those in the queue return to their sources (`custody::Share`).
        self.pending.extend(letters.into_iter().map(waiting));
        point("table_writer::take");
        self.write_if_due(context);
    }

    fn write_if_due(&mut self, context: &mut Context<TableWriter>) {
        if self.is_writing || self.pending.is_empty() {
            return;
        }
        // Counted since the letter came here, not since it was fetched: under load every letter has waited long before, and small batches
        // would cost each letter more.
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
        let (batch, duties): (Vec<Arrival>, Vec<Duty>) =
            taken.into_iter().map(|Waiting { item: Settleable { arrival, duty }, .. }| (arrival, duty)).unzip();
        let (settler, worked) = (Arc::clone(&self.parts.settler), WorkedTime::of(&booking));
        let work = async move {
            // The duties travel with the batch: a panic in here makes suspects of exactly these letters.
            point("table_writer::write");
            (write_batch(&settler, batch).await, duties)
        };
        self.parts.tasks.run(self, context, work, |actor, (end, duties), context| {
            drop(worked);
            actor.written(end, (duties, booking), context);
        });
    }

    fn written(&mut self, end: WriteEnd, (duties, booking): (Vec<Duty>, Booking), context: &mut Context<TableWriter>) {
        point("table_writer::written");
        self.is_writing = false;
        match end {
            WriteEnd::Written(written) => {
                self.parts.ledger.hand_on(WrittenBatch { written: *written, duties, booking });
            }
            WriteEnd::TakenApart(apart) => {
                self.guard.metrics.fault();
                self.parts.ledger.hand_on(TakenApart { apart, duties });
            }
            WriteEnd::Unsettled(fault) => {
                self.guard.metrics.fault();
                let letters = duties.len();
                // The gate logs a database that is away, once.
                if !fault.is_away() {
                    tracing::warn!(%fault, letters, "a batch was not settled; its mail stays and comes again");
                }
                self.parts.gate.fault(&fault);
            }
        }
        self.write_if_due(context);
    }
}

/// How the writing of a batch ends.
enum WriteEnd {
    /// Its rows are written.
    Written(Box<Written>),
    /// It met a fault of its own, and was settled in parts.
    TakenApart(Apart),
    /// It met a fault of the world, and nothing of it is committed.
    Unsettled(Fault),
}

/// Writes a batch, in parts where it meets a fault of its own. A batch that collides with another transaction is tried once more at once,
/// when the other transaction has mostly ended. After a second collision some letter may be the cause, and the batch is taken apart.
async fn write_batch(settler: &Settler, batch: Vec<Arrival>) -> WriteEnd {
    let (written, has_met_others_twice) = match settler.write(batch).await {
        Err(unsettled) if unsettled.fault.is_passing() && !unsettled.fault.is_away() => {
            let again = settler.write(unsettled.batch).await;
            let has_met = again.as_ref().is_err_and(|unsettled| unsettled.fault.is_beside_other_work());
            (again, has_met)
        }
        written => (written, false),
    };
    match written {
        Ok(written) => WriteEnd::Written(Box::new(written)),
        Err(unsettled) if has_met_others_twice || unsettled.must_be_taken_apart() => {
            WriteEnd::TakenApart(settler.settle_apart(unsettled).await)
        }
        Err(unsettled) => WriteEnd::Unsettled(unsettled.fault),
    }
}

/// Makes a letter an entry of the queue, with its agency and its work.
fn waiting(item: Settleable) -> Waiting<Settleable> {
    let agency = item.arrival.signer().map(|signer| signer.matricule);
    Waiting { agency, work: LETTER_WORK + item.arrival.work() + item.arrival.container.len() / ROW_BYTES, item }
}

impl Guarded for TableWriter {
    fn guard(&self) -> &Guard {
        &self.guard
    }
}

impl Actor for TableWriter {
    type Context = Context<TableWriter>;

    fn started(&mut self, context: &mut Context<TableWriter>) {
        context.set_mailbox_capacity(crate::MAILBOX_CAPACITY);
    }
}

impl Handler<VerifiedLetters> for TableWriter {
    type Result = ();

    fn handle(&mut self, verified: VerifiedLetters, context: &mut Context<TableWriter>) {
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
