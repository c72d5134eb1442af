//! Metrics of the actors and of the flow. No metric has a label per agency, since a country has up to a hundred thousand agencies.
//!
//! Counters whose labels are known begin at 0. Prometheus sees no increase in a series that appears with its first event, so an alert on
//! such a series would miss that event.

mod actor;
mod carrier;
mod families;
mod in_hand;
mod intake;
mod reads;

use prometheus::core::Collector;
use prometheus::proto::Metric;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGaugeVec, Registry};
use sdc::refusal::RefusalCode;
use sdc::service::Service;
use store::settle::Tally;

use crate::room::Hands;
use crate::transport::NoContainer;
use actor::ActorFamilies;
pub use actor::{ActorMetrics, Handled, Stay};
pub use carrier::CarrierMetrics;
use families::{counters, gauges, registered};
use in_hand::InHand;
use intake::IntakeFamilies;
pub use intake::{HeldSender, IntakeMetrics};
pub use reads::{ReadMetrics, Waiting};

/// Name of each actor. It is the actor's label on metrics, its name in logs, and the name of its source file.
pub const ACTORS: [&str; 7] = [
    "mailbox_poller",
    "sdc_decoder",
    "signature_verifier",
    "record_reader",
    "table_writer",
    "billing_ledger",
    "exporter",
];

/// The metrics of the pipeline. They are made once per process, and all actors use copies of them.
#[derive(Clone)]
pub struct Metrics {
    actors: ActorFamilies,
    in_hand: InHand,
    intake: IntakeFamilies,
    /// Metrics of the carrier.
    pub carrier: CarrierMetrics,
    /// Containers committed, by outcome (`accepted`, `duplicate`, or the code of the refusal).
    pub letters: IntCounterVec,
    /// Containers that name a registered key and are not signed with it, by the refusal's code: `signature_invalid`, `signature_forbidden`.
    /// Containers that are refused before their key is looked up are not counted.
    pub signatures_refused: IntCounterVec,
    /// Rows written into application tables.
    pub rows: IntCounter,
    /// Minor units charged, by service.
    charged: IntCounterVec,
    /// Metrics of the records that are read for agencies.
    pub reads: ReadMetrics,
    /// Seconds from the moment at which the centre takes a mail to the commit of its letters.
    pub settle_seconds: Histogram,
    /// The time that a letter states minus the time of its arrival, in seconds. It is negative for a letter that was long on its way.
    pub skew_seconds: Histogram,
    /// Letters per committed transaction.
    pub batch_letters: Histogram,
    /// Mails fetched, by mailbox.
    pub mails_fetched: IntCounterVec,
    /// Mails without a container, by mailbox, by the mailbox's rule (`leave`, `quarantine`, `drop`), and by whether the mail declares
    /// itself automatic, as bounces and vacation notices do.
    pub without_container: IntCounterVec,
    /// Mails found in the mailbox at its last listing.
    pub mailbox_mails: IntGaugeVec,
    /// Mails that a mailbox lists and that cannot be fetched, by mailbox. The server refuses to send them, or each session breaks over
    /// them.
    pub unfetchable: IntGaugeVec,
    /// 1 where the last poll reached the mailbox, 0 where it did not, by mailbox.
    mailbox_up: IntGaugeVec,
    /// 1 while this process has the source's lease, by mailbox.
    pub leases_held: IntGaugeVec,
    /// Polls, by mailbox and outcome (`ok`, `elsewhere`, or the step that failed).
    pub polls: IntCounterVec,
    /// Answers by outcome: `sent`, `put_back`, `given_up`.
    pub answers: IntCounterVec,
    /// 1 while the database answers, 0 while it does not. The gauge has no labels, and no value until the first contact with the database.
    database_up: IntGaugeVec,
}

const SETTLE_BUCKETS: [f64; 12] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0];
/// The buckets reach further into the past than needed for clocks: letters may be days on their way. Only a wrong clock dates a letter in
/// the future.
const SKEW_BUCKETS: [f64; 8] = [-86_400.0, -3600.0, -600.0, -60.0, 60.0, 600.0, 3600.0, 86_400.0];
const BATCH_BUCKETS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 300.0, 600.0];

