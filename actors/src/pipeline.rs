//! Builds the actors, last one first, keeps them supervised, and drains them in the order of the flow.

mod actors;
mod limits;
mod parts;
mod supervisor;

use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;
use sdc::keys::CentreKeys;
use store::certificates::signers::Signers;
use store::ledger::voucher_keys::VoucherKeys;
use store::letters::outbox;
use store::settle::{Settler, SettlingSettings};
use tokio::sync::RwLock;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use uuid::Uuid;

use crate::claims::Claims;
use crate::database_tasks::{DatabaseTasks, Undone};
use crate::gate::Gate;
use crate::refusal_log::RefusalLog;
use crate::room::Hands;
use crate::stop::{StopTeller, stop};
use crate::supervision::Escalation;
use actors::{Shared, keep_house, start_decoders, start_exporters, start_reader, start_sources, start_writers};
pub use limits::Limits;
pub use parts::{PipelineParts, PolledSource, PushedSource};
use supervisor::Supervisor;

/// Each writer keeps one part in so many of the room for payloads, for the held records that letters contradict.
const HELD_PARTS: u32 = 16;
/// Longest wait for a database that is to release leases of answers.
const RELEASE_WAIT_MAX: Duration = Duration::from_secs(2);

/// A running pipeline. Must be built inside a running actix system.
pub struct Pipeline {
    drain: StopTeller,
    end: StopTeller,
    hands: Hands,
    gate: Gate,
    polling: Arc<RwLock<()>>,
    outbox: AnswerLeases,
    escalations: UnboundedReceiver<Escalation>,
    arbiters: Vec<Arbiter>,
}

impl Pipeline {
    /// Builds every actor, last one first, so that each finds its next.
    pub fn start(parts: PipelineParts) -> Pipeline {
        let (drain, draining) = stop();
        let (end, ending) = stop();
        let (escalate, escalations) = unbounded_channel();
        let limits = &parts.limits;
        // The room for held records that letters contradict is taken from that for payloads.
        let held_bytes_max = limits.unpacked_bytes_max / HELD_PARTS;
        let writers = u32::try_from(limits.writers.max(1)).unwrap_or(u32::MAX);
        let settling = SettlingSettings {
            held_bytes_max: held_bytes_max as usize,
            voucher_keys: voucher_keys(&parts.keys),
            issuer: parts.issuer.clone(),
            ..limits.of_settling()
        };
        let shared = Shared {
            hands: Hands::new(
                limits.mails_in_hand_max,
                limits.kilobytes_in_hand_max,
                limits.slow_mails_max,
                limits.unpacked_bytes_max.saturating_sub(held_bytes_max.saturating_mul(writers)).max(1),
            ),
            gate: Gate::default(),
            claims: Arc::new(Claims::default()),
            signers: Arc::new(Signers::new(limits.signers_cached_max)),
            settler: Arc::new(Settler::new(parts.tasks.database.clone(), settling)),
            metrics: Arc::new(parts.metrics.clone()),
            refusals: RefusalLog::default(),
            draining,
            polling: Arc::default(),
            supervisor: Supervisor {
                policy: parts.policy.clone(),
                ending,
                escalate,
                tasks: parts.tasks.clone(),
                process: parts.process,
            },
        };
        parts.metrics.show_in_hand(&shared.hands);
        let mut arbiters = Vec::new();
        let exporters = start_exporters(&parts, &shared, &mut arbiters);
        let writers = start_writers(&parts, &shared, &exporters, &mut arbiters);
        let reader = start_reader(&parts, &shared, &writers, &mut arbiters);
        let decoders = start_decoders(&parts, &shared, (&reader, &writers), &mut arbiters);
        start_sources(&parts, &shared, &decoders, &mut arbiters);
        keep_house(&parts, &shared);
        let Shared { hands, gate, polling, .. } = shared;
        let outbox = AnswerLeases { tasks: parts.tasks.clone(), process: parts.process };
        Pipeline { drain, end, hands, gate, polling, outbox, escalations, arbiters }
    }

    /// Waits until an actor can no longer be kept alive.
    pub async fn escalation(&mut self) -> Option<Escalation> {
        self.escalations.recv().await
    }

    /// Returns how many mails are in hand.
    pub fn mails_in_hand(&self) -> u32 {
        self.hands.in_hand()
    }

    /// Says whether mail may be fetched.
    pub fn is_taking_mail(&self) -> bool {
        self.gate.is_open()
    }

    /// Drains: no more mail is fetched, mail in hand is settled and deleted, then the actors end. Returns whether all mail came back before
    /// the deadline; mail that did not is still in its source.
    pub async fn drain(self, deadline: Duration) -> bool {
        self.drain.tell();
        let came_back = tokio::time::timeout(deadline, async {
            // A poller ends when its mail has come back and is deleted. When all permits can be taken, no mail is in hand.
            drop(self.polling.write().await);
            drop(self.hands.take_all().await);
        })
        .await
        .is_ok();
        self.stop();
        for arbiter in self.arbiters {
            // A thread that panicked has ended as well.
            drop(tokio::task::spawn_blocking(move || arbiter.join()).await);
        }
        if self.gate.is_open() {
            self.outbox.release().await;
        }
        came_back
    }

    /// Stops every actor at once, without waiting: mail in hand is still in its source. The end of a process does the same, but in tests a
    /// pipeline has no process of its own.
    pub fn stop(&self) {
        self.end.tell();
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
    }
}

/// Derives the keys of vouchers. Without them letters that bring one wait, and all others go on.
fn voucher_keys(keys: &CentreKeys) -> VoucherKeys {
    VoucherKeys::of(keys).unwrap_or_else(|error| {
        tracing::error!(%error, "the codes of vouchers cannot be told: letters that bring one wait");
        VoucherKeys::default()
    })
}

/// The answers that this process has leased, to be released once the exporters have ended.
struct AnswerLeases {
    tasks: DatabaseTasks,
    process: Uuid,
}

impl AnswerLeases {
    /// Releases the leases: another process can send the answers at once, and need not wait for the leases to end.
    async fn release(self) {
        let AnswerLeases { tasks, process } = self;
        let database = tasks.database.clone();
        let releasing = async move { outbox::release(&mut *database.get().await?, process).await };
        match tasks.call_within(RELEASE_WAIT_MAX, releasing).await {
            Ok(()) => {}
            Err(Undone::Fault(fault)) => tracing::debug!(%fault, "the leases of answers end by themselves"),
            Err(Undone::LeftBehind) => tracing::debug!("the leases of answers end by themselves"),
        }
    }
}
