//! Sends letters that ask for records one after another, and checks the answers to them.

use std::time::Instant;

use anyhow::{Context, Result};
use sdc::answer::part::PartContent;
use sdc::answer::results::Found;
use sdc::payload::{PayloadLimits, read_part};
use sdc::request::CERTIFIED_KEYS_MAX;
use simulation::process::rss_mb_max;
use tokio_postgres::Client;

use crate::centre::{self, Centre, Hardship, MAILBOXES};
use crate::database::RestingDatabase;
use crate::figures::{Figures, percentile};
use crate::readers::expected;
use crate::stock::Stock;

/// For each accepted letter that asks for records, the milliseconds from when the engine has the letter to the commit, and to the sending
/// of its last answer.
const TIMES: &str = "SELECT (extract(epoch FROM j.posted_at - j.received_at) * 1000)::float8,
                            (extract(epoch FROM l.answered_at - j.received_at) * 1000)::float8
                       FROM xm.journal j JOIN xm.letters l ON l.agency = j.agency AND l.letter_id = j.letter_id
                      WHERE j.outcome = 'accepted' AND j.service IN ('import', 'certify') ORDER BY j.received_at";

/// Times in milliseconds from when the engine has each letter, in the order in which the letters came.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// The time until the letter is settled: its answer's parts are then in the database, and the engine begins to seal and send them.
    pub committed_ms: Vec<f64>,
    /// The time until the last part of the answer was sent.
    pub answered_ms: Vec<f64>,
}

impl Times {
    /// Reads the times of all letters from the database.
    ///
    /// # Errors
    /// PostgreSQL fails.
    pub async fn read(client: &Client) -> Result<Times> {
        let mut times = Times::default();
        for row in client.query(TIMES, &[]).await? {
            times.committed_ms.push(row.get(0));
            times.answered_ms.push(row.get(1));
        }
        Ok(times)
    }
}

/// A run that has ended. Its engine is stopped, and its database runs without the engine.
pub struct Run {
    /// The figures of the run before the answers are checked; [`count`] adds the results of the check.
    pub figures: Figures,
    /// The times that the letters took.
    pub times: Times,
    /// Processor seconds of the engine and its PostgreSQL, from the delivery of the first letter until the last answer was sent.
    pub processor_seconds: f64,
    /// Load average of the machine before the run. A high value shows that other programs slowed the run down.
    pub load_average: f64,
    /// The database of the stopped engine.
    pub database: RestingDatabase,
    _centre: Centre,
}

/// Sends the letters of agencies that ask for records, each when the letter before it is answered.
///
/// # Errors
/// A program does not start or ends early, or the letters are not answered in time.
pub async fn one_by_one(stock: &Stock) -> Result<Run> {
    let load_average = load_average()?;
    let mut centre = Centre::start(stock, centre::empty_dovecot()?, Hardship::default()).await?;
    let start_seconds = centre.wait_ready()?;
    let mut mails: Vec<Vec<u8>> = Vec::new();
    stock.for_each_reader_mail(|_, mail| {
        mails.push(mail.to_vec());
        Ok(())
    })?;
    let (client, answered) = (centre.client().await?, answered(stock));
    let (begun, before) = (Instant::now(), centre.cpu_seconds()?);
    for (at, mail) in mails.iter().enumerate() {
        centre.dovecot.deliver(&centre::address(at % MAILBOXES), mail)?;
        centre.wait_for("a letter is answered", &client, &answered, i64::try_from(at + 1)?).await?;
    }
    let mut figures = Figures { letters: mails.len() as u64, start_seconds, ..Figures::default() };
    figures.seconds = begun.elapsed().as_secs_f64();
    figures.all_seconds = figures.seconds;
    let processor_seconds = centre.cpu_seconds()? - before;
    centre.count_processor_time(&mut figures)?;
    figures.rss_mb_max = rss_mb_max(centre.engine.process_id()?).context("the engine is gone")?;
    figures.bytes_per_letter = mails.iter().map(Vec::len).sum::<usize>() as f64 / mails.len() as f64;
    drop(client);
    centre.engine.stop()?;
    let database = RestingDatabase::start(&centre.engine.data()).await?;
    let times = Times::read(&database.client).await?;
    (figures.p50_ms, figures.p99_ms) = (of(&times.committed_ms, 50), of(&times.committed_ms, 99));
    figures.letters_per_second = 1000.0 / figures.p50_ms;
    Ok(Run { figures, times, processor_seconds, load_average, database, _centre: centre })
}

