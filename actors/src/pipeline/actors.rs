//! The actors of a pipeline, each with what it needs, and what runs beside them.

use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;
use store::certificates::signers::{self, Signers};
use store::settle::Settler;
use tokio::sync::RwLock;

use super::parts::{PipelineParts, Widths};
use super::supervisor::Supervisor;
use crate::admission::lanes::Claims;
use crate::admission::{Admission, Desk, Turns};
use crate::at_work::AtWork;
use crate::billing_ledger::{BillingLedger, BillingLedgerParts};
use crate::courier::Courier;
use crate::exporter::{Exporter, ExporterParts};
use crate::intake::Intake;
use crate::mailbox_poller::{MailboxPoller, MailboxPollerParts};
use crate::messages::NoContainer;
use crate::metrics::Metrics;
use crate::push_intake::{PushIntake, PushIntakeParts};
use crate::refusal_log::RefusalLog;
use crate::room::Hands;
use crate::sdc_decoder::{SdcDecoder, SdcDecoderParts};
use crate::signature_verifier::{SignatureVerifier, SignatureVerifierParts};
use crate::stop::Stop;
use crate::supervision::Link;
use crate::table_writer::{TableWriter, TableWriterParts, TableWriters};
use crate::transport::Facts;

/// The room for mail in hand has space for so many windows at least: one is settled while the next is fetched.
const WINDOWS_MIN: u32 = 4;
/// Pause after a reading that failed.
const KNOWN_AGENCIES_RETRY: Duration = Duration::from_secs(5);
/// Pause between two readings of the set of known agencies.
const KNOWN_AGENCIES_INTERVAL: Duration = Duration::from_secs(30);

/// What actors of a pipeline share.
pub(super) struct Shared {
    pub(super) hands: Hands,
    pub(super) intake: Intake,
    pub(super) claims: Arc<Claims>,
    pub(super) signers: Arc<Signers>,
    pub(super) settler: Arc<Settler>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) refusals: RefusalLog,
    pub(super) draining: Stop,
    pub(super) polling: Arc<RwLock<()>>,
    pub(super) supervisor: Supervisor,
}

pub(super) fn start_exporters(
    parts: &PipelineParts,
    shared: &Shared,
    arbiters: &mut Vec<Arbiter>,
) -> Arc<[Link<Exporter>]> {
    let arbiter = Arbiter::new();
    let start = |courier: &Arc<dyn Courier>| {
        let link = Link::new(parts.metrics.actor("exporter"));
        let exporter = ExporterParts {
            database: parts.database.clone(),
            process: parts.process,
            database_runtime: parts.database_runtime.clone(),
            courier: Arc::clone(courier),
            key: Arc::clone(&parts.signing_key),
            signers: Arc::clone(&shared.signers),
            claim_max: parts.widths.answers_claimed_max,
            sending_max: parts.widths.sending_max,
            interval: Duration::from_secs(1),
            yield_max: Duration::from_secs(5),
            hands: shared.hands.clone(),
            busy_mails: parts.widths.mails_in_hand_max / 4,
            metrics: Arc::clone(&shared.metrics),
        };
        let make = move |guard| Exporter::new(exporter.clone(), guard);
        shared.supervisor.keep(&link, (&arbiter, &AtWork::default()), make);
        link
    };
    let links = parts.couriers.iter().map(start).collect();
    arbiters.push(arbiter);
    links
}

