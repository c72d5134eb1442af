//! Serves one pushed source. Accepts mail from its senders until the process drains, and ends once every pushed mail has its fate.
//!
//! No mail is stored here. Each sender keeps the only copy of its mail until it gets the answer about the mail's fate. A sender that gets
//! no answer, because of a panic or a kill, sends the mail again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::RwLock;

use crate::admission::lender::{Lender, Reception};
use crate::answer_desk::AnswerDesk;
use crate::lifelong::{LifeWork, Lifelong};
use crate::outage::Outage;
use crate::supervision::Guard;
use crate::transport::TransportFault;
use crate::transport::pushed::Pushed;

/// First pause before another try when the source cannot listen or the database fails. Each pause is twice as long as the one before.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// Longest pause before another try when the source cannot listen or the database fails.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Time that the last senders have to receive their answers when the process drains.
const ANSWERS_WAIT: Duration = Duration::from_millis(500);

/// What a push intake is built with.
#[derive(Clone)]
pub struct PushIntakeParts {
    /// The source's settings, and where its mail goes.
    pub source: Reception,
    /// Transport by which the mail is pushed.
    pub transport: Arc<dyn Pushed>,
    /// The answer desk, for senders that wait for the answers to their letters.
    pub desk: AnswerDesk,
    /// Lock that is held for reading until no pushed mail is being processed. Draining takes the lock for writing, and so waits for this
    /// actor.
    pub polling: Arc<RwLock<()>>,
}

/// An actor that accepts the mail of one pushed source.
pub type PushIntake = Lifelong<PushIntakeParts>;

impl LifeWork for PushIntakeParts {
    async fn work(self, guard: Guard) {
        let _polling = self.polling.read().await;
        listen_until_drained(&self, &guard).await;
    }
}

/// Listens until the process drains, and then answers the senders that wait for a fate.
async fn listen_until_drained(parts: &PushIntakeParts, guard: &Guard) {
    let PushIntakeParts { source, transport, .. } = parts;
    let mut outage = Outage::default();
    let mut pause = PAUSE_MIN;
    while !source.drain.is_told() {
        tokio::select! {
            () = opened(source) => {}
            () = source.drain.told() => return,
        }
        match Lender::begin(source, guard.metrics.clone()).await {
            Ok(lender) => {
                let began = Instant::now();
                let fault = tokio::select! {
                    fault = transport.listen(lender.clone(), parts.desk.clone()) => fault,
                    () = lender.is_broken() => TransportFault {
                        step: "settings",
                        words: "the task that records pushed mail has ended".to_owned(),
                    },
                    () = drained(source, &lender) => return,
                };
                source.metrics.reached(&source.name, false);
                if began.elapsed() > PAUSE_MAX {
                    (outage, pause) = (Outage::default(), PAUSE_MIN);
                }
                if let Some(tries) = outage.failed(&fault.to_string(), Instant::now()) {
                    let noun = source.facts.noun;
                    tracing::warn!(mailbox = &*source.name, tries, %fault, "the {noun} takes no mail: its senders keep it");
                }
            }
            Err(fault) => {
                guard.metrics.fault();
                tracing::debug!(mailbox = &*source.name, %fault, "no mail is taken before the database or the carrier answers");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = source.drain.told() => return,
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Waits until the database, if the process has one, can be reached.
async fn opened(source: &Reception) {
    if let Some(admission) = &source.here {
        admission.gate.open().await;
    }
}

/// Waits until the process drains and every mail has its fate, and then a little longer, so that the senders receive their answers.
async fn drained(source: &Reception, lender: &Lender) {
    source.drain.told().await;
    lender.idle().await;
    tokio::time::sleep(ANSWERS_WAIT).await;
}
