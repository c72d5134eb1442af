//! A process without a database and without keys. It receives pushed mail and hands it to the carrier. It opens no mail, so nothing that
//! strangers send is taken apart where they reach it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::carrier::{Carrier, CarrierFault};
use actix::Arbiter;
use tokio::sync::RwLock;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::actors::push_intake;
use super::parts::ReceptionParts;
use super::supervisor::Supervisor;
use crate::admission::lender::Reception;
use crate::admission::lender::carrying::Carrying;
use crate::answer_desk::AnswerDesk;
use crate::at_work::AtWork;
use crate::carrier_poller::watch_promise;
use crate::metrics::Metrics;
use crate::push_intake::PushIntake;
use crate::stop::{Stop, StopTeller, stop};
use crate::supervision::{Escalation, Link};

/// Time between two looks at what the servers of the carrier promise.
const PROMISE_EVERY: Duration = Duration::from_secs(60);

/// The running actors of a process that only receives mail. Must be built inside a running actix system.
pub struct ReceptionPipeline {
    drain: StopTeller,
    end: StopTeller,
    polling: Arc<RwLock<()>>,
    escalations: UnboundedReceiver<Escalation>,
    is_lost: Arc<AtomicBool>,
    arbiters: Vec<Arbiter>,
    carrying: Carrying,
}

impl ReceptionPipeline {
    /// Starts an actor for each source.
    pub fn start(parts: ReceptionParts) -> ReceptionPipeline {
        let (drain, draining) = stop();
        let (end, ending) = stop();
        let (escalate, escalations) = unbounded_channel();
        let (is_lost, polling) = (Arc::<AtomicBool>::default(), Arc::default());
        let supervisor = Supervisor {
            policy: parts.policy.clone(),
            ending: ending.clone(),
            escalate,
            records: None,
            is_lost: Arc::clone(&is_lost),
        };
        let metrics = Arc::new(parts.metrics.clone());
        let carrying = Carrying::new(parts.carrier.clone(), parts.runtime.clone(), parts.kilobytes_max);
        let desk = AnswerDesk::asking(parts.carrier.clone());
        let arbiter = Arbiter::new();
        for pushed in &parts.pushed {
            metrics.begin_mailbox(&pushed.name, pushed.no_container);
            let reception = Reception {
                name: pushed.name.as_str().into(),
                facts: pushed.transport.facts(),
                no_container: pushed.no_container,
                patience: pushed.patience,
                drain: draining.clone(),
                metrics: Arc::clone(&metrics),
                here: None,
                carrying: Some(carrying.clone()),
            };
            let intake = push_intake(pushed, reception, &desk, &polling);
            let link = Link::new(metrics.actor("push_intake"));
            let make = move |guard| PushIntake::new(intake.clone(), guard);
            supervisor.keep(&link, (&arbiter, &AtWork::default()), make);
        }
        parts.runtime.spawn(keep_watch(parts.carrier, metrics, ending));
        ReceptionPipeline { drain, end, polling, escalations, is_lost, arbiters: vec![arbiter], carrying }
    }

    /// Waits until the supervisor gives an actor up, and returns the reason. The process must then end.
    pub async fn escalation(&mut self) -> Option<Escalation> {
        self.escalations.recv().await
    }

    /// Says whether every actor is watched by its supervisor.
    pub fn is_supervised(&self) -> bool {
        !self.is_lost.load(Ordering::Relaxed)
    }

    /// Says whether the carrier is connected and has the partitions of this process, so that mail can be taken.
    pub fn is_taking_mail(&self) -> bool {
        self.carrying.carrier.is_fit()
    }

    /// Says whether there is room for one more mail.
    pub fn has_room(&self) -> bool {
        self.carrying.room.available_permits() > 0
    }

    /// Drains the actors: no more mail is taken, and senders that wait are answered. Returns whether all were answered before the deadline;
    /// the others keep their mail.
    pub async fn drain(self, deadline: Duration) -> bool {
        self.drain.tell();
        let is_answered = tokio::time::timeout(deadline, async { drop(self.polling.write().await) }).await.is_ok();
        self.stop();
        for arbiter in self.arbiters {
            // `join` fails if the thread has panicked. Such a thread has ended too, and that is all that is waited for.
            drop(tokio::task::spawn_blocking(move || arbiter.join()).await);
        }
        is_answered
    }

    /// Stops every actor without waiting. Senders keep the mail for which they have no answer.
    pub fn stop(&self) {
        self.end.tell();
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
    }
}

async fn keep_watch(carrier: Carrier, metrics: Arc<Metrics>, ending: Stop) {
    while !ending.is_told() {
        watch_promise(&carrier, &metrics.carrier).await;
        if let Err(fault @ CarrierFault::Partitions { .. }) = carrier.require_partitions().await {
            tracing::error!(%fault, "no mail is taken");
        }
        tokio::select! {
            () = ending.told() => {}
            () = tokio::time::sleep(PROMISE_EVERY) => {}
        }
    }
}
