//! Metrics of the addresses at which mail is pushed.

use mail::intake::Outcome;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::families::{counters, gauges};

/// Families of the metrics, with a series for each source.
#[derive(Clone)]
pub(super) struct IntakeFamilies {
    mails: IntCounterVec,
    held: IntGaugeVec,
    connections: IntGaugeVec,
}

/// Metrics of one source.
#[derive(Clone)]
pub struct IntakeMetrics {
    taken: IntCounter,
    later: IntCounter,
    leaving: IntCounter,
    held: IntGauge,
    connections: IntGauge,
}

/// Counts a sender that waits for its answer, until this value is dropped.
#[must_use]
pub struct HeldSender(IntGauge);

impl Drop for HeldSender {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl IntakeFamilies {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<IntakeFamilies> {
        let source = ["mailbox"];
        Ok(IntakeFamilies {
            mails: counters(
                registry,
                "xm_intake_mails_total",
                "Mails that were pushed, by the answer to their sender: taken, later or leaving",
                &["mailbox", "answer"],
            )?,
            held: gauges(registry, "xm_intake_held", "Senders that wait for the answer about their mail", &source)?,
            connections: gauges(registry, "xm_intake_connections", "Connections of senders", &source)?,
        })
    }

    pub(super) fn of(&self, source: &str) -> IntakeMetrics {
        let answered = |answer: &str| self.mails.with_label_values(&[source, answer]);
        IntakeMetrics {
            taken: answered("taken"),
            later: answered("later"),
            leaving: answered("leaving"),
            held: self.held.with_label_values(&[source]),
            connections: self.connections.with_label_values(&[source]),
        }
    }
}

impl IntakeMetrics {
    /// Counts a sender that waits for its answer.
    pub fn hold(&self) -> HeldSender {
        self.held.inc();
        HeldSender(self.held.clone())
    }

    /// Counts an answered mail.
    pub fn answered(&self, outcome: Outcome) {
        match outcome {
            Outcome::Taken => self.taken.inc(),
            Outcome::Later => self.later.inc(),
            Outcome::Leaving => self.leaving.inc(),
        }
    }

    /// Sets the number of connections.
    pub fn connections(&self, connections: usize) {
        self.connections.set(i64::try_from(connections).unwrap_or(i64::MAX));
    }
}
