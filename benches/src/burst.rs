//! All stations at once: every letter lies in the mailboxes before the engine looks.

use std::time::{Duration, Instant};

use anyhow::Result;
use sdc::refusal::RefusalCode;
use serde::Serialize;
use tokio_postgres::NoTls;

use crate::centre::{self, Centre, Hardship};
use crate::limit::Limit;
use crate::processes::{cpu_seconds, rss_mb_max};
use crate::stock::{PRICE, Stock};

/// Longest that a run may take.
pub const LONGEST: Duration = Duration::from_secs(1800);

/// What a run measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// Mails of known agencies.
    pub letters: u64,
    /// Mails of strangers.
    pub strangers: u64,
    /// Of those, settled when the last letter was.
    pub strangers_meanwhile: f64,
    /// From the start of the engine until every letter was settled.
    pub seconds: f64,
    /// Of that, until the engine was ready.
    pub start_seconds: f64,
    /// From the start until every mail was settled, those of strangers too, and every receipt sent.
    pub all_seconds: f64,
    /// Letters by the seconds after the start.
    pub letters_per_second: f64,
    /// From readiness to commit: median.
    pub p50_ms: i64,
    /// The same, 99th percentile.
    pub p99_ms: i64,
    /// The engine's largest memory.
    pub rss_mb_max: f64,
    /// Processor time until settled.
    pub cpu_seconds_engine: f64,
    /// Processor time until settled.
    pub cpu_seconds_postgres: f64,
    /// Processor time until settled.
    pub cpu_seconds_dovecot: f64,
    /// Letters without verdict, rows missing.
    pub lost: i64,
    /// Rows and entries beyond those sent.
    pub doubled: i64,
    /// Minor units that the books differ by.
    pub ledger_difference: i64,
    /// Receipts that the sink took.
    pub receipts_sent: i64,
    /// From the last settled letter to the last receipt.
    pub receipts_seconds: f64,
    /// Mean size of a mail.
    pub bytes_per_letter: f64,
    /// What the machine could do at best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_letters_per_second: Option<f64>,
    /// How much of that was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_of_limit: Option<f64>,
    /// Its parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

impl Outcome {
    /// Says whether nothing was lost, doubled or charged wrongly.
    pub fn is_sound(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.ledger_difference == 0
    }
}

/// Runs a burst; measures the limit after it where that is asked for.
///
/// # Errors
/// A program does not start or ends early; nothing moves.
pub async fn run(stock: &Stock, hardship: Hardship, with_limit: bool) -> Result<Outcome> {
    eprintln!("filling {} mailboxes", centre::MAILBOXES);
    let dovecot = centre::filled_dovecot(stock, usize::MAX, hardship.big_mails)?;
    let strangers = stock.expected.strangers + hardship.big_mails as u64;
    let letters = stock.expected.mails - stock.expected.strangers;
    let all = (letters + strangers) as f64;
    let mut centre = Centre::start(stock, dovecot, hardship).await?;
    let begun = centre.started;
    centre.wait("the engine is ready", LONGEST, |engine| engine.metric("xm_database_up") > 0.0)?;
    let start_seconds = begun.elapsed().as_secs_f64();
    let engine = centre.engine.process_id()?;
    let postgres = centre.postgres_id()?;
    let dovecot_before = cpu_seconds(centre.dovecot.process_id()?)?;
    centre.wait("every letter is settled", LONGEST, |engine| {
        if strangers == 0 {
            return engine.metric("xm_letters_total") >= all;
        }
        let settled = |(outcome, count): (&String, &u64)| {
            engine.metric(&format!("xm_letters_total{{outcome=\"{outcome}\"}}")) >= *count as f64
        };
        stock.expected.outcomes.iter().all(settled)
    })?;
    let settled = Instant::now();
    let seconds = (settled - begun).as_secs_f64();
    let mut outcome = Outcome {
        letters,
        strangers,
        strangers_meanwhile: centre.engine.metric("xm_letters_total") - letters as f64,
        seconds,
        start_seconds,
        letters_per_second: letters as f64 / (seconds - start_seconds),
        cpu_seconds_engine: cpu_seconds(engine)?,
        cpu_seconds_postgres: cpu_seconds(postgres)?,
        cpu_seconds_dovecot: cpu_seconds(centre.dovecot.process_id()?)? - dovecot_before,
        ..Outcome::default()
    };
    // The engine counts its private PostgreSQL among its children.
    outcome.cpu_seconds_engine -= outcome.cpu_seconds_postgres;
    let answers = stock.expected.answered as f64;
    centre.wait("every receipt is sent", LONGEST, |engine| engine.metric("xm_answers_total") >= answers)?;
    outcome.receipts_seconds = settled.elapsed().as_secs_f64();
    centre.wait("every mail is settled", LONGEST, |engine| engine.metric("xm_letters_total") >= all)?;
    outcome.all_seconds = begun.elapsed().as_secs_f64();
    outcome.rss_mb_max = rss_mb_max(engine)?;
    centre.engine.stop()?;
    examine(&centre, stock, with_limit, &mut outcome).await?;
    Ok(outcome)
}