/// Returns a percentile of the times, which may be in any order.
pub fn of(times_ms: &[f64], hundredths: usize) -> f64 {
    let mut sorted = times_ms.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    percentile(&sorted, hundredths).unwrap_or_default()
}

/// Returns a query that counts the letters of agencies that ask for records to which the whole answer was sent.
pub fn answered(stock: &Stock) -> String {
    format!(
        "SELECT count(*) FROM xm.letters l
          WHERE l.agency >= {} AND l.answered_at IS NOT NULL
            AND NOT EXISTS (SELECT FROM xm.outbox o WHERE o.agency = l.agency AND o.letter_id = l.letter_id)",
        stock.first_reader()
    )
}

/// Counts each letter without a sound answer as lost. Fills in by how much the ledger does not add up.
///
/// # Errors
/// PostgreSQL fails.
pub async fn count(client: &Client, sound: usize, figures: &mut Figures) -> Result<()> {
    let number = async |text: &str| -> Result<i64> { Ok(client.query_one(text, &[]).await?.get(0)) };
    let settled = number("SELECT count(*) FROM xm.readings WHERE settled_at IS NOT NULL").await?;
    let letters = i64::try_from(figures.letters)?;
    figures.lost = letters - i64::try_from(sound)?;
    figures.doubled = (settled - letters).max(0);
    figures.ledger_difference = number("SELECT difference::bigint FROM xm.ledger_difference").await?.abs();
    figures.receipts_sent = number("SELECT count(*) FROM xm.letters WHERE answered_at IS NOT NULL").await?;
    Ok(())
}

/// Counts the letters in which every paper got the right result, together with the record wherever the table holds the act.
///
/// # Errors
/// PostgreSQL fails, or a part of an answer cannot be read.
pub async fn certified(client: &Client) -> Result<usize> {
    let text = "SELECT r.id::text, p.payload FROM xm.readings r JOIN xm.reading_parts p ON p.reading = r.id
                 WHERE r.settled_at IS NOT NULL ORDER BY 1, p.part";
    let mut letters: std::collections::BTreeMap<String, Vec<(Found, bool)>> = std::collections::BTreeMap::new();
    for row in client.query(text, &[]).await? {
        let (reading, payload): (String, Vec<u8>) = (row.get(0), row.get(1));
        let part = read_part(&payload, &PayloadLimits::default());
        let part = part.map_err(|refusal| anyhow::anyhow!("a part that no office could read: {refusal}"))?;
        let PartContent::Results(results) = part.content else { continue };
        let found = results.results.iter().map(|result| (result.outcome, result.record.is_some()));
        letters.entry(reading).or_default().extend(found);
    }
    let is_sound = |answers: &&Vec<(Found, bool)>| {
        let count =
            |found: Found| answers.iter().filter(|answer| **answer == (found, found != Found::NotFound)).count();
        let right = [Found::Match, Found::Differs, Found::NotFound].map(|found| count(found) == expected(found));
        answers.len() == CERTIFIED_KEYS_MAX && right == [true; 3]
    };
    Ok(letters.values().filter(is_sound).count())
}

/// Counts the letters whose answers gave all rows of the table, in parts numbered without a gap.
///
/// # Errors
/// PostgreSQL fails, or a part of an answer cannot be read.
pub async fn imported(client: &Client, rows: u64) -> Result<usize> {
    let mut sound = 0;
    for reading in client.query("SELECT id::text FROM xm.readings WHERE settled_at IS NOT NULL", &[]).await? {
        let id: String = reading.get(0);
        let text = "SELECT part, payload FROM xm.reading_parts WHERE reading = $1::text::uuid ORDER BY part";
        let (mut found, mut is_whole, mut ended) = (0, true, false);
        for (at, row) in client.query(text, &[&id]).await?.into_iter().enumerate() {
            let (part, payload): (i16, Vec<u8>) = (row.get(0), row.get(1));
            let read = read_part(&payload, &PayloadLimits::default());
            let read = read.map_err(|refusal| anyhow::anyhow!("a part that no office could read: {refusal}"))?;
            is_whole &= usize::try_from(part)? == at + 1 && !ended;
            ended = read.head.last;
            if let PartContent::Rows(rows) = read.content {
                found += rows.row_count() as u64;
            }
        }
        sound += usize::from(is_whole && ended && found == rows);
    }
    Ok(sound)
}

/// Returns the machine's load average of the last minute. It is printed beside the figures, because other programs slow a run down.
///
/// # Errors
/// /proc/loadavg cannot be read.
pub fn load_average() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}
