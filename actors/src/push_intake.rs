//! Runs over one pushed source: lets its senders in, and ends when what they have pushed is settled.
//!
//! Nothing is kept here. Each sender holds the only copy of its mail until the fate of the mail's share is told to it; whoever is cut
//! off meanwhile, by a panic or a kill, sends it again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, Context, ContextFutureSpawner, Handler, WrapFuture};
use futures_util::FutureExt;
use tokio::sync::RwLock;

use crate::admission::{Admission, Lender};
use crate::outage::Outage;
use crate::supervision::{Guard, Heartbeat};
use crate::transport::Pushed;

/// First and longest pause before a source that cannot listen, or a database that fails, is tried again.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// How long the last senders have to take their answers, when the process drains.
const ANSWERS_WAIT: Duration = Duration::from_millis(500);

/// What an intake is built with.
#[derive(Clone)]
pub struct PushIntakeParts {
    /// What its mail passes.
    pub source: Admission,
    /// How mail comes.
    pub transport: Arc<dyn Pushed>,
    /// Held for reading until nothing that was pushed is in hand, so that draining can wait for that.
    pub polling: Arc<RwLock<()>>,
}

/// See the module.
pub struct PushIntake {
    parts: PushIntakeParts,
    guard: Guard,
}

impl PushIntake {
    /// Makes an intake.
    pub fn new(parts: PushIntakeParts, guard: Guard) -> PushIntake {
        PushIntake { parts, guard }
    }
}

impl Actor for PushIntake {
    type Context = Context<PushIntake>;

    fn started(&mut self, context: &mut Context<PushIntake>) {
        let listening = listen_until_drained(self.parts.clone(), self.guard.clone());
        std::panic::AssertUnwindSafe(listening)
            .catch_unwind()
            .into_actor(self)
            .map(|ended, actor, context| {
                if let Err(panic) = ended {
                    actor.guard.clone().end_after_panic(context, panic.as_ref());
                }
            })
            .spawn(context);
    }
}

impl Handler<Heartbeat> for PushIntake {
    type Result = ();

    fn handle(&mut self, _: Heartbeat, _: &mut Context<PushIntake>) {}
}

/// Listens until the process drains, and answers then whoever waits for the fate of a mail.
async fn listen_until_drained(parts: PushIntakeParts, guard: Guard) {
    let _polling = parts.polling.read().await;
    let PushIntakeParts { source, transport, .. } = &parts;
    let mut outage = Outage::default();
    let mut pause = PAUSE_MIN;
    while !source.drain.is_told() {
        tokio::select! {
            () = source.intake.open() => {}
            () = source.drain.told() => return,
        }
        match Lender::begin(source.clone(), guard.metrics.clone()).await {
            Ok(lender) => {
                source.metrics.reached(&source.name, true);
                let began = Instant::now();
                let fault = tokio::select! {
                    fault = transport.listen(lender.clone()) => fault,
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
                tracing::debug!(mailbox = &*source.name, %fault, "no mail is taken before the database answers");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = source.drain.told() => return,
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Waits, once the process drains, for the fate of every mail, and a little for its sender to take the answer.
async fn drained(source: &Admission, lender: &Lender) {
    source.drain.told().await;
    lender.idle().await;
    tokio::time::sleep(ANSWERS_WAIT).await;
}
