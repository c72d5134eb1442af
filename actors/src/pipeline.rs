//! Builds the actors, last one first, keeps them supervised, and drains them in the order of the flow.

mod actors;
mod parts;
mod supervisor;

use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;
use store::database::Database;
use store::outbox;
use store::settle::{Settler, SettlingSettings};
use store::signers::Signers;
use tokio::runtime::Handle;
use tokio::sync::RwLock;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use uuid::Uuid;

use crate::delivery::Hands;
use crate::exporter::Exporter;
use crate::intake::Intake;
use crate::lanes::Claims;
use crate::mailbox_poller::{MailboxPoller, MailboxPollerParts};
use crate::messages::NoContainer;
use crate::metrics::Metrics;
use crate::refusal_log::RefusalLog;
use crate::sdc_decoder::{SdcDecoder, SdcDecoderParts};
use crate::signature_verifier::{SignatureVerifier, SignatureVerifierParts};
use crate::stop::{Stop, StopTeller, stop};
use crate::supervision::{Escalation, Guard, Heartbeat, Link, Policy, supervise};
use crate::table_writer::{TableWriter, TableWriterParts, TableWriters};

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
    exporter: Link<Exporter>,
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
        let exporter = start_exporter(&parts, &shared, &mut arbiters);
        let writers = start_writers(&parts, &shared, &exporter, &mut arbiters);
        let decoders = start_decoders(&parts, &shared, &writers, &mut arbiters);
        start_pollers(&parts, &shared, decoders, &mut arbiters);
        keep_house(&parts, &shared);
        let Shared { hands, intake, polling, .. } = shared;
        let outbox = OutboxClaims {
            database: parts.database.clone(),
            runtime: parts.database_runtime.clone(),
            process: parts.process,
        };
        Pipeline { drain, end, hands, intake, polling, outbox, exporter, escalations, arbiters }
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

    /// Returns the handle of the exporter, for tests that tell it of answers.
    pub fn exporter(&self) -> &Link<Exporter> {
        &self.exporter
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

/// What the exporter has claimed of the outbox, to be given up once it has ended.
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
            Ok(Ok(Err(fault))) => tracing::debug!(%fault, "the exporter's claims end by themselves"),
            Ok(Err(_)) | Err(_) => tracing::debug!("the exporter's claims end by themselves"),
        }
    }
}

struct Shared {
    hands: Hands,
    intake: Intake,
    claims: Arc<Claims>,
    signers: Arc<Signers>,
    settler: Arc<Settler>,
    metrics: Arc<Metrics>,
    refusals: RefusalLog,
    draining: Stop,
    polling: Arc<RwLock<()>>,
    supervisor: Supervisor,
}

#[derive(Clone)]
struct Supervisor {
    policy: Policy,
    ending: Stop,
    escalate: UnboundedSender<Escalation>,
    database: Database,
    database_runtime: Handle,
    process: Uuid,
}

impl Supervisor {
    /// Keeps one actor alive on an arbiter for as long as the pipeline lives.
    fn keep<A>(
        &self,
        link: &Link<A>,
        (arbiter, at_work): (&Arbiter, &AtWork),
        make: impl Fn(Guard) -> A + Clone + Send + 'static,
    ) where
        A: Actor<Context = Context<A>> + Handler<Heartbeat> + Send,
    {
        let handle = arbiter.handle();
        let build = move |guard: Guard| -> Addr<A> {
            let make = make.clone();
            A::start_in_arbiter(&handle, move |_| make(guard))
        };
        let (policy, ending, link) = (self.policy.clone(), self.ending.clone(), link.clone());
        let (supervisor, at_work) = (self.clone(), at_work.clone());
        actix_rt::spawn(async move {
            if let Err(escalation) = supervise(policy, link, ending, &at_work, build).await {
                if let Escalation::Hung { mail: Some(mail), .. } = &escalation {
                    supervisor.set_aside(mail.clone()).await;
                }
                // Nobody listens only when the pipeline is gone, and the process with it.
                drop(supervisor.escalate.send(escalation));
            }
        });
    }
}

impl Supervisor {
    /// Writes down over which mail the process hangs, before it ends.
    async fn set_aside(&self, mail: MailName) {
        let (database, process, name) = (self.database.clone(), self.process, mail.clone());
        let written = self.database_runtime.spawn(async move {
            let mut connection = database.get().await?;
            in_hand::set_aside(&mut connection, process, &name.mailbox, &name.uidl).await
        });
        match tokio::time::timeout(SET_ASIDE_MAX, written).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(fault))) => tracing::error!(%mail, %fault, "{NOT_SET_ASIDE}"),
            Ok(Err(_)) | Err(_) => tracing::error!(%mail, "{NOT_SET_ASIDE}"),
        }
    }
}