impl Metrics {
    /// Makes the metrics and registers them.
    ///
    /// # Errors
    /// Two metrics have the same name.
    pub fn new(registry: &Registry) -> prometheus::Result<Metrics> {
        let vec = |name: &str, help: &str, labels: &[&str]| counters(registry, name, help, labels);
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            registered(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
        };
        let metrics = Metrics {
            actors: ActorFamilies::new(registry)?,
            in_hand: registered(registry, InHand::new()?)?,
            intake: IntakeFamilies::new(registry)?,
            carrier: CarrierMetrics::new(registry)?,
            letters: vec("xm_letters_total", "Containers committed, by outcome", &["outcome"])?,
            signatures_refused: vec(
                "xm_signatures_refused_total",
                "Containers that name a registered key and are not signed with it, by the refusal's code",
                &["outcome"],
            )?,
            rows: registered(registry, IntCounter::new("xm_rows_total", "Rows written into application tables")?)?,
            charged: vec("xm_charged_minor_units_total", "Minor units charged", &["service"])?,
            reads: ReadMetrics::new(registry)?,
            settle_seconds: histogram("xm_settle_seconds", "From a mail in hand to its commit", &SETTLE_BUCKETS)?,
            skew_seconds: histogram("xm_skew_seconds", "A letter's own time less that of its receipt", &SKEW_BUCKETS)?,
            batch_letters: histogram("xm_batch_letters", "Letters per committed transaction", &BATCH_BUCKETS)?,
            mails_fetched: vec("xm_mails_fetched_total", "Mails fetched", &["mailbox"])?,
            without_container: vec(
                "xm_mails_without_container_total",
                "Mails that hold no container, by the mailbox's rule",
                &["mailbox", "rule", "automatic"],
            )?,
            mailbox_mails: gauges(registry, "xm_mailbox_mails", "Mails found at the last listing", &["mailbox"])?,
            unfetchable: gauges(
                registry,
                "xm_mails_unfetchable",
                "Mails that the mailbox lists and does not give, or over which each session breaks",
                &["mailbox"],
            )?,
            mailbox_up: gauges(
                registry,
                "xm_mailbox_up",
                "1 while the last poll has reached the mailbox",
                &["mailbox"],
            )?,
            leases_held: gauges(
                registry,
                "xm_leases_held",
                "1 while this program has the lease of the mailbox",
                &["mailbox"],
            )?,
            polls: vec("xm_polls_total", "Polls, by outcome or the step that failed", &["mailbox", "outcome"])?,
            answers: vec("xm_answers_total", "Answers, by what became of them", &["outcome"])?,
            database_up: gauges(registry, "xm_database_up", "1 while the database answers and has room to write", &[])?,
        };
        for outcome in
            ["accepted", "duplicate", "held"].into_iter().chain(RefusalCode::ALL.iter().map(|code| code.as_str()))
        {
            metrics.letters.with_label_values(&[outcome]);
        }
        for code in [RefusalCode::SignatureInvalid, RefusalCode::SignatureForbidden] {
            metrics.signatures_refused.with_label_values(&[code.as_str()]);
        }
        for outcome in ["sent", "put_back", "given_up"] {
            metrics.answers.with_label_values(&[outcome]);
        }
        for service in Service::ALL.into_iter().filter(|service| service.facts().priced.is_some()) {
            metrics.charged.with_label_values(&[service.name()]);
        }
        Ok(metrics)
    }

    /// Returns the metrics of a source to which mail is pushed.
    pub fn intake(&self, source: &str) -> IntakeMetrics {
        self.intake.of(source)
    }

    /// Adds the totals of a committed batch to the counters, by service.
    pub fn count(&self, tally: &Tally) {
        for (service, sum) in tally.sums.iter().filter(|(_, sum)| sum.charged > 0) {
            self.charged.with_label_values(&[service.name()]).inc_by(sum.charged.unsigned_abs());
        }
        self.reads.count(tally);
    }

    /// From now on, each scrape shows the number of permits that are taken from `hands`.
    pub fn show_in_hand(&self, hands: &Hands) {
        self.in_hand.show(hands);
    }

    /// Notes whether the database answers and has disk space to write.
    pub fn database_answers(&self, is_up: bool) {
        self.database_up.with_label_values::<&str>(&[]).set(i64::from(is_up));
    }

