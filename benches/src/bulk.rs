//! Letters of a thousand records each: a run that delivers one letter at a time, and a burst of all letters.

use std::time::Instant;

use anyhow::Result;
use scenarios::engine::Engine;
use serde::Serialize;

use crate::burst;
use crate::centre::{self, Centre, Hardship, LONGEST};
use crate::examination::Examination;
use crate::figures::{Figures, Report, number, percentile};
use crate::stock::Stock;

/// The results of the two runs.
#[derive(Clone, Debug, Serialize)]
pub struct Bulk {
    /// Records of a letter.
    pub records: u64,
    /// Records of one letter, divided by the median time of the letters sent one after another.
    pub records_per_second_one: f64,
    /// Records of all letters, divided by the time that the burst took.
    pub records_per_second_all: f64,
    /// The run in which the letters are sent one after another. Its letters a second are one divided by the median time. Where letters come
    /// one by one, only one processor at a time has work, so the run is compared with the limit of one processor.
    pub one: Figures,
    /// The burst, in which all letters lie in the mailboxes from the start.
    pub all: Figures,
}

impl Report for Bulk {
    fn summary(&self) -> Vec<(&'static str, String)> {
        vec![
            ("records", self.records.to_string()),
            ("records_per_second_one", number(self.records_per_second_one)),
            ("records_per_second_all", number(self.records_per_second_all)),
        ]
    }

    fn runs(&self) -> Vec<(String, &Figures)> {
        vec![("one".to_owned(), &self.one), ("all".to_owned(), &self.all)]
    }
}

/// Delivers the letters of the stock one after another, then runs a burst with all of them.
///
/// # Errors
/// See [`burst::run`].
pub async fn run(stock: &Stock, records: u64) -> Result<Bulk> {
    let one = one_after_another(stock).await?;
    let all = burst::run(stock, Hardship::default(), true).await?;
    Ok(Bulk {
        records,
        records_per_second_one: records as f64 * one.letters_per_second,
        records_per_second_all: records as f64 * all.letters_per_second,
        one,
        all,
    })
}

/// Delivers each letter when the letter before it is settled. The times come from the engine's metric: they begin when the engine has the
/// whole mail, and end with the commit.
async fn one_after_another(stock: &Stock) -> Result<Figures> {
    let mut centre = Centre::start(stock, centre::empty_dovecot()?, Hardship::default()).await?;
    let start_seconds = centre.wait_ready()?;
    let begun = Instant::now();
    let mut times_ms = Vec::with_capacity(stock.letters());
    let mut seconds = 0.0;
    stock.for_each_mail(usize::MAX, |at, mail| {
        centre.dovecot.deliver(&centre::address(at % centre::MAILBOXES), mail)?;
        let settled = (at + 1) as f64;
        let is_settled = |engine: &Engine| engine.metric("xm_settle_seconds_count") >= settled;
        centre.wait("the letter is settled", LONGEST, is_settled)?;
        let sum = centre.engine.metric("xm_settle_seconds_sum");
        times_ms.push((sum - seconds) * 1000.0);
        seconds = sum;
        Ok(())
    })?;
    let settled = Instant::now();
    let mut figures = Figures {
        letters: stock.letters() as u64,
        seconds: (settled - begun).as_secs_f64(),
        start_seconds,
        ..Figures::default()
    };
    centre.count_processor_time(&mut figures)?;
    centre.finish(stock.expected.answered, settled, begun, &mut figures)?;
    times_ms.sort_unstable_by(f64::total_cmp);
    figures.p50_ms = percentile(&times_ms, 50).unwrap_or_default();
    figures.p99_ms = percentile(&times_ms, 99).unwrap_or_default();
    figures.letters_per_second = 1000.0 / figures.p50_ms;
    let examination = Examination::begin(&centre, stock).await?;
    examination.count(&mut figures).await?;
    figures.hold_against(examination.limit().await?.one_by_one());
    examination.end().await?;
    Ok(figures)
}
