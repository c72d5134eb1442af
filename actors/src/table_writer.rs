//! Gathers letters into batches and writes their rows. The writer opens one transaction per batch and hands it on to the ledger.
//!
//! A batch closes when it has enough letters, after a short wait, or immediately if no more letters are being processed. While one batch is
//! being written the next one gathers, so that batches grow with the load. All writers share one queue (`writer_time`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, ContextFutureSpawner, Handler, Message, WrapFuture};
use sdc::enrolment::Enrolment;
use sdc::letter::Matricule;
use sdc::refusal::Refusal;
use store::database::fault::Fault;
use store::planted::point;
use store::settle::{Apart, Arrival, Settler, Written};
use tokio::sync::Notify;

use crate::billing_ledger::BillingLedger;
use crate::database_tasks::DatabaseTasks;
use crate::gate::Gate;
use crate::messages::{Carried, Rejected, TakenApart, VerifiedLetters, WrittenBatch};
use crate::provenance::{Duty, Original, Settleable};
use crate::room::{Hands, LOOK_AGAIN};
use crate::supervision::{Guard, Guarded, Heartbeat, Link};
use crate::writer_time::{Batch, Booking, Queue, Waiting, WorkedTime};

/// The work of a batch is limited, and is counted in rows. This is the work of a letter in addition to its own rows: for its verdict,
/// journal line, original and answer.
const LETTER_WORK: usize = 4;
/// Number of a container's bytes that count as the work of one row.
const ROW_BYTES: usize = 256;

/// Parts that a writer is built from.
#[derive(Clone)]
pub struct TableWriterParts {
    /// Opens the transaction of a batch, decides about its letters and writes their rows.
    pub settler: Arc<Settler>,
    /// Runtime on which transactions run to their end, even if their actor ends.
    pub tasks: DatabaseTasks,
    /// The ledger that gets written batches.
    pub ledger: Link<BillingLedger>,
    /// Gate that is closed while the database cannot be reached.
    pub gate: Gate,
    /// Counts the mails that are being processed, and those that have come to a writer. The rest may still arrive.
    pub hands: Hands,
    /// Largest number of letters in a batch.
    pub batch_letters_max: usize,
    /// Longest time that a letter waits for others to join its batch.
    pub batch_wait: Duration,
    /// The letters that wait for a writer.
    pub pending: Arc<Pending>,
}

/// The letters that wait for any of the writers.
pub struct Pending {
    queue: Mutex<Queue<Settleable>>,
    /// Wakes a writer that may be idle.
    changed: Notify,
}

impl Pending {
    /// Makes the queue of so many writers.
    pub fn of_writers(writers: usize) -> Pending {
        Pending { queue: Mutex::new(Queue::of_writers(writers)), changed: Notify::new() }
    }

    fn locked(&self) -> MutexGuard<'_, Queue<Settleable>> {
        // Each operation leaves the queue valid, so it can be used even if a thread has panicked while it held the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writers of a process. They take their letters from one queue. Two writers never take letters of one agency at the same time: one of
/// them would hold the lock on the agency's account, and the other would wait for it with all other letters of its batch.
#[derive(Clone, Default)]
pub struct TableWriters(Arc<[Link<TableWriter>]>);

impl TableWriters {
    /// Makes a set of these writers.
    pub fn new(links: Vec<Link<TableWriter>>) -> TableWriters {
        TableWriters(links.into())
    }

    /// Hands letters to the writers; each writer gets its letters in one message.
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

    /// Records which agency has signed a container, or that no known agency has. A mail with too many documents is not searched to its end;
    /// with the last container that was found, the whole mail may have to be kept. If so, hands it on to a writer.
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

    /// Hands on the first letter of an installation as a rejected container. Settling decides whether its enrolment code is valid.
    pub fn enrol(&self, carried: Carried, rendered_bytes: usize, enrolment: Enrolment) {
        let Carried { provenance, container, share, .. } = carried;
        let original = Original { rendered_bytes, ..Original::of(container) };
        self.send_rejected(Rejected(provenance.enrolling(original, enrolment, share)));
    }