fn is_of_strangers(outcome: &str) -> bool {
    RefusalCode::ALL.iter().any(|code| !code.is_answered() && code.as_str() == outcome)
}

/// Holds the database against what was sent.
async fn examine(centre: &Centre, stock: &Stock, with_limit: bool, outcome: &mut Outcome) -> Result<()> {
    let mut cluster = centre::open_database(&centre.engine.data()).await?;
    let (client, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await?;
    let connection = tokio::spawn(connection);
    let number = async |text: &str| -> Result<i64> { Ok(client.query_one(text, &[]).await?.get(0)) };
    let mut expected = stock.expected.outcomes.clone();
    for row in client.query("SELECT outcome, count(*) FROM xm.journal GROUP BY 1", &[]).await? {
        let (outcome_found, count): (String, i64) = (row.get(0), row.get(1));
        let wanted = match expected.remove(&outcome_found) {
            Some(wanted) => i64::try_from(wanted)?,
            // Only some mails of strangers have a line.
            None if outcome.strangers > 0 && is_of_strangers(&outcome_found) => continue,
            None => 0,
        };
        outcome.lost += (wanted - count).max(0);
        outcome.doubled += (count - wanted).max(0);
    }
    outcome.lost += i64::try_from(expected.into_values().sum::<u64>())?;
    let rows = i64::try_from(stock.expected.rows)?;
    let accepted = number("SELECT count(*) FROM xm.letters WHERE verdict = 'accepted'").await?;
    let held = number(
        "SELECT (SELECT count(*) FROM election.\"ResultatBureau\") + (SELECT count(*) FROM election.\"VoixCandidat\")
              + (SELECT count(*) FROM ecr.\"ActeNaissance\")",
    )
    .await?
        - i64::try_from(stock.held_rows())?;
    let entries = number("SELECT count(*) FROM xm.entries").await?;
    let charged = number("SELECT coalesce(sum(amount), 0)::bigint FROM xm.entries").await?;
    outcome.lost += (rows - held).max(0);
    outcome.doubled += (held - rows).max(0) + (entries - accepted).max(0);
    outcome.ledger_difference =
        number("SELECT difference::bigint FROM xm.ledger_difference").await?.abs() + (charged - rows * PRICE).abs();
    outcome.receipts_sent = number("SELECT count(*) FROM xm.letters WHERE answered_at IS NOT NULL").await?;
    let percentile = |share: f64| {
        format!(
            "SELECT (extract(epoch FROM percentile_disc({share}) WITHIN GROUP (ORDER BY posted_at) - min(received_at)) * 1000)::bigint
               FROM xm.journal WHERE agency IS NOT NULL"
        )
    };
    outcome.p50_ms = number(&percentile(0.5)).await?;
    outcome.p99_ms = number(&percentile(0.99)).await?;
    let mut bytes = 0;
    stock.for_each_mail(usize::MAX, |_, mail| {
        bytes += mail.len();
        Ok(())
    })?;
    outcome.bytes_per_letter = bytes as f64 / stock.expected.mails as f64;
    if with_limit {
        eprintln!("measuring the limit");
        let limit = Limit::measure(stock, &cluster, &client).await?;
        outcome.limit_letters_per_second = Some(limit.letters_per_second);
        outcome.share_of_limit = Some(outcome.letters_per_second / limit.letters_per_second);
        outcome.limit = Some(limit);
    }
    drop(client);
    connection.await??;
    cluster.stop().await;
    Ok(())
}
