//! Letters of a thousand records: one at a time, and all at once.

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::burst;
use crate::centre::{self, Centre, Hardship};
use crate::figures::{Figures, Report, number, percentile};
use crate::stock::Stock;

/// What two runs measured.
#[derive(Clone, Debug, Serialize)]
pub struct Bulk {
    /// Records of a letter.
    pub records: u64,
    /// From a letter in hand to its commit, one after another: median.
    pub one_p50_ms: f64,
    /// The same, 99th percentile.
    pub one_p99_ms: f64,
    /// What the parts of the limit take together: no chain of them is shorter.
    pub one_limit_ms: f64,
    /// How much of that was reached.
    pub one_share_of_limit: f64,
    /// Records of one letter, by that median.
    pub records_per_second_one: f64,
    /// Records of all letters, by the time that the burst took.
    pub records_per_second_all: f64,
    /// At once.
    pub all: burst::Outcome,
}

impl Report for Bulk {
    fn summary(&self) -> Vec<(&'static str, String)> {
        vec![
            ("records", self.records.to_string()),
            ("one_p50_ms", number(self.one_p50_ms)),
            ("one_p99_ms", number(self.one_p99_ms)),
            ("one_limit_ms", number(self.one_limit_ms)),
            ("one_share_of_limit", number(self.one_share_of_limit)),
            ("records_per_second_one", number(self.records_per_second_one)),
            ("records_per_second_all", number(self.records_per_second_all)),
        ]
    }

    fn runs(&self) -> Vec<(&'static str, &Figures)> {
        vec![("all", &self.all.figures)]
    }
}

/// Sends every letter of the stock by itself, then all at once.
///
/// # Errors
/// See [`burst::run`]; a letter is not accepted.
pub async fn run(stock: &Stock, records: u64) -> Result<Bulk> {
    let mut times_ms = one_after_another(stock).await?;
    times_ms.sort_unstable_by(f64::total_cmp);
    let percentile = |hundredths| percentile(&times_ms, hundredths).context("there is no letter to send");
    let (one_p50_ms, one_p99_ms) = (percentile(50)?, percentile(99)?);
    let all = burst::run(stock, Hardship::default(), true).await?;
    let one_limit_ms = all.figures.limit.map(|limit| limit.one_us() / 1000.0).unwrap_or_default();
    Ok(Bulk {
        records,
        one_p50_ms,
        one_p99_ms,
        one_limit_ms,
        one_share_of_limit: one_limit_ms / one_p50_ms,
        records_per_second_one: records as f64 * 1000.0 / one_p50_ms,
        records_per_second_all: records as f64 * all.figures.letters_per_second,
        all,
    })
}

/// Delivers each letter when the one before is settled. Returns how long each was in hand until it was committed, in
/// milliseconds, by the engine's own clock.
async fn one_after_another(stock: &Stock) -> Result<Vec<f64>> {
    let mut centre = Centre::start(stock, centre::empty_dovecot()?, Hardship::default()).await?;
    let mut times_ms = Vec::with_capacity(stock.letters());
    let mut seconds = 0.0;
    stock.for_each_mail(usize::MAX, |at, mail| {
        centre.dovecot.deliver(&centre::address(at % centre::MAILBOXES), mail)?;
        let settled = (at + 1) as f64;
        let is_settled = |engine: &scenarios::engine::Engine| engine.metric("xm_settle_seconds_count") >= settled;
        centre.wait("the letter is settled", burst::LONGEST, is_settled)?;
        let sum = centre.engine.metric("xm_settle_seconds_sum");
        times_ms.push((sum - seconds) * 1000.0);
        seconds = sum;
        Ok(())
    })?;
    let accepted = centre.engine.metric("xm_letters_total{outcome=\"accepted\"}");
    ensure!(accepted == stock.letters() as f64, "{accepted} of {} letters were accepted", stock.letters());
    centre.engine.stop()?;
    Ok(times_ms)
}
