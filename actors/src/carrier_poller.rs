//! Takes mail from the carrier and lends it to the actors. The carrier's stream has partitions, and a lease decides which process takes the
//! mail of which partition. The lease is only for quiet and for the order of letters: if two processes take the same mail, settling
//! recognises its letters.
//!
//! A mail is acknowledged to the carrier after its commit. Where its sender waits, the sender's process gets a notice of the fate, and the
//! sender keeps a mail that is not settled: the carrier then forgets its copy, so that the mail is not settled behind its sender's back
//! while the sender sends it again. Where the sender was answered before, the carrier keeps the mail until it is settled.

mod parcel;
mod partition;
mod questions;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use ::carrier::Carrier;
use tokio::sync::{RwLock, Semaphore};
use tokio::task::JoinSet;

use crate::admission::lender::Patience;
use crate::admission::lender::here::HereLender;
use crate::admission::source::Admission;
use crate::answer_desk::AnswerDesk;
use crate::lifelong::{LifeWork, Lifelong};
use crate::supervision::Guard;
pub(crate) use watch::watch_promise;

/// Name of the carrier as a source, in the log, on metrics, and in `xm.in_hand`. No other source may have it.
pub const NAME: &str = "carrier";
/// A mail that was taken is kept for this long while the database cannot be reached. It is less than the time after which its sender is
/// asked to send it again, so that the sender's mail is rarely settled after that.
pub const HOLD: Duration = Duration::from_secs(55);
/// Time after which a mail is given back whatever happens to it.
pub const ANSWER: Duration = Duration::from_secs(60);
/// Pause before another try after a fault.
const PAUSE: Duration = Duration::from_secs(1);

/// What a carrier poller is built with.
#[derive(Clone)]
pub struct CarrierPollerParts {
    /// The carrier as a source: limits, database, metrics.
    pub source: Admission,
    /// The carrier.
    pub carrier: Carrier,
    /// Hands out answers to offices that are connected to processes without a database.
    pub desk: AnswerDesk,
    /// Largest number of kilobytes of mail that are taken and not settled, in addition to one pull of each partition.
    pub kilobytes_max: u32,
    /// Lock that is held for reading until no taken mail is being processed. Draining takes the lock for writing, and so waits for this
    /// actor.
    pub polling: Arc<RwLock<()>>,
}

/// An actor that takes mail from the carrier.
pub type CarrierPoller = Lifelong<CarrierPollerParts>;

/// Returns the name of a partition's lease.
pub fn lease_of(partition: u16) -> String {
    format!("{NAME}:{partition}")
}

/// What the tasks of one life share.
struct Life {
    parts: CarrierPollerParts,
    lender: HereLender,
    /// Bounds the kilobytes that are taken and not settled.
    room: Arc<Semaphore>,
}

impl LifeWork for CarrierPollerParts {
    async fn work(self, guard: Guard) {
        let _polling = self.polling.read().await;
        while !self.source.drain.is_told() {
            tokio::select! {
                () = self.source.gate.open() => {}
                () = self.source.drain.told() => return,
            }
            let patience = Patience { hold: HOLD, answer: ANSWER };
            match HereLender::begin(self.source.clone(), patience, guard.metrics.clone()).await {
                Ok(lender) => live(&self, lender).await,
                Err(fault) => {
                    guard.metrics.fault();
                    tracing::debug!(%fault, "no mail is taken from the carrier before the database answers");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = self.source.drain.told() => return,
            }
        }
    }
}

/// Takes mail until the process drains and everything that was taken has its fate, or until a task has ended otherwise.
async fn live(parts: &CarrierPollerParts, lender: HereLender) {
    let partitions = parts.carrier.settings().partitions;
    let permits = parts.kilobytes_max as usize + usize::from(partitions) * partition::PULL_KILOBYTES as usize;
    let room = Arc::new(Semaphore::new(permits));
    let life = Arc::new(Life { parts: parts.clone(), lender: lender.clone(), room });
    let runtime = &parts.source.tasks.runtime;
    let (mut partition_tasks, mut beside) = (JoinSet::new(), JoinSet::new());
    for partition in 0..partitions {
        partition_tasks.spawn_on(partition::serve(Arc::clone(&life), partition), runtime);
    }
    beside.spawn_on(questions::answer(Arc::clone(&life)), runtime);
    beside.spawn_on(watch::watch(Arc::clone(&life)), runtime);
    tokio::select! {
        () = lender.is_broken() => tracing::warn!("the task that records mail of the carrier has ended: it begins anew"),
        // The tasks beside the partitions work until they are dropped, so one that ends has panicked.
        _ = beside.join_next() => tracing::warn!("a task of the carrier has panicked: all of them begin anew"),
        () = all(&mut partition_tasks) => {}
    }
}

/// Waits until every task has ended, or one has panicked.
async fn all(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if ended.is_err() {
            tracing::warn!("a partition of the carrier has panicked: all of them begin anew");
            return;
        }
    }
}