    /// Picks a writer's index by a number that spreads the letters over the writers.
    fn place(&self, spread: usize) -> Option<usize> {
        spread.checked_rem(self.0.len())
    }
}

/// One of the writers of a process. It gathers letters into batches and writes their rows.
pub struct TableWriter {
    parts: TableWriterParts,
    guard: Guard,
    is_writing: bool,
    is_timer_set: bool,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Tick;

impl TableWriter {
    /// Makes a writer.
    pub fn new(parts: TableWriterParts, guard: Guard) -> TableWriter {
        TableWriter { parts, guard, is_writing: false, is_timer_set: false }
    }

    fn take(&mut self, letters: Vec<Settleable>, context: &mut Context<TableWriter>) {
        let hands = &self.parts.hands;
        let gathered = letters.into_iter().map(|mut letter| {
            letter.duty.gathered = Some(hands.gather_at_writer());
            waiting(letter)
        });
        self.parts.pending.locked().extend(gathered, Instant::now());
        // The letters are queued before `point`, where tests cause panics. A panic makes suspects of the letters that the running call
        // still owns, and of no others.
        point("table_writer::take");
        if self.is_writing {
            self.parts.pending.changed.notify_one();
        }
        self.write_if_due(context);
    }

    fn write_if_due(&mut self, context: &mut Context<TableWriter>) {
        if self.is_writing {
            return;
        }
        let now = Instant::now();
        let pending = self.parts.pending.locked();
        if pending.is_empty() {
            return;
        }
        // The wait is measured from the letter's arrival at the writers, not from its fetch. Under load every letter has waited long since
        // its fetch. Batches would then close immediately and stay small, and each letter would cost more.
        let to_wait = if !self.parts.hands.expects_at_writer() {
            Duration::ZERO
        } else if pending.len() >= self.parts.batch_letters_max {
            pending.pause(now)
        } else {
            self.parts.batch_wait.saturating_sub(pending.waited(now)).max(pending.pause(now))
        };
        drop(pending);
        if to_wait.is_zero() {
            self.write(context);
        } else {
            self.look_again(to_wait.min(LOOK_AGAIN), context);
        }
    }

    fn look_again(&mut self, after: Duration, context: &mut Context<TableWriter>) {
        if !self.is_timer_set {
            self.is_timer_set = true;
            context.notify_later(Tick, after);
        }
    }

    /// Looks for letters whenever some have come to a writer that is busy, or a writer is done with a batch.
    fn look_when_woken(&self, context: &mut Context<TableWriter>) {
        let pending = Arc::clone(&self.parts.pending);
        async move { pending.changed.notified().await }
            .into_actor(self)
            .map(|(), actor, context| {
                let guard = actor.guard.clone();
                guard.run(context, |context| {
                    actor.write_if_due(context);
                    actor.look_when_woken(context);
                });
            })
            .spawn(context);
    }

    fn write(&mut self, context: &mut Context<TableWriter>) {
        let taken = self.parts.pending.locked().take(self.parts.batch_letters_max, Instant::now());
        let Batch { letters, booking, being_written } = taken;
        if letters.is_empty() {
            return self.look_again(LOOK_AGAIN, context);
        }
        self.is_writing = true;
        let (batch, duties): (Vec<Arrival>, Vec<Duty>) =
            letters.into_iter().map(|Waiting { item: Settleable { arrival, duty }, .. }| (arrival, duty)).unzip();
        let (settler, worked) = (Arc::clone(&self.parts.settler), WorkedTime::of(&booking));
        let work = async move {
            // The duties of the batch are part of this task, so a panic in it makes suspects of exactly these letters.
            point("table_writer::write");
            (write_batch(&settler, batch).await, duties)
        };
        self.parts.tasks.run(self, context, work, |actor, (end, duties), context| {
            drop((worked, being_written));
            actor.parts.pending.changed.notify_one();
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
                // The gate logs once that the database cannot be reached.
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
    /// The rows of the batch are written.
    Written(Box<Written>),
    /// The batch caused a fault and was settled in parts.
    TakenApart(Apart),
    /// A fault that the batch did not cause ended the writing. Nothing of the batch is committed.
    Unsettled(Fault),
}

/// Writes a batch. If the batch causes a fault, writes it in parts. A batch that collides with another transaction is tried a second time
/// without a pause, since the other transaction has usually ended by then. After a second collision a letter of the batch may be the cause,
/// so the batch is taken apart.
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

/// Makes a queue entry of a letter, with its agency and its work in rows.
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
        self.look_when_woken(context);
        // A former life of this writer may have left letters in the queue.
        self.write_if_due(context);
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
