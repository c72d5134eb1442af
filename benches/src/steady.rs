//! Letters that come one after another, as many a second as asked for, into mailboxes that are polled every second.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use chrono::{DateTime, Utc};
use scenarios::engine::Engine;
use serde::Serialize;
use tokio_postgres::NoTls;

use crate::centre::{self, Centre, Hardship, MAILBOXES};
use crate::processes::rss_mb_max;
use crate::stock::Stock;

/// Longest wait for what is still under way when the last letter has been delivered.
const LONGEST: Duration = Duration::from_secs(300);

/// What a run measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// Letters delivered.
    pub letters: u64,
    /// Letters a second, as delivered.
    pub letters_per_second: f64,
    /// From lying in the mailbox to the commit: median.
    pub p50_ms: i64,
    /// The same, 99th percentile.
    pub p99_ms: i64,
    /// The same, at most.
    pub max_ms: i64,
    /// Mails in all mailboxes together, as last seen by their pollers: mean of the first third of the run.
    pub waiting_first_third: f64,
    /// The same of the last third.
    pub waiting_last_third: f64,
    /// Letters without a verdict.
    pub lost: i64,
    /// Letters accepted, and entries, beyond those delivered.
    pub doubled: i64,
    /// Minor units that the books differ by.
    pub ledger_difference: i64,
    /// Receipts sent when the last letter had been delivered.
    pub receipts_meanwhile: f64,
    /// From the last delivery to the last receipt.
    pub receipts_seconds: f64,
    /// The engine's largest memory.
    pub rss_mb_max: f64,
}

impl Outcome {
    /// Says whether nothing was lost, doubled or charged wrongly.
    pub fn is_sound(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.ledger_difference == 0
    }
}

/// Runs at a rate until the stock is used up.
///
/// # Errors
/// A program does not start or ends early; letters cannot be delivered as fast as asked for.
pub async fn run(stock: &Stock, rate: f64) -> Result<Outcome> {
    let mut centre = Centre::start(stock, centre::empty_dovecot()?, Hardship::default()).await?;
    centre.wait("the engine is ready", LONGEST, |engine| engine.metric("xm_database_up") > 0.0)?;
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
    let third = |from: usize| mean(waiting.iter().skip(from * waiting.len() / 3).take(waiting.len() / 3));
    let mut outcome = Outcome {
        letters: stock.letters() as u64,
        letters_per_second: stock.letters() as f64 / seconds,
        waiting_first_third: third(0),
        waiting_last_third: third(2),
        receipts_meanwhile: centre.engine.metric("xm_answers_total"),
        ..Outcome::default()
    };
    let letters = stock.letters() as f64;
    let at_least = |name: &'static str| move |engine: &Engine| engine.metric(name) >= letters;
    centre.wait("every letter is settled", LONGEST, at_least("xm_letters_total"))?;
    centre.wait("every receipt is sent", LONGEST, at_least("xm_answers_total"))?;
    outcome.receipts_seconds = ended.elapsed().as_secs_f64();
    outcome.rss_mb_max = rss_mb_max(centre.engine.process_id()?)?;
    centre.engine.stop()?;
    read_times(&centre, &delivered, &mut outcome).await?;
    Ok(outcome)
}

fn mean<'a>(values: impl ExactSizeIterator<Item = &'a f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

#[allow(clippy::disallowed_methods, reason = "a tool that keeps a pace")]
fn pause_until(due: Instant) {
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
}

/// Holds the times of commit against those of delivery. The letter of place `at` is that of agency `at` + 1.
async fn read_times(centre: &Centre, delivered: &[DateTime<Utc>], outcome: &mut Outcome) -> Result<()> {
    let mut cluster = centre::open_database(&centre.engine.data()).await?;
    let (client, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await?;
    let connection = tokio::spawn(connection);
    let text = "SELECT agency, (extract(epoch FROM min(posted_at)) * 1000)::bigint FROM xm.journal
                 WHERE outcome = 'accepted' GROUP BY agency";
    let mut times = Vec::with_capacity(delivered.len());
    for row in client.query(text, &[]).await? {
        let (agency, posted): (i32, i64) = (row.get(0), row.get(1));
        if let Some(delivered) = usize::try_from(agency - 1).ok().and_then(|at| delivered.get(at)) {
            times.push(posted - delivered.timestamp_millis());
        }
    }
    let delivered_count = i64::try_from(delivered.len())?;
    for text in ["SELECT count(*) FROM xm.journal WHERE outcome = 'accepted'", "SELECT count(*) FROM xm.entries"] {
        let found: i64 = client.query_one(text, &[]).await?.get(0);
        outcome.doubled += (found - delivered_count).max(0);
    }
    let text = "SELECT difference::bigint FROM xm.ledger_difference";
    outcome.ledger_difference = client.query_one(text, &[]).await?.get::<_, i64>(0).abs();
    drop(client);
    connection.await??;
    cluster.stop().await;
    outcome.lost = i64::try_from(delivered.len())? - i64::try_from(times.len())?;
    times.sort_unstable();
    let percentile = |hundredths: usize| times.get((times.len() * hundredths).div_ceil(100).saturating_sub(1)).copied();
    outcome.p50_ms = percentile(50).unwrap_or_default();
    outcome.p99_ms = percentile(99).unwrap_or_default();
    outcome.max_ms = percentile(100).unwrap_or_default();
    Ok(())
}