fn start_exporter(parts: &PipelineParts, shared: &Shared, arbiters: &mut Vec<Arbiter>) -> Link<Exporter> {
    let link = Link::new(parts.metrics.actor("exporter"));
    let arbiter = Arbiter::new();
    let exporter = ExporterParts {
        database: parts.database.clone(),
        process: parts.process,
        database_runtime: parts.database_runtime.clone(),
        relay: Arc::clone(&parts.relay),
        key: Arc::clone(&parts.signing_key),
        signers: Arc::clone(&shared.signers),
        address: parts.address.clone(),
        server_name: parts.server_name.clone(),
        claim_max: parts.widths.answers_claimed_max,
        sending_max: parts.widths.sending_max,
        interval: Duration::from_secs(1),
        yield_max: Duration::from_secs(5),
        hands: shared.hands.clone(),
        busy_mails: parts.widths.mails_in_hand_max / 4,
        metrics: Arc::clone(&shared.metrics),
    };
    shared.supervisor.keep(&link, (&arbiter, &AtWork::default()), move |guard| Exporter::new(exporter.clone(), guard));
    arbiters.push(arbiter);
    link
}

fn start_writers(
    parts: &PipelineParts,
    shared: &Shared,
    exporter: &Link<Exporter>,
    arbiters: &mut Vec<Arbiter>,
) -> TableWriters {
    let arbiter = Arbiter::new();
    let mut writers = Vec::new();
    for _ in 0..parts.widths.writers.max(1) {
        let ledger_link = Link::new(parts.metrics.actor("billing_ledger"));
        let ledger = BillingLedgerParts {
            settler: Arc::clone(&shared.settler),
            database_runtime: parts.database_runtime.clone(),
            exporter: exporter.clone(),
            intake: shared.intake.clone(),
            metrics: Arc::clone(&shared.metrics),
            refusals: shared.refusals.clone(),
        };
        let make = move |guard| BillingLedger::new(ledger.clone(), guard);
        shared.supervisor.keep(&ledger_link, (&arbiter, &AtWork::default()), make);
        let writer_link = Link::new(parts.metrics.actor("table_writer"));
        let writer = TableWriterParts {
            settler: Arc::clone(&shared.settler),
            database_runtime: parts.database_runtime.clone(),
            ledger: ledger_link,
            intake: shared.intake.clone(),
            hands: shared.hands.clone(),
            batch_letters_max: parts.widths.batch_letters_max,
            batch_wait: parts.widths.batch_wait,
        };
        let make = move |guard| TableWriter::new(writer.clone(), guard);
        shared.supervisor.keep(&writer_link, (&arbiter, &AtWork::default()), make);
        writers.push(writer_link);
    }
    arbiters.push(arbiter);
    TableWriters::new(writers)
}

/// A decoder and a verifier share each crypto thread: a letter stays on its core between them.
fn start_decoders(
    parts: &PipelineParts,
    shared: &Shared,
    writers: &TableWriters,
    arbiters: &mut Vec<Arbiter>,
) -> Arc<[Link<SdcDecoder>]> {
    let mut decoders = Vec::new();
    for _ in 0..parts.widths.crypto_threads.max(1) {
        let (arbiter, at_work) = (Arbiter::new(), AtWork::default());
        let verifier_link = Link::new(parts.metrics.actor("signature_verifier"));
        let verifier = SignatureVerifierParts {
            signers: Arc::clone(&shared.signers),
            database: parts.database.clone(),
            database_runtime: parts.database_runtime.clone(),
            payload_limits: parts.payload_limits,
            claims: Arc::clone(&shared.claims),
            at_work: at_work.clone(),
            hands: shared.hands.clone(),
            metrics: Arc::clone(&shared.metrics),
            writers: writers.clone(),
        };
        let make = move |guard| SignatureVerifier::new(verifier.clone(), guard);
        shared.supervisor.keep(&verifier_link, (&arbiter, &at_work), make);
        let decoder_link = Link::new(parts.metrics.actor("sdc_decoder"));
        let decoder = SdcDecoderParts {
            keys: Arc::clone(&parts.keys),
            mail_limits: parts.mail_limits.clone(),
            document_limits: parts.document_limits.clone(),
            claims: Arc::clone(&shared.claims),
            metrics: parts.metrics.clone(),
            at_work: at_work.clone(),
            verifier: verifier_link,
            writers: writers.clone(),
        };
        let make = move |guard| SdcDecoder::new(decoder.clone(), guard);
        shared.supervisor.keep(&decoder_link, (&arbiter, &at_work), make);
        decoders.push(decoder_link);
        arbiters.push(arbiter);
    }
    decoders.into()
}

