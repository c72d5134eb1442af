//! Starts the actors of a pipeline, each with its parts, and the tasks that run beside them.

use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;
use reader::{ReadLimits, Reader};
use store::certificates::signers::{self, Signers};
use store::replicas::Replica;
use store::settle::Settler;
use tokio::sync::RwLock;

use super::limits::Limits;
use super::parts::{PipelineParts, PushedSource};
use super::supervisor::Supervisor;
use crate::admission::decoders::{Decoder, Decoders};
use crate::admission::lender::Reception;
use crate::admission::lender::carrying::Carrying;
use crate::admission::records::lease_of;
use crate::admission::source::{Admission, Turns};
use crate::answer_desk::{AnswerDesk, AnswerDeskParts};
use crate::at_work::AtWork;
use crate::billing_ledger::{BillingLedger, BillingLedgerParts};
use crate::carrier_poller::{self, CarrierPoller, CarrierPollerParts};
use crate::claims::Claims;
use crate::courier::Courier;
use crate::database_tasks::DatabaseTasks;
use crate::exporter::{Exporter, ExporterParts};
use crate::gate::Gate;
use crate::mailbox_poller::{MailboxPoller, MailboxPollerParts};
use crate::metrics::Metrics;
use crate::push_intake::{PushIntake, PushIntakeParts};
use crate::record_reader::{RecordReader, RecordReaderParts};
use crate::refusal_log::RefusalLog;
use crate::replicas::Replicas;
use crate::room::Hands;
use crate::sdc_decoder::{SdcDecoder, SdcDecoderParts};
use crate::sealing::Sealer;
use crate::signature_verifier::{SignatureVerifier, SignatureVerifierParts};
use crate::stop::Stop;
use crate::supervision::{Escalation, Link};
use crate::table_writer::{Pending, TableWriter, TableWriterParts, TableWriters};
use crate::transport::{Form, NoContainer, TransportFacts};

/// A window may use at most one `WINDOWS_MIN`th of the permits for kilobytes, so that one window is settled while the next is fetched.
const WINDOWS_MIN: u32 = 4;
/// Of the mails that may be in hand at a time, the letters that wait for the record reader may be one `READS_WAITING_PARTS`th. Reading may
/// take minutes, and the other letters need permits meanwhile.
const READS_WAITING_PARTS: usize = 8;
/// Pause after a failed reading of the set of known agencies.
const KNOWN_AGENCIES_RETRY: Duration = Duration::from_secs(5);
/// Pause between two readings of the set of known agencies.
const KNOWN_AGENCIES_INTERVAL: Duration = Duration::from_secs(30);

/// Parts that several actors of a pipeline share.
pub(super) struct Shared {
    pub(super) hands: Hands,
    pub(super) gate: Gate,
    pub(super) claims: Arc<Claims>,
    pub(super) signers: Arc<Signers>,
    pub(super) sealer: Sealer,
    pub(super) settler: Arc<Settler>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) refusals: RefusalLog,
    pub(super) draining: Stop,
    pub(super) polling: Arc<RwLock<()>>,
    pub(super) replicas: Replicas,
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
            tasks: parts.tasks.clone(),
            process: parts.replica.process,
            courier: Arc::clone(courier),
            sealer: shared.sealer.clone(),
            leased_max: parts.limits.answers_leased_max,
            sending_max: parts.limits.sending_max,
            interval: Duration::from_secs(1),
            yield_max: Duration::from_secs(5),
            hands: shared.hands.clone(),
            busy_mails: parts.limits.mails_in_hand_max / 4,
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
    let pending = Arc::new(Pending::of_writers(parts.limits.writers));
    for _ in 0..parts.limits.writers.max(1) {
        let ledger_link = Link::new(parts.metrics.actor("billing_ledger"));
        let ledger = BillingLedgerParts {
            settler: Arc::clone(&shared.settler),
            tasks: parts.tasks.clone(),
            exporters: Arc::clone(exporters),
            gate: shared.gate.clone(),
            metrics: Arc::clone(&shared.metrics),
            refusals: shared.refusals.clone(),
        };
        let make = move |guard| BillingLedger::new(ledger.clone(), guard);
        shared.supervisor.keep(&ledger_link, (&arbiter, &AtWork::default()), make);
        let writer_link = Link::new(parts.metrics.actor("table_writer"));
        let writer = TableWriterParts {
            settler: Arc::clone(&shared.settler),
            tasks: parts.tasks.clone(),
            ledger: ledger_link,
            gate: shared.gate.clone(),
            hands: shared.hands.clone(),
            batch_letters_max: parts.limits.batch_letters_max,
            batch_wait: Duration::from_millis(parts.limits.batch_wait_milliseconds),
            pending: Arc::clone(&pending),
        };
        let make = move |guard| TableWriter::new(writer.clone(), guard);
        shared.supervisor.keep(&writer_link, (&arbiter, &AtWork::default()), make);
        writers.push(writer_link);
    }
    arbiters.push(arbiter);
    TableWriters::new(writers)
}

