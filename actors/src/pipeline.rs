//! Builds the actors, last one first, keeps them supervised, and drains them in the order of the flow.

mod actors;
mod parts;
mod supervisor;

use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;
use store::certificates::signers::Signers;
use store::database::Database;
use store::letters::outbox;
use store::settle::{Settler, SettlingSettings};
use tokio::runtime::Handle;
use tokio::sync::RwLock;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use uuid::Uuid;

use crate::admission::lanes::Claims;
use crate::intake::Intake;
use crate::refusal_log::RefusalLog;
use crate::room::Hands;
use crate::stop::{StopTeller, stop};
use crate::supervision::Escalation;
use actors::{Shared, keep_house, start_decoders, start_exporters, start_sources, start_writers};
pub use parts::{PipelineParts, PolledSource, PushedSource, Widths};
use supervisor::Supervisor;

/// The room for payloads that each writer keeps for records held that letters contradict: one part in so many.
const HELD_PARTS: u32 = 16;
/// Longest wait for a database that is to take claims back.
const RELEASE_WAIT_MAX: Duration = Duration::from_secs(2);

/// A running pipeline. Must be built inside a running actix system.
pub struct Pipeline {
    drain: StopTeller,
    end: StopTeller,
    hands: Hands,
    intake: Intake,
    polling: Arc<RwLock<()>>,
    outbox: OutboxClaims,
    escalations: UnboundedReceiver<Escalation>,
    arbiters: Vec<Arbiter>,
}

impl Pipeline {
    /// Builds every actor, last one first, so that each finds its next.
    pub fn start(parts: PipelineParts) -> Pipeline {
        let (drain, draining) = stop();
        let (end, ending) = stop();
        let (escalate, escalations) = unbounded_channel();
        let widths = parts.widths.clone();
        // What is held of contradicted records takes its room out of that of payloads.
        let held_bytes_max = widths.unpacked_bytes_max / HELD_PARTS;
        let writers = u32::try_from(widths.writers.max(1)).unwrap_or(u32::MAX);
        let settling = SettlingSettings { held_bytes_max: held_bytes_max as usize, ..parts.settling };
        let shared = Shared {
            hands: Hands::new(
                widths.mails_in_hand_max,
                widths.kilobytes_in_hand_max,
                widths.slow_mails_max,
                widths.unpacked_bytes_max.saturating_sub(held_bytes_max.saturating_mul(writers)).max(1),
            ),
            intake: Intake::default(),
            claims: Arc::new(Claims::default()),
            signers: Arc::new(Signers::new(widths.signers_cached_max)),
            settler: Arc::new(Settler::new(parts.database.clone(), settling)),
            metrics: Arc::new(parts.metrics.clone()),
            refusals: RefusalLog::default(),
            draining,
            polling: Arc::default(),
            supervisor: Supervisor {
                policy: parts.policy.clone(),
                ending,
                escalate,
                database: parts.database.clone(),
                database_runtime: parts.database_runtime.clone(),
                process: parts.process,
            },
        };
        parts.metrics.show_in_hand(&shared.hands);
        let mut arbiters = Vec::new();
        let exporters = start_exporters(&parts, &shared, &mut arbiters);
        let writers = start_writers(&parts, &shared, &exporters, &mut arbiters);
        let decoders = start_decoders(&parts, &shared, &writers, &mut arbiters);
        start_sources(&parts, &shared, &decoders, &mut arbiters);
        keep_house(&parts, &shared);
        let Shared { hands, intake, polling, .. } = shared;
        let outbox = OutboxClaims {
            database: parts.database.clone(),
            runtime: parts.database_runtime.clone(),
            process: parts.process,
        };
        Pipeline { drain, end, hands, intake, polling, outbox, escalations, arbiters }
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
        self.intake.is_open()
    }

    /// Drains: no more mail is fetched, what is in hand is settled and deleted, then the actors end. Returns whether
    /// everything came back before the deadline; what did not is in its mailbox still.
    pub async fn drain(self, deadline: Duration) -> bool {
        self.drain.tell();
        let came_back = tokio::time::timeout(deadline, async {
            // A poller ends when its mail has come back and is deleted; every permit back means nothing is in hand.
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
        if self.intake.is_open() {
            self.outbox.give_up().await;
        }
        came_back
    }

    /// Stops every actor where it stands, without waiting: what is in hand is in its mailbox still. The end of a process does it
    /// too, but not every pipeline has a process of its own.
    pub fn stop(&self) {
        self.end.tell();
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
    }
}

/// What the exporters have claimed of the outbox, to be given up once they have ended.
struct OutboxClaims {
    database: Database,
    runtime: Handle,
    process: Uuid,
}

impl OutboxClaims {
    /// Lets another program send at once what was claimed here and is not sent: else it waits for the claims' end.
    async fn give_up(self) {
        let OutboxClaims { database, runtime, process } = self;
        let releasing = runtime.spawn(async move { outbox::release(&mut *database.get().await?, process).await });
        match tokio::time::timeout(RELEASE_WAIT_MAX, releasing).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(fault))) => tracing::debug!(%fault, "the exporters' claims end by themselves"),
            Ok(Err(_)) | Err(_) => tracing::debug!("the exporters' claims end by themselves"),
        }
    }
}
