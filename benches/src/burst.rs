//! A burst: all letters lie in the mailboxes before the engine starts, as if all polling stations sent theirs at once.

use std::time::Instant;

use anyhow::Result;

use crate::centre::{self, Centre, Hardship, LONGEST};
use crate::examination::Examination;
use crate::figures::Figures;
use crate::stock::Stock;
use crate::yardstick::Yardstick;

/// Runs a burst. With `with_limit`, also measures afterwards how fast the machine could settle the same letters at best.
///
/// # Errors
/// A program does not start or ends early, or the letters are not settled in time.
pub async fn run(stock: &Stock, hardship: Hardship, with_limit: bool) -> Result<Figures> {
    Ok(run_and(stock, hardship, with_limit, async |_: &Centre| Ok(())).await?.0)
}

/// Runs a burst as [`run`] does, and calls `look` as soon as every letter is settled. Returns the figures and what `look` returned.
///
/// # Errors
/// Those of [`run`] and of `look`.
pub async fn run_and<T>(
    stock: &Stock,
    hardship: Hardship,
    with_limit: bool,
    look: impl AsyncFnOnce(&Centre) -> Result<T>,
) -> Result<(Figures, T)> {
    eprintln!("filling {} mailboxes", centre::MAILBOXES);
    let dovecot = centre::dovecot_in_hardship(stock, hardship)?;
    let strangers = stock.expected.strangers + hardship.mails();
    let hostile = stock.expected.hostile_mails();
    let letters = stock.expected.mails - stock.expected.strangers;
    let mut centre = Centre::start(stock, dovecot, hardship).await?;
    let begun = centre.started;
    let start_seconds = centre.wait_ready()?;
    let yardstick = with_limit.then(Yardstick::lay).transpose()?;
    centre.wait("every letter is settled", LONGEST, |engine| {
        // The metric of settled letters counts those of readers too, which may still be under way. Readers' letters bring no rows, so the
        // number of rows shows when all other letters are settled.
        if hardship.with_readers {
            return engine.metric("xm_rows_total") >= stock.expected.rows as f64;
        }
        if strangers + hostile == 0 {
            return engine.metric("xm_letters_total") >= letters as f64;
        }
        let settled = |(outcome, count): (&String, &u64)| {
            engine.metric(&format!("xm_letters_total{{outcome=\"{outcome}\"}}")) >= *count as f64
        };
        stock.expected.outcomes.iter().all(settled)
    })?;
    let settled = Instant::now();
    let seen = look(&centre).await?;
    let yardstick_us = yardstick.map(Yardstick::read).transpose()?;
    let seconds = (settled - begun).as_secs_f64();
    let mut figures = Figures {
        letters,
        seconds,
        letters_per_second: letters as f64 / (seconds - start_seconds),
        start_seconds,
        yardstick_us,
        strangers,
        hostile,
        strangers_meanwhile: centre.engine.metric("xm_letters_total") - letters as f64,
        ..Figures::default()
    };
    centre.count_processor_time(&mut figures)?;
    centre.finish(stock.expected.answered, settled, begun, &mut figures)?;
    let examination = Examination::begin(&centre, stock).await?;
    examination.count(&mut figures).await?;
    figures.p50_ms = examination.number(&commit_ms(0.5)).await? as f64;
    figures.p99_ms = examination.number(&commit_ms(0.99)).await? as f64;
    if with_limit {
        figures.hold_against(examination.limit().await?);
    }
    examination.end().await?;
    Ok((figures, seen))
}

/// Returns the query for the milliseconds from the receipt of the first mail until this share of the letters was committed.
fn commit_ms(share: f64) -> String {
    format!(
        "SELECT (extract(epoch FROM percentile_disc({share}) WITHIN GROUP (ORDER BY posted_at) - min(received_at)) * 1000)::bigint
           FROM xm.journal WHERE agency IS NOT NULL AND service IS DISTINCT FROM 'import'"
    )
}