fn start_pollers(
    parts: &PipelineParts,
    shared: &Shared,
    decoders: Arc<[Link<SdcDecoder>]>,
    arbiters: &mut Vec<Arbiter>,
) {
    let arbiter = Arbiter::new();
    let count = u32::try_from(parts.mailboxes.len()).unwrap_or(u32::MAX).max(1);
    for (at, mailbox) in (1..).zip(&parts.mailboxes) {
        parts.metrics.begin_mailbox(&mailbox.name, mailbox.no_container);
        let poller = MailboxPollerParts {
            name: mailbox.name.as_str().into(),
            mailbox: mailbox.mailbox.clone(),
            mail_bytes_max: mailbox.mail_bytes_max,
            no_container: mailbox.no_container,
            database: parts.database.clone(),
            database_runtime: parts.database_runtime.clone(),
            process: parts.process,
            decoders: Arc::clone(&decoders),
            hands: shared.hands.clone(),
            claims: Arc::clone(&shared.claims),
            intake: shared.intake.clone(),
            drain: shared.draining.clone(),
            polling: Arc::clone(&shared.polling),
            interval: mailbox.interval,
            phase: mailbox.interval * (at - 1) / count,
            // Room for a window of each: the others go on while some mail servers hang in the midst of theirs.
            window_mails: parts.widths.window_mails.min((parts.widths.mails_in_hand_max / count) as usize).max(1),
            window_bytes_max: u64::from(parts.widths.kilobytes_in_hand_max) * 1024 / u64::from(count.max(WINDOWS_MIN)),
            session_mails_max: parts.widths.session_mails_max,
            session_time_max: staggered(parts.widths.session_time_max, at, count),
            metrics: Arc::clone(&shared.metrics),
        };
        let link = Link::new(parts.metrics.actor("mailbox_poller"));
        let make = move |guard| MailboxPoller::new(poller.clone(), guard);
        shared.supervisor.keep(&link, (&arbiter, &AtWork::default()), make);
    }
    arbiters.push(arbiter);
}

/// Returns the longest session of one mailbox of so many, counted from 1: from half the time to all of it, so that sessions
/// end one after another, and while some sign in anew, others bring mail.
fn staggered(time_max: Duration, at: u32, count: u32) -> Duration {
    time_max * (count + at) / (2 * count)
}

/// Starts what runs beside the actors: the gate's keeper, the clock of the refusals' log and the reading of the set of known
/// agencies.
fn keep_house(parts: &PipelineParts, shared: &Shared) {
    let (refusals, ending) = (shared.refusals.clone(), shared.supervisor.ending.clone());
    parts.database_runtime.spawn(async move {
        tokio::select! {
            () = ending.told() => {}
            () = refusals.tell_minutes() => {}
        }
    });

    let (database, metrics) = (parts.database.clone(), Arc::clone(&shared.metrics));
    let (intake, ending) = (shared.intake.clone(), shared.supervisor.ending.clone());
    parts.database_runtime.spawn(async move { intake.keep(&database, &metrics, &ending).await });

    let (database, claims) = (parts.database.clone(), Arc::clone(&shared.claims));
    let (intake, ending) = (shared.intake.clone(), shared.supervisor.ending.clone());
    parts.database_runtime.spawn(async move {
        while !ending.is_told() {
            let read = async { signers::matricules(&mut *database.get().await?).await };
            match read.await {
                Ok(matricules) => claims.set_known(matricules),
                Err(fault) => intake.fault(&fault),
            }
            tokio::select! {
                () = ending.told() => return,
                () = tokio::time::sleep(KNOWN_AGENCIES_INTERVAL) => {}
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_end_one_after_another() {
        let times = |count| -> Vec<u64> {
            (1..=count).map(|at| staggered(Duration::from_secs(12), at, count).as_secs()).collect()
        };
        assert_eq!((times(1), times(2), times(3)), (vec![12], vec![9, 12], vec![8, 10, 12]));
    }
}
