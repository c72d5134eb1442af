//! Metrics of the records that are read for agencies: outcomes of the letters that ask for records, the amount read, the time taken, and
//! the letters that wait.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Registry};
use sdc::refusal::RefusalCode;
use sdc::service::Service;
use store::settle::{Outcome, Tally};

use super::families::{counters, registered};

/// Upper limits of the histogram's buckets, in seconds. A certification takes milliseconds, and an import of a million records takes
/// minutes.
const SECONDS_BUCKETS: [f64; 11] = [0.005, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0, 180.0, 600.0];

/// Metrics of the records that are read for agencies.
#[derive(Clone)]
pub struct ReadMetrics {
    reads: IntCounterVec,
    acts: IntCounterVec,
    parts: IntCounterVec,
    bytes: IntCounterVec,
    seconds: HistogramVec,
    waiting: IntGauge,
}

impl ReadMetrics {
    /// Makes the metrics and registers them. Every counter begins at 0.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<ReadMetrics> {
        let of_service = |name: &str, help: &str| counters(registry, name, help, &["service"]);
        let seconds = HistogramOpts::new("xm_read_seconds", "Time of reading for a letter, until its parts are staged");
        let metrics = ReadMetrics {
            reads: counters(
                registry,
                "xm_reads_total",
                "Letters that ask to read, by how they ended",
                &["service", "outcome"],
            )?,
            acts: of_service("xm_read_acts_total", "Records given and keys answered")?,
            parts: of_service("xm_read_parts_total", "Parts of answers that were read")?,
            bytes: of_service("xm_read_bytes_total", "Bytes of the containers of these parts")?,
            seconds: registered(registry, HistogramVec::new(seconds.buckets(SECONDS_BUCKETS.to_vec()), &["service"])?)?,
            waiting: registered(registry, IntGauge::new("xm_reads_waiting", "Letters that wait to be read for")?)?,
        };
        for service in Service::ALL.into_iter().filter(|service| service.facts().needs_reader()) {
            let name = service.name();
            let refusals = RefusalCode::ALL.iter().copied().filter(|code| code.is_answered()).map(Outcome::Refused);
            for outcome in refusals.chain([Outcome::Accepted]) {
                metrics.reads.with_label_values(&[name, outcome.as_str()]);
            }
            for counter in [&metrics.acts, &metrics.parts, &metrics.bytes] {
                counter.with_label_values(&[name]);
            }
            metrics.seconds.with_label_values(&[name]);
        }
        Ok(metrics)
    }

    /// Adds the totals of a committed batch to the counters.
    pub fn count(&self, tally: &Tally) {
        for (service, outcome) in &tally.reads {
            self.reads.with_label_values(&[service.name(), outcome.as_str()]).inc();
        }
        for (service, sum) in tally.sums.iter().filter(|(service, _)| service.facts().needs_reader()) {
            for (counter, number) in [(&self.acts, sum.acts), (&self.parts, sum.parts), (&self.bytes, sum.bytes)] {
                counter.with_label_values(&[service.name()]).inc_by(number);
            }
        }
    }

    /// Records how long the reading for one letter took.
    pub fn took(&self, service: Service, time: Duration) {
        self.seconds.with_label_values(&[service.name()]).observe(time.as_secs_f64());
    }

    /// Counts a letter as waiting, until the returned value is dropped.
    pub fn wait(&self) -> Waiting {
        self.waiting.inc();
        Waiting(self.waiting.clone())
    }
}

/// A letter that waits until its records are read. The gauge counts the letter until this value is dropped, even if the actor that holds it
/// panics.
pub struct Waiting(IntGauge);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use store::settle::Sum;

    use super::*;

    #[test]
    fn what_waits_is_counted_until_its_wait_ends_whatever_ends_it() {
        let metrics = ReadMetrics::new(&Registry::new()).unwrap();
        let queue = vec![metrics.wait(), metrics.wait()];
        let first = metrics.wait();
        assert_eq!(metrics.waiting.get(), 3);
        drop(first);
        assert_eq!(metrics.waiting.get(), 2);
        drop(queue);
        assert_eq!(metrics.waiting.get(), 0);
    }

    #[test]
    fn reads_are_counted_by_service_and_outcome_and_what_is_no_read_is_not() {
        let metrics = ReadMetrics::new(&Registry::new()).unwrap();
        let beyond = Outcome::Refused(RefusalCode::QuotaExceeded);
        let sum = Sum { charged: 7, acts: 5, parts: 2, bytes: 900 };
        metrics.count(&Tally {
            sums: BTreeMap::from([(Service::Import, sum), (Service::Export, sum)]),
            reads: vec![
                (Service::Import, Outcome::Accepted),
                (Service::Import, beyond),
                (Service::Certify, beyond),
                (Service::Import, beyond),
            ],
        });
        let read = |service: &str, outcome: &str| metrics.reads.with_label_values(&[service, outcome]).get();
        let counted = [("import", "accepted"), ("import", "quota_exceeded"), ("certify", "quota_exceeded")];
        assert_eq!(counted.map(|(service, outcome)| read(service, outcome)), [1, 2, 1]);
        let given = |counter: &IntCounterVec| counter.with_label_values(&["import"]).get();
        assert_eq!([&metrics.acts, &metrics.parts, &metrics.bytes].map(given), [5, 2, 900]);
        assert_eq!(metrics.bytes.with_label_values(&["certify"]).get(), 0);
    }
}
