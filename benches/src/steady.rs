//! A run at a steady rate: letters are delivered one after another, so many a second, into mailboxes that the engine polls every second.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::centre::{self, Centre, Hardship, MAILBOXES};
use crate::examination::Examination;
use crate::figures::{Figures, Report, number, percentile};
use crate::stock::Stock;

/// The longest wait until every letter is settled, counted from the delivery of the last letter.
const LONGEST: Duration = Duration::from_secs(300);

/// The results of the run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// The figures that every subcommand measures.
    #[serde(flatten)]
    pub figures: Figures,
    /// Letters that were delivered a second: fewer than asked for where the machine could not deliver so many.
    pub delivered_per_second: f64,
    /// The longest time from a letter's delivery into the mailbox to its commit, in milliseconds.
    pub max_ms: i64,
    /// Mean number of mails in all mailboxes together in the first third of the run, as the engine last saw them.
    pub waiting_first_third: f64,
    /// Mean number of mails in all mailboxes together in the last third of the run. A larger value than in the first third shows that the
    /// engine falls behind.
    pub waiting_last_third: f64,
    /// Number of receipts that had been sent when the last letter was delivered.
    pub receipts_meanwhile: f64,
}

impl Report for Outcome {
    fn summary(&self) -> Vec<(&'static str, String)> {
        vec![
            ("delivered_per_second", number(self.delivered_per_second)),
            ("max_ms", self.max_ms.to_string()),
            ("waiting_first_third", number(self.waiting_first_third)),
            ("waiting_last_third", number(self.waiting_last_third)),
            ("receipts_meanwhile", number(self.receipts_meanwhile)),
        ]
    }

    fn runs(&self) -> Vec<(String, &Figures)> {
        vec![("steady".to_owned(), &self.figures)]
    }
}

/// Delivers all letters of the stock at this rate, in letters a second, and waits until they are settled.
///
/// # Errors
/// A program does not start or ends early, or letters cannot be delivered at this rate.
pub async fn run(stock: &Stock, rate: f64) -> Result<Outcome> {
    Ok(run_and(stock, rate, async |_: &Centre| Ok(())).await?.0)
}

/// Runs as [`run`] does, and calls `look` as soon as the last letter is delivered. Returns the outcome and what `look` returned.
///
/// # Errors
/// Those of [`run`] and of `look`.
pub async fn run_and<T>(
    stock: &Stock,
    rate: f64,
    look: impl AsyncFnOnce(&Centre) -> Result<T>,
) -> Result<(Outcome, T)> {
    let dovecot = centre::empty_dovecot()?;
    centre::deliver_hostile_letters(stock, &dovecot)?;
    centre::deliver_reader_letters(stock, &dovecot)?;
    let mut centre = Centre::start(stock, dovecot, Hardship::default()).await?;
    let start_seconds = centre.wait_ready()?;
    let begun = Instant::now();
    let mut delivered: Vec<DateTime<Utc>> = Vec::with_capacity(stock.letters());
    let mut waiting = Vec::new();
    stock.for_each_mail(usize::MAX, |at, mail| {
        let due = Duration::from_secs_f64(at as f64 / rate);
        if begun.elapsed() < due {
            pause_until(begun + due);
        }
        centre.dovecot.deliver(&centre::address(at % MAILBOXES), mail)?;
        delivered.push(Utc::now());
        if begun.elapsed().as_secs() > waiting.len() as u64 {
            centre.engine.check()?;
            waiting.push(centre.engine.metric("xm_mailbox_mails"));
        }
        Ok(())
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let asked = stock.letters() as f64 / rate;
    ensure!(
        seconds < asked * 1.02 + 1.0,
        "delivering took {seconds:.0} s instead of {asked:.0}: the rate is too high for this machine"
    );
    let ended = Instant::now();
    let seen = look(&centre).await?;
    let third = |from: usize| mean(waiting.iter().skip(from * waiting.len() / 3).take(waiting.len() / 3));
    let mut outcome = Outcome {
        delivered_per_second: stock.letters() as f64 / seconds,
        waiting_first_third: third(0),
        waiting_last_third: third(2),
        receipts_meanwhile: centre.engine.metric("xm_answers_total"),
        ..Outcome::default()
    };
    let letters = stock.letters() as f64;
    // Letters of readers may be under way at the same time, and the metric of settled letters counts them too. They bring no rows, so the
    // number of rows shows when all other letters are settled.
    let rows = stock.expected.rows as f64;
    centre.wait("every letter is settled", LONGEST, |engine| engine.metric("xm_rows_total") >= rows)?;
    let seconds = begun.elapsed().as_secs_f64();
    let figures = &mut outcome.figures;
    figures.letters = stock.letters() as u64;
    figures.hostile = stock.expected.hostile_mails();
    figures.letters_per_second = letters / seconds;
    (figures.seconds, figures.start_seconds) = (seconds, start_seconds);
    centre.count_processor_time(figures)?;
    centre.finish(stock.expected.answered, ended, begun, figures)?;
    let examination = Examination::begin(&centre, stock).await?;
    examination.count(figures).await?;
    let times_ms = commit_ms(&examination, &delivered).await?;
    figures.p50_ms = percentile(&times_ms, 50).unwrap_or_default() as f64;
    figures.p99_ms = percentile(&times_ms, 99).unwrap_or_default() as f64;
    outcome.max_ms = percentile(&times_ms, 100).unwrap_or_default();
    figures.hold_against(examination.limit().await?);
    examination.end().await?;
    Ok((outcome, seen))
}

fn mean<'a>(values: impl ExactSizeIterator<Item = &'a f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

#[allow(clippy::disallowed_methods, reason = "a tool that keeps a pace")]
fn pause_until(due: Instant) {
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
}

/// Returns the times from delivery to commit in milliseconds, sorted. `delivered[at]` is when the letter of agency `at` + 1 was delivered.
async fn commit_ms(examination: &Examination<'_>, delivered: &[DateTime<Utc>]) -> Result<Vec<i64>> {
    let text = "SELECT agency, (extract(epoch FROM min(posted_at)) * 1000)::bigint FROM xm.journal
                 WHERE outcome = 'accepted' AND service = 'export' GROUP BY agency";
    let mut times_ms = Vec::with_capacity(delivered.len());
    for row in examination.database.client.query(text, &[]).await? {
        let (agency, posted): (i32, i64) = (row.get(0), row.get(1));
        if let Some(delivered) = usize::try_from(agency - 1).ok().and_then(|at| delivered.get(at)) {
            times_ms.push(posted - delivered.timestamp_millis());
        }
    }
    times_ms.sort_unstable();
    Ok(times_ms)
}
