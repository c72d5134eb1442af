//! Builds the actors in the reverse order of the flow, keeps them supervised, and drains them in the order of the flow.

mod actors;
mod limits;
mod parts;
mod reception;
mod supervisor;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::Arbiter;
use sdc::keys::CentreKeys;
use store::certificates::signers::Signers;
use store::ledger::voucher_keys::VoucherKeys;
use store::letters::outbox;
use store::replicas::{self, Replica};
use store::settle::{Settler, SettlingSettings};
use tokio::sync::RwLock;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::claims::Claims;
use crate::database_tasks::{DatabaseTasks, Undone};
use crate::gate::Gate;
use crate::refusal_log::RefusalLog;
use crate::replicas::Replicas;
use crate::room::Hands;
use crate::sealing::Sealer;
use crate::stop::{StopTeller, stop};
use crate::supervision::Escalation;
use actors::{Shared, keep_house, start_decoders, start_exporters, start_reader, start_sources, start_writers};
pub use limits::Limits;
pub use parts::{PipelineParts, PolledSource, PushedSource, ReceptionParts};
pub use reception::ReceptionPipeline;
use supervisor::Supervisor;

/// If a letter contradicts records that are already in the database, the writer reads these records from the database, so that the
/// difference can be shown. For this, each writer reserves one `HELD_PARTS`th of the memory that is allowed for payloads.
const HELD_PARTS: u32 = 16;
/// Longest wait for the database when the leases of answers are released.
const RELEASE_WAIT_MAX: Duration = Duration::from_secs(2);

/// A running pipeline. Must be built inside a running actix system.
pub struct Pipeline {
    drain: StopTeller,
    end: StopTeller,
    hands: Hands,
    gate: Gate,
    polling: Arc<RwLock<()>>,
    leases: Leases,
    escalations: UnboundedReceiver<Escalation>,
    is_lost: Arc<AtomicBool>,
    arbiters: Vec<Arbiter>,
}

impl Pipeline {
    /// Builds every actor in the reverse order of the flow, so that each actor is built with a link to the next one.
    pub fn start(parts: PipelineParts) -> Pipeline {
        let (drain, draining) = stop();
        let (end, ending) = stop();
        let (escalate, escalations) = unbounded_channel();
        let is_lost = Arc::<AtomicBool>::default();
        let limits = &parts.limits;
        // The memory for the records in the database that letters contradict is taken from the memory that is allowed for payloads.
        let held_bytes_max = limits.unpacked_bytes_max / HELD_PARTS;
        let writers = u32::try_from(limits.writers.max(1)).unwrap_or(u32::MAX);
        let settling = SettlingSettings {
            held_bytes_max: held_bytes_max as usize,
            voucher_keys: voucher_keys(&parts.keys),
            issuer: parts.issuer.clone(),
            ..limits.of_settling()
        };
        let signers = Arc::new(Signers::new(limits.signers_cached_max));
        let shared = Shared {
            hands: Hands::new(
                limits.mails_in_hand_max,
                limits.kilobytes_in_hand_max,
                limits.slow_mails_max,
                limits.unpacked_bytes_max.saturating_sub(held_bytes_max.saturating_mul(writers)).max(1),
            ),
            gate: Gate::default(),
            claims: Arc::new(Claims::default()),
            sealer: Sealer { key: Arc::clone(&parts.signing_key), signers: Arc::clone(&signers) },
            signers,
            settler: Arc::new(Settler::new(parts.tasks.database.clone(), settling)),
            metrics: Arc::new(parts.metrics.clone()),
            replicas: Replicas::unknown(parts.replica.process),
            refusals: RefusalLog::default(),
            draining,
            polling: Arc::default(),
            supervisor: Supervisor {
                policy: parts.policy.clone(),
                ending,
                escalate,
                records: Some((parts.tasks.clone(), parts.replica.process)),
                is_lost: Arc::clone(&is_lost),
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
        let leases = Leases { tasks: parts.tasks.clone(), replica: parts.replica.clone() };
        Pipeline { drain, end, hands, gate, polling, leases, escalations, is_lost, arbiters }
    }

    /// Waits until the supervisor gives an actor up, and returns the reason. The process must then end.
    pub async fn escalation(&mut self) -> Option<Escalation> {
        self.escalations.recv().await
    }

    /// Says whether every actor is watched by its supervisor. Supervisors run on the thread of the caller, so whoever asks this again and
    /// again also shows that this thread does not hang.
    pub fn is_supervised(&self) -> bool {
        !self.is_lost.load(Ordering::Relaxed)
    }

    /// Returns how many mails the actors are processing.
    pub fn mails_in_hand(&self) -> u32 {
        self.hands.in_hand()
    }

    /// Says whether the gate is open, so that mail may be fetched.
    pub fn is_taking_mail(&self) -> bool {
        self.gate.is_open()
    }

    /// Says whether there is room for one more mail.
    pub fn has_room(&self) -> bool {
        self.hands.has_room()
    }

    /// Drains the pipeline: no more mail is fetched, lent mail is settled and deleted, then the actors end. Returns whether all lent mail
    /// was reported before the deadline. Mail that was not reported is still in its source.
    pub async fn drain(self, deadline: Duration) -> bool {
        self.drain.tell();
        let came_back = tokio::time::timeout(deadline, async {
            // A poller ends when all its lent mail has been reported and its settled mail has been deleted. If all permits can be taken, no
            // mail is lent.
            drop(self.polling.write().await);
            drop(self.hands.take_all().await);
        })
        .await
        .is_ok();
        self.stop();
        for arbiter in self.arbiters {
            // `join` fails if the thread has panicked. Such a thread has ended too, and that is all that is waited for.
            drop(tokio::task::spawn_blocking(move || arbiter.join()).await);
        }
        if self.gate.is_open() {
            self.leases.release().await;
        }
        came_back
    }

    /// Stops every actor without waiting. Lent mail is still in its source. In production the end of the process does the same; tests need
    /// this function because they run several pipelines in one process.
    pub fn stop(&self) {
        self.end.tell();
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
    }
}

/// Derives the keys of vouchers. If this fails, letters that contain a voucher wait, and all other letters are settled.
fn voucher_keys(keys: &CentreKeys) -> VoucherKeys {
    VoucherKeys::of(keys).unwrap_or_else(|error| {
        tracing::error!(%error, "the codes of vouchers cannot be told: letters that bring one wait");
        VoucherKeys::default()
    })
}

/// What is needed at the end to release the leases of this process and to leave the list of replicas.
struct Leases {
    tasks: DatabaseTasks,
    replica: Replica,
}

impl Leases {
    /// Releases the answers that this process has leased, once the exporters have ended, so that another process can send them at once.
    /// Tells the other replicas that this one has ended.
    async fn release(self) {
        let Leases { tasks, replica } = self;
        let database = tasks.database.clone();
        let releasing = async move {
            let mut connection = database.get().await?;
            outbox::release(&mut connection, replica.process).await?;
            replicas::leave(&mut connection, &replica).await
        };
        match tasks.call_within(RELEASE_WAIT_MAX, releasing).await {
            Ok(()) => {}
            Err(Undone::Fault(fault)) => tracing::debug!(%fault, "the leases end by themselves"),
            Err(Undone::LeftBehind) => tracing::debug!("the leases end by themselves"),
        }
    }
}