    /// Notes whether the last poll of a mailbox reached it.
    pub fn reached(&self, mailbox: &str, is_up: bool) {
        self.mailbox_up.with_label_values(&[mailbox]).set(i64::from(is_up));
    }

    /// Removes the gauges of a mailbox that another process polls: that process shows them, and the values of this process would be
    /// outdated.
    pub fn polled_elsewhere(&self, mailbox: &str) {
        for gauge in [&self.mailbox_up, &self.mailbox_mails] {
            // The removal of a series that does not exist fails and changes nothing.
            gauge.remove_label_values(&[mailbox]).ok();
        }
        // Every process shows this gauge, even when it is 0, so that an alert on it can both begin and end.
        self.unfetchable.with_label_values(&[mailbox]).set(0);
    }

    /// Says whether the last poll of every mailbox that this process polls failed to reach it. Returns false before the first poll.
    pub fn is_every_mailbox_down(&self) -> bool {
        let mailboxes: Vec<_> = self.mailbox_up.collect().iter().flat_map(|up| up.get_metric().to_vec()).collect();
        !mailboxes.is_empty() && mailboxes.iter().all(|mailbox| mailbox.get_gauge().get_value() < 1.0)
    }

    /// Sets the counters of one source to 0, so that their series exist.
    pub fn begin_mailbox(&self, name: &str, rule: NoContainer) {
        self.mails_fetched.with_label_values(&[name]);
        for automatic in ["no", "yes"] {
            self.without_container.with_label_values(&[name, rule.as_str(), automatic]);
        }
    }

    /// Sets the counters of one polled source to 0, so that their series exist.
    pub fn begin_polled(&self, name: &str) {
        self.unfetchable.with_label_values(&[name]).set(0);
        for outcome in ["ok", "elsewhere"] {
            self.polls.with_label_values(&[name, outcome]);
        }
    }

    /// Says whether the last poll reached a source, or, for a pushed source, whether it listens.
    pub fn is_reached(&self, source: &str) -> bool {
        // A look-up by labels would create a missing series, so all series are searched.
        let series = self.mailbox_up.collect().into_iter().flat_map(|up| up.get_metric().to_vec());
        let of_source = |up: &Metric| up.get_label().iter().any(|label| label.value() == source);
        series.filter(of_source).any(|up| up.get_gauge().get_value() > 0.0)
    }

    /// Returns the metrics of one actor.
    pub fn actor(&self, name: &'static str) -> ActorMetrics {
        self.actors.actor(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_that_is_reached_is_enough_and_before_the_first_poll_nothing_is_known() {
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let mut downs = vec![metrics.is_every_mailbox_down()];
        for (mailbox, is_up) in [("a", false), ("b", true), ("b", false), ("a", true)] {
            metrics.reached(mailbox, is_up);
            downs.push(metrics.is_every_mailbox_down());
        }
        assert_eq!(downs, [false, true, false, true, false]);
    }

    #[test]
    fn a_database_that_nobody_has_tried_yet_is_not_said_to_be_away() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry).unwrap();
        let shown = || {
            let families = registry.gather();
            let up = families.iter().find(|family| family.name() == "xm_database_up");
            up.map(|up| up.get_metric()[0].get_gauge().get_value() > 0.0)
        };
        let mut seen = vec![shown()];
        for answers in [false, true] {
            metrics.database_answers(answers);
            seen.push(shown());
        }
        assert_eq!(seen, [None, Some(false), Some(true)]);
    }

    #[test]
    fn nothing_is_shown_of_a_mailbox_that_another_program_polls() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry).unwrap();
        metrics.reached("a", true);
        metrics.mailbox_mails.with_label_values(&["a"]).set(3);
        metrics.unfetchable.with_label_values(&["a"]).set(1);
        for _ in 0..2 {
            metrics.polled_elsewhere("a");
        }
        let names: Vec<String> = registry.gather().iter().map(|family| family.name().to_owned()).collect();
        assert!(!names.iter().any(|name| ["xm_mailbox_up", "xm_mailbox_mails"].contains(&name.as_str())), "{names:?}");
        assert_eq!(metrics.unfetchable.with_label_values(&["a"]).get(), 0);
        assert!(!metrics.is_every_mailbox_down());
    }
}
