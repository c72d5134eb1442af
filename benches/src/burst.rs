//! All stations at once: every letter lies in the mailboxes before the engine looks.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::centre::{self, Centre, Hardship};
use crate::examination::Examination;
use crate::figures::{Figures, Report, number};
use crate::processes::rss_mb_max;
use crate::stock::Stock;

/// Longest that a run may take.
pub const LONGEST: Duration = Duration::from_secs(1800);

/// What a run measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// What every run measures.
    #[serde(flatten)]
    pub figures: Figures,
    /// Mails of strangers.
    pub strangers: u64,
    /// Of those, settled when the last letter was.
    pub strangers_meanwhile: f64,
    /// From the start of the engine until it was ready.
    pub start_seconds: f64,
    /// From the start until every mail was settled, those of strangers too, and every receipt sent.
    pub all_seconds: f64,
}

impl Report for Outcome {
    fn summary(&self) -> Vec<(&'static str, String)> {
        vec![
            ("strangers", self.strangers.to_string()),
            ("strangers_meanwhile", number(self.strangers_meanwhile)),
            ("start_seconds", number(self.start_seconds)),
            ("all_seconds", number(self.all_seconds)),
        ]
    }

    fn runs(&self) -> Vec<(&'static str, &Figures)> {
        vec![("burst", &self.figures)]
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
        figures: Figures {
            letters,
            seconds,
            letters_per_second: letters as f64 / (seconds - start_seconds),
            ..Figures::default()
        },
        strangers,
        strangers_meanwhile: centre.engine.metric("xm_letters_total") - letters as f64,
        start_seconds,
        all_seconds: 0.0,
    };
    let figures = &mut outcome.figures;
    centre.count_processor_time(figures)?;
    let answers = stock.expected.answered as f64;
    centre.wait("every receipt is sent", LONGEST, |engine| engine.metric("xm_answers_total") >= answers)?;
    figures.receipts_seconds = settled.elapsed().as_secs_f64();
    centre.wait("every mail is settled", LONGEST, |engine| engine.metric("xm_letters_total") >= all)?;
    outcome.all_seconds = begun.elapsed().as_secs_f64();
    figures.rss_mb_max = rss_mb_max(centre.engine.process_id()?)?;
    centre.engine.stop()?;
    let examination = Examination::begin(&centre, stock).await?;
    examination.count(strangers, figures).await?;
    figures.p50_ms = examination.number(&commit_ms(0.5)).await?;
    figures.p99_ms = examination.number(&commit_ms(0.99)).await?;
    if with_limit {
        figures.hold_against(examination.limit().await?);
    }
    examination.end().await?;
    Ok(outcome)
}

/// Asks for the milliseconds from the first mail in hand until this share of the letters was committed.
fn commit_ms(share: f64) -> String {
    format!(
        "SELECT (extract(epoch FROM percentile_disc({share}) WITHIN GROUP (ORDER BY posted_at) - min(received_at)) * 1000)::bigint
           FROM xm.journal WHERE agency IS NOT NULL"
    )
}