pub(super) fn start_writers(
    parts: &PipelineParts,
    shared: &Shared,
    exporters: &Arc<[Link<Exporter>]>,
    arbiters: &mut Vec<Arbiter>,
) -> TableWriters {
    let arbiter = Arbiter::new();
    let mut writers = Vec::new();
    for _ in 0..parts.widths.writers.max(1) {
        let ledger_link = Link::new(parts.metrics.actor("billing_ledger"));
        let ledger = BillingLedgerParts {
            settler: Arc::clone(&shared.settler),
            database_runtime: parts.database_runtime.clone(),
            exporters: Arc::clone(exporters),
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
pub(super) fn start_decoders(
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

/// Starts what brings mail: a poller for each source that lists, an intake for each that is pushed to.
pub(super) fn start_sources(
    parts: &PipelineParts,
    shared: &Shared,
    decoders: &Arc<[Link<SdcDecoder>]>,
    arbiters: &mut Vec<Arbiter>,
) {
    let arbiter = Arbiter::new();
    let count = u32::try_from(parts.sources.len()).unwrap_or(u32::MAX).max(1);
    for (at, polled) in (1..).zip(&parts.sources) {
        let admission =
            shared.admission(parts, decoders, (&polled.name, polled.no_container), polled.transport.facts());
        let poller = MailboxPollerParts {
            source: Admission { mail_bytes_max: polled.mail_bytes_max, ..admission },
            transport: Arc::clone(&polled.transport),
            turns: turns(&parts.widths, polled.interval, at, count),
            polling: Arc::clone(&shared.polling),
        };
        let link = Link::new(parts.metrics.actor("mailbox_poller"));
        let make = move |guard| MailboxPoller::new(poller.clone(), guard);
        shared.supervisor.keep(&link, (&arbiter, &AtWork::default()), make);
    }
    for pushed in &parts.pushed {
        let facts = pushed.transport.facts();
        let intake = PushIntakeParts {
            source: shared.admission(parts, decoders, (&pushed.name, pushed.no_container), facts),
            transport: Arc::clone(&pushed.transport),
            polling: Arc::clone(&shared.polling),
        };
        let link = Link::new(parts.metrics.actor("push_intake"));
        let make = move |guard| PushIntake::new(intake.clone(), guard);
        shared.supervisor.keep(&link, (&arbiter, &AtWork::default()), make);
    }
    arbiters.push(arbiter);
}

impl Shared {
    /// Makes what the mail of one source passes, and begins its counters.
    fn admission(
        &self,
        parts: &PipelineParts,
        decoders: &Arc<[Link<SdcDecoder>]>,
        (name, no_container): (&str, NoContainer),
        facts: Facts,
    ) -> Admission {
        parts.metrics.begin_mailbox(name, no_container);
        Admission {
            name: name.into(),
            key: name.into(),
            facts,
            mail_bytes_max: parts.mail_limits.mail_bytes_max as u64,
            no_container,
            database: parts.database.clone(),
            database_runtime: parts.database_runtime.clone(),
            process: parts.process,
            desk: Desk::Decoders(Arc::clone(decoders)),
            hands: self.hands.clone(),
            claims: Arc::clone(&self.claims),
            intake: self.intake.clone(),
            drain: self.draining.clone(),
            metrics: Arc::clone(&self.metrics),
        }
    }
}

/// Says how much one source of so many, counted from 1, is given at a time.
fn turns(widths: &Widths, interval: Duration, at: u32, count: u32) -> Turns {
    Turns {
        interval,
        phase: interval * (at - 1) / count,
        // Room for a window of each: the others go on while some mail servers hang in the midst of theirs.
        window_mails: widths.window_mails.min((widths.mails_in_hand_max / count) as usize).max(1),
        window_bytes_max: u64::from(widths.kilobytes_in_hand_max) * 1024 / u64::from(count.max(WINDOWS_MIN)),
        session_mails_max: widths.session_mails_max,
        session_time_max: staggered(widths.session_time_max, at, count),
    }
}

/// Returns the longest session of one mailbox of so many, counted from 1: from half the time to all of it, so that sessions
/// end one after another, and while some sign in anew, others bring mail.
fn staggered(time_max: Duration, at: u32, count: u32) -> Duration {
    time_max * (count + at) / (2 * count)
}

/// Starts what runs beside the actors: the gate's keeper, the clock of the refusals' log and the reading of the set of known
/// agencies.
pub(super) fn keep_house(parts: &PipelineParts, shared: &Shared) {
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
            let again = match read.await {
                Ok(matricules) => {
                    claims.set_known(matricules);
                    KNOWN_AGENCIES_INTERVAL
                }
                Err(fault) => {
                    intake.fault(&fault);
                    if fault.is_away() {
                        // Until it answers, which the gate tells.
                        Duration::ZERO
                    } else {
                        tracing::warn!(%fault, "the agencies cannot be read: no mail is fetched before they have been, once");
                        KNOWN_AGENCIES_RETRY
                    }
                }
            };
            tokio::select! {
                () = ending.told() => return,
                () = async { tokio::time::sleep(again).await; intake.open().await } => {}
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