/// Starts the record reader. Its thread only distributes the work; records are read and packed on threads of the database runtime.
pub(super) fn start_reader(
    parts: &PipelineParts,
    shared: &Shared,
    writers: &TableWriters,
    arbiters: &mut Vec<Arbiter>,
) -> Link<RecordReader> {
    let arbiter = Arbiter::new();
    let (database, login) = (parts.tasks.database.clone(), parts.reading.clone());
    let settler = Arc::clone(&shared.settler);
    let reader = RecordReaderParts {
        reader: Arc::new(Reader::new(database, login, settler, ReadLimits::default())),
        tasks: DatabaseTasks { runtime: parts.reading_runtime.clone(), ..parts.tasks.clone() },
        gate: shared.gate.clone(),
        writers: writers.clone(),
        metrics: parts.metrics.reads.clone(),
        workers: parts.limits.readers,
        waiting_max: parts.limits.mails_in_hand_max as usize / READS_WAITING_PARTS,
    };
    let link = Link::new(parts.metrics.actor("record_reader"));
    let make = move |guard| RecordReader::new(reader.clone(), guard);
    shared.supervisor.keep(&link, (&arbiter, &AtWork::default()), make);
    arbiters.push(arbiter);
    link
}

/// Starts a decoder and a verifier on each crypto thread, so that both process a letter on the same core.
pub(super) fn start_decoders(
    parts: &PipelineParts,
    shared: &Shared,
    (reader, writers): (&Link<RecordReader>, &TableWriters),
    arbiters: &mut Vec<Arbiter>,
) -> Decoders {
    let mut decoders = Vec::new();
    for _ in 0..parts.limits.crypto_threads() {
        let (arbiter, at_work) = (Arbiter::new(), AtWork::default());
        let verifier_link = Link::new(parts.metrics.actor("signature_verifier"));
        let verifier = SignatureVerifierParts {
            signers: Arc::clone(&shared.signers),
            tasks: parts.tasks.clone(),
            payload_limits: parts.limits.of_payloads(),
            claims: Arc::clone(&shared.claims),
            at_work: at_work.clone(),
            hands: shared.hands.clone(),
            metrics: Arc::clone(&shared.metrics),
            reader: reader.clone(),
            writers: writers.clone(),
        };
        let make = move |guard| SignatureVerifier::new(verifier.clone(), guard);
        shared.supervisor.keep(&verifier_link, (&arbiter, &at_work), make);
        let decoder_link = Link::new(parts.metrics.actor("sdc_decoder"));
        let decoder = SdcDecoderParts {
            keys: Arc::clone(&parts.keys),
            mail_limits: parts.mail_limits.clone(),
            document_limits: parts.limits.of_documents(),
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
    // A decoder that is being rebuilt accepts no mail. The mail is dropped, and thereby returned to its source.
    Decoders::new(decoders.into_iter().map(|link| -> Decoder {
        Box::new(move |mail| {
            link.hand_on(mail);
        })
    }))
}

/// Starts the actors that receive mail: a poller for each source that lists its mail, a push intake for each source that is pushed to, and
/// the poller of the carrier.
pub(super) fn start_sources(parts: &PipelineParts, shared: &Shared, decoders: &Decoders, arbiters: &mut Vec<Arbiter>) {
    let arbiter = Arbiter::new();
    let count = u32::try_from(parts.sources.len()).unwrap_or(u32::MAX).max(1);
    for (at, polled) in (1..).zip(&parts.sources) {
        let admission =
            shared.admission(parts, decoders, (&polled.name, polled.no_container), polled.transport.facts());
        parts.metrics.begin_polled(&polled.name);
        let poller = MailboxPollerParts {
            source: Admission { mail_bytes_max: polled.mail_bytes_max, ..admission },
            transport: Arc::clone(&polled.transport),
            turns: turns(&parts.limits, polled.interval, at, count),
            polling: Arc::clone(&shared.polling),
        };
        let link = Link::new(parts.metrics.actor("mailbox_poller"));
        let make = move |guard| MailboxPoller::new(poller.clone(), guard);
        shared.supervisor.keep(&link, (&arbiter, &AtWork::default()), make);
    }
    let desk = AnswerDesk::open(AnswerDeskParts {
        tasks: parts.tasks.clone(),
        process: parts.replica.process,
        sealer: shared.sealer.clone(),
        metrics: Arc::clone(&shared.metrics),
    });
    let limits = &parts.limits;
    let carrying = parts
        .carrier
        .as_ref()
        .map(|carrier| Carrying::new(carrier.clone(), parts.tasks.runtime.clone(), limits.kilobytes_in_hand_max));
    for pushed in &parts.pushed {
        let facts = pushed.transport.facts();
        let admission = shared.admission(parts, decoders, (&pushed.name, pushed.no_container), facts);
        let admission = Admission { mail_bytes_max: pushed.mail_bytes_max, ..admission };
        let here = Reception::here(admission, pushed.patience);
        let reception = Reception { carrying: carrying.clone(), ..here };
        let intake = push_intake(pushed, reception, &desk, &shared.polling);
        let link = Link::new(parts.metrics.actor("push_intake"));
        let make = move |guard| PushIntake::new(intake.clone(), guard);
        shared.supervisor.keep(&link, (&arbiter, &AtWork::default()), make);
    }
    if let Some(carrier) = &parts.carrier {
        let facts = TransportFacts { answers_by: "mail", noun: "carrier", form: Form::Mail };
        let poller = CarrierPollerParts {
            source: shared.admission(parts, decoders, (carrier_poller::NAME, NoContainer::Quarantine), facts),
            carrier: carrier.clone(),
            desk,
            kilobytes_max: limits.kilobytes_in_hand_max,
            polling: Arc::clone(&shared.polling),
        };
        let link = Link::new(parts.metrics.actor("carrier_poller"));
        let make = move |guard| CarrierPoller::new(poller.clone(), guard);
        shared.supervisor.keep(&link, (&arbiter, &AtWork::default()), make);
    }
    arbiters.push(arbiter);
}

/// Makes the parts of the actor that serves a pushed source.
pub(super) fn push_intake(
    pushed: &PushedSource,
    source: Reception,
    desk: &AnswerDesk,
    polling: &Arc<RwLock<()>>,
) -> PushIntakeParts {
    PushIntakeParts {
        source,
        transport: Arc::clone(&pushed.transport),
        desk: desk.clone(),
        polling: Arc::clone(polling),
    }
}

impl Shared {
    /// Makes the admission of one source, and starts the mailbox's counters at 0.
    fn admission(
        &self,
        parts: &PipelineParts,
        decoders: &Decoders,
        (name, no_container): (&str, NoContainer),
        facts: TransportFacts,
    ) -> Admission {
        parts.metrics.begin_mailbox(name, no_container);
        Admission {
            name: name.into(),
            key: name.into(),
            facts,
            mail_bytes_max: parts.mail_limits.mail_bytes_max as u64,
            no_container,
            tasks: parts.tasks.clone(),
            process: parts.replica.process,
            replicas: self.replicas.clone(),
            gives_up: Arc::default(),
            decoders: decoders.clone(),
            hands: self.hands.clone(),
            claims: Arc::clone(&self.claims),
            gate: self.gate.clone(),
            drain: self.draining.clone(),
            metrics: Arc::clone(&self.metrics),
        }
    }
}

/// Returns how much mail of a source is fetched at a time, and when the source is polled. `at` numbers the sources from 1.
fn turns(limits: &Limits, interval: Duration, at: u32, count: u32) -> Turns {
    Turns {
        interval,
        phase: interval * (at - 1) / count,
        // The permits for mails and kilobytes are divided by the number of sources, so that each source can have one window. So the other
        // sources continue while some mail servers hang in the middle of a window.
        window_mails: limits.window_mails.min((limits.mails_in_hand_max / count) as usize).max(1),
        window_bytes_max: u64::from(limits.kilobytes_in_hand_max) * 1024 / u64::from(count.max(WINDOWS_MIN)),
        session_mails_max: limits.session_mails_max,
        session_time_max: staggered(Duration::from_secs(limits.session_seconds_max), at, count),
    }
}

/// Returns the longest session time of one source. `at` numbers the sources from 1. The times run from half of `time_max` to all of it, so
/// that the sessions end one after another, and some sources deliver mail while others sign in again.
fn staggered(time_max: Duration, at: u32, count: u32) -> Duration {
    time_max * (count + at) / (2 * count)
}

/// Starts the tasks that run beside the actors: one watches the gate, one logs at the end of each minute how many refusals were not logged,
/// and one reads the set of known agencies.
pub(super) fn keep_house(parts: &PipelineParts, shared: &Shared) {
    let (refusals, ending) = (shared.refusals.clone(), shared.supervisor.ending.clone());
    parts.tasks.runtime.spawn(async move {
        tokio::select! {
            () = ending.told() => {}
            () = refusals.tell_minutes() => {}
        }
    });

    let (database, metrics) = (parts.tasks.database.clone(), Arc::clone(&shared.metrics));
    let (gate, ending) = (shared.gate.clone(), shared.supervisor.ending.clone());
    parts.tasks.runtime.spawn(async move { gate.keep(&database, &metrics, &ending).await });

    let (database, replicas) = (parts.tasks.database.clone(), shared.replicas.clone());
    let partitions = parts.carrier.iter().flat_map(|carrier| 0..carrier.settings().partitions);
    let replica = Replica {
        leases: parts
            .sources
            .iter()
            .map(|source| lease_of(&source.name))
            .chain(partitions.map(carrier_poller::lease_of))
            .collect(),
        ..parts.replica.clone()
    };
    let (draining, ending) = (shared.draining.clone(), shared.supervisor.ending.clone());
    let escalate = shared.supervisor.escalate.clone();
    parts.tasks.runtime.spawn(async move {
        if let Some(twin) = replicas.keep(&database, &replica, &draining, &ending).await {
            // The channel is closed only when the pipeline, and with it the process, has ended.
            drop(escalate.send(Escalation::Twin(twin)));
        }
    });

    let (database, claims) = (parts.tasks.database.clone(), Arc::clone(&shared.claims));
    let (gate, ending) = (shared.gate.clone(), shared.supervisor.ending.clone());
    parts.tasks.runtime.spawn(async move {
        while !ending.is_told() {
            let read = async { signers::matricules(&mut *database.get().await?).await };
            let again = match read.await {
                Ok(matricules) => {
                    claims.set_known(matricules);
                    KNOWN_AGENCIES_INTERVAL
                }
                Err(fault) => {
                    gate.fault(&fault);
                    if fault.is_away() {
                        // The next reading follows at once, but first waits for the gate, which opens when the database answers.
                        Duration::ZERO
                    } else {
                        tracing::warn!(%fault, "the agencies cannot be read: no mail is fetched before they have been, once");
                        KNOWN_AGENCIES_RETRY
                    }
                }
            };
            tokio::select! {
                () = ending.told() => return,
                () = async { tokio::time::sleep(again).await; gate.open().await } => {}
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
