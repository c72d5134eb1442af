//! What the actors show of themselves. Never a label per agency: there are a hundred thousand.
//!
//! Counters whose labels are known begin at 0: Prometheus sees no increase in a series that is born with its first event,
//! so an alert on it would stay silent that first time.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use sdc::refusal::RefusalCode;

use crate::messages::NoContainer;

/// Names of the actors, as on metrics, in logs and of their files.
pub const ACTORS: [&str; 6] =
    ["mailbox_poller", "sdc_decoder", "signature_verifier", "table_writer", "billing_ledger", "exporter"];

/// The metrics of the pipeline. Made once per process and shared.
#[derive(Clone)]
pub struct Metrics {
    actor_received: IntCounterVec,
    /// Messages handled, by actor and outcome.
    pub actor_handled: IntCounterVec,
    actor_handle_seconds: HistogramVec,
    actor_mailbox_depth: IntGaugeVec,
    actor_restarts: IntCounterVec,
    /// Containers committed, by outcome (`accepted`, `duplicate`, or the code of the refusal).
    pub letters: IntCounterVec,
    /// Rows written into application tables.
    pub rows: IntCounter,
    /// Minor units charged.
    pub charged: IntCounter,
    /// From a mail in hand to its commit.
    pub settle_seconds: Histogram,
    /// Letters per committed transaction.
    pub batch_letters: Histogram,
    /// Batches that met a fault.
    pub faults: IntCounter,
    /// Mails fetched, by mailbox.
    pub mails_fetched: IntCounterVec,
    /// Mails without a container, by mailbox, by its rule (`leave`, `quarantine`, `drop`) and by whether they call
    /// themselves automatic: bounces and vacation notices.
    pub without_container: IntCounterVec,
    /// Mails found in the mailbox at its last listing.
    pub mailbox_mails: IntGaugeVec,
    /// Mails that a mailbox lists and does not give, by mailbox: refused, or over which each session breaks.
    pub unfetchable: IntGaugeVec,
    /// Polls, by mailbox and outcome (`ok` or the step that failed).
    pub polls: IntCounterVec,
    /// Mails in hand.
    pub in_hand: IntGauge,
    /// Answers by outcome: `sent`, `put_back`, `given_up`.
    pub answers: IntCounterVec,
    /// 1 while the database answers.
    pub database_up: IntGauge,
}

/// The same five for every actor.
#[derive(Clone)]
pub struct ActorMetrics {
    /// The actor's name.
    pub name: &'static str,
    /// Messages taken.
    pub received: IntCounter,
    handled: IntCounterVec,
    /// Time in a handler.
    pub handle_seconds: Histogram,
    /// Letters waiting inside the actor.
    pub mailbox_depth: IntGauge,
    /// Rebuilds.
    pub restarts: IntCounter,
}

impl ActorMetrics {
    /// Counts a message by its outcome: `ok`, `refused`, `deferred`, `fault` or `panic`.
    pub fn handled(&self, outcome: &str) {
        self.handled.with_label_values(&[self.name, outcome]).inc();
    }
}

const HANDLE_BUCKETS: [f64; 12] =
    [0.000_05, 0.000_1, 0.000_2, 0.000_4, 0.000_8, 0.001_6, 0.003_2, 0.006_4, 0.012_8, 0.051_2, 0.204_8, 1.0];
const SETTLE_BUCKETS: [f64; 12] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0];
const BATCH_BUCKETS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 300.0, 600.0];

impl Metrics {
    /// Makes the metrics and registers them.
    ///
    /// # Errors
    /// A name registered twice.
    pub fn new(registry: &Registry) -> prometheus::Result<Metrics> {
        let vec = |name: &str, help: &str, labels: &[&str]| {
            registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            registered(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        let counter = |name: &str, help: &str| registered(registry, IntCounter::new(name, help)?);
        let gauge = |name: &str, help: &str| registered(registry, IntGauge::new(name, help)?);
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            registered(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
        };
        let handle =
            HistogramOpts::new("xm_actor_handle_seconds", "Time in a handler").buckets(HANDLE_BUCKETS.to_vec());
        let metrics = Metrics {
            actor_received: vec("xm_actor_received_total", "Messages taken by an actor", &["actor"])?,
            actor_handled: vec("xm_actor_handled_total", "Messages handled, by outcome", &["actor", "outcome"])?,
            actor_handle_seconds: registered(registry, HistogramVec::new(handle, &["actor"])?)?,
            actor_mailbox_depth: gauges("xm_actor_mailbox_depth", "Letters waiting inside an actor", &["actor"])?,
            actor_restarts: vec("xm_actor_restarts_total", "Rebuilds of an actor after its end", &["actor"])?,
            letters: vec("xm_letters_total", "Containers committed, by outcome", &["outcome"])?,
            rows: counter("xm_rows_total", "Rows written into application tables")?,
            charged: counter("xm_charged_minor_units_total", "Minor units charged")?,
            settle_seconds: histogram("xm_settle_seconds", "From a mail in hand to its commit", &SETTLE_BUCKETS)?,
            batch_letters: histogram("xm_batch_letters", "Letters per committed transaction", &BATCH_BUCKETS)?,
            faults: counter("xm_faults_total", "Batches that met a fault of the database")?,
            mails_fetched: vec("xm_mails_fetched_total", "Mails fetched", &["mailbox"])?,
            without_container: vec(
                "xm_mails_without_container_total",
                "Mails that hold no container, by the mailbox's rule",
                &["mailbox", "rule", "automatic"],
            )?,
            mailbox_mails: gauges("xm_mailbox_mails", "Mails found at the last listing", &["mailbox"])?,
            unfetchable: gauges(
                "xm_mails_unfetchable",
                "Mails that the mailbox lists and does not give, or over which each session breaks",
                &["mailbox"],
            )?,
            polls: vec("xm_polls_total", "Polls, by outcome or the step that failed", &["mailbox", "outcome"])?,
            in_hand: gauge("xm_mails_in_hand", "Mails fetched and not yet settled")?,
            answers: vec("xm_answers_total", "Answers, by what became of them", &["outcome"])?,
            database_up: gauge("xm_database_up", "1 while the database answers")?,
        };
        for outcome in ["accepted", "duplicate"].into_iter().chain(RefusalCode::ALL.iter().map(|code| code.as_str())) {
            metrics.letters.with_label_values(&[outcome]);
        }
        for outcome in ["sent", "put_back", "given_up"] {
            metrics.answers.with_label_values(&[outcome]);
        }
        Ok(metrics)
    }

    /// Begins the counters of one mailbox at 0.
    pub fn begin_mailbox(&self, name: &str, rule: NoContainer) {
        self.mails_fetched.with_label_values(&[name]);
        self.polls.with_label_values(&[name, "ok"]);
        self.unfetchable.with_label_values(&[name]).set(0);
        for automatic in ["no", "yes"] {
            self.without_container.with_label_values(&[name, rule.as_str(), automatic]);
        }
    }

    /// Returns the metrics of one actor.
    pub fn actor(&self, name: &'static str) -> ActorMetrics {
        for outcome in ["ok", "refused", "deferred", "fault", "panic"] {
            self.actor_handled.with_label_values(&[name, outcome]);
        }
        ActorMetrics {
            name,
            received: self.actor_received.with_label_values(&[name]),
            handled: self.actor_handled.clone(),
            handle_seconds: self.actor_handle_seconds.with_label_values(&[name]),
            mailbox_depth: self.actor_mailbox_depth.with_label_values(&[name]),
            restarts: self.actor_restarts.with_label_values(&[name]),
        }
    }
}

fn registered<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
