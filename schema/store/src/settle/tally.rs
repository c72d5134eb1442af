//! The totals of a committed batch, by service: the amount charged, the records read for agencies, and how many requests for records were
//! accepted or refused.

use std::collections::BTreeMap;

use sdc::service::Service;

use super::arrival::Outcome;
use super::batch::Case;

/// Totals of the accepted letters of one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Amount charged, in minor units.
    pub charged: i64,
    /// Number of acts that were read for agencies and charged: records returned, or keys answered.
    pub acts: u64,
    /// Number of parts in which the records were packed for the answers.
    pub parts: u64,
    /// Size in octets of the containers of these parts.
    pub bytes: u64,
}

/// Totals of the letters of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Totals by service. A service without an accepted letter has no entry.
    pub sums: BTreeMap<Service, Sum>,
    /// Service and outcome of each letter that asked for records and was accepted or refused. A letter that arrives a second time is not
    /// counted again.
    pub reads: Vec<(Service, Outcome)>,
}

impl Tally {
    /// Adds a committed letter to the totals.
    pub fn count(&mut self, case: &Case, outcome: Outcome) {
        if let Some(acceptance) = case.acceptance() {
            let sum = self.sums.entry(acceptance.work.service()).or_default();
            sum.charged = sum.charged.saturating_add(acceptance.price.amount);
            if let Some(staged) = acceptance.work.staged() {
                sum.acts = sum.acts.saturating_add(u64::try_from(staged.acts).unwrap_or(u64::MAX));
                sum.parts = sum.parts.saturating_add(u64::from(staged.parts));
                sum.bytes = sum.bytes.saturating_add(staged.bytes);
            }
        }
        let has_ended = matches!(outcome, Outcome::Accepted | Outcome::Refused(_));
        if has_ended && case.arrival.asks_to_read() {
            self.reads.extend(case.letter().map(|letter| (letter.request.service(), outcome)));
        }
    }

    /// Adds the totals of another batch.
    pub fn add(&mut self, other: Tally) {
        for (service, sum) in other.sums {
            let total = self.sums.entry(service).or_default();
            *total = Sum {
                charged: total.charged.saturating_add(sum.charged),
                acts: total.acts.saturating_add(sum.acts),
                parts: total.parts.saturating_add(sum.parts),
                bytes: total.bytes.saturating_add(sum.bytes),
            };
        }
        self.reads.extend(other.reads);
    }

    /// Returns the amount charged, in minor units, for all services together.
    pub fn charged(&self) -> i64 {
        self.sums.values().map(|sum| sum.charged).sum()
    }
}
