//! Measures letters that ask the centre to certify papers: their acts are looked up in a large table. The letters come one after another.

use anyhow::{Context, Result};
use serde::Serialize;

use crate::figures::{Figures, Report, number};
use crate::reading;
use crate::stock::Stock;

/// The upper bound of [`Certify::answered_ms_max`].
const ANSWERED_MS_MAX: f64 = 1000.0;
/// The fewest rows of the table with which the bound is checked.
pub const ROWS: u64 = 5_000_000;
/// The fewest letters with which the bound is checked.
pub const LETTERS: usize = 50;

/// The results of the run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Certify {
    /// Rows of the table.
    pub rows: u64,
    /// Median time from when the engine has a letter until it has sent the answer, in milliseconds.
    pub answered_p50_ms: f64,
    /// The 99th percentile of the time until the answer was sent, in milliseconds.
    pub answered_p99_ms: f64,
    /// The longest time until an answer was sent, in milliseconds.
    pub answered_ms_max: f64,
    /// The longest time from when the engine has a letter until its answer was committed to the database, in milliseconds.
    pub committed_ms_max: f64,
    /// Processor time that the engine and its PostgreSQL take for one letter, in milliseconds.
    pub processor_ms: f64,
    /// Load average of the machine before the run. A high value shows that other programs slowed the run down.
    pub load_average: f64,
    /// The figures that every subcommand measures.
    pub figures: Figures,
}

impl Report for Certify {
    fn summary(&self) -> Vec<(&'static str, String)> {
        vec![
            ("rows", self.rows.to_string()),
            ("answered_p50_ms", number(self.answered_p50_ms)),
            ("answered_p99_ms", number(self.answered_p99_ms)),
            ("answered_ms_max", number(self.answered_ms_max)),
            ("committed_ms_max", number(self.committed_ms_max)),
            ("processor_ms", number(self.processor_ms)),
            ("load_average", number(self.load_average)),
        ]
    }

    fn runs(&self) -> Vec<(String, &Figures)> {
        vec![("certify".to_owned(), &self.figures)]
    }

    fn broken_bounds(&self) -> Vec<String> {
        let is_full = self.rows >= ROWS && self.figures.letters >= LETTERS as u64;
        // The figure may be NaN, for example 0 divided by 0. Then this comparison is false, and the function goes on to report a broken
        // bound.
        if !is_full || self.answered_ms_max <= ANSWERED_MS_MAX {
            return Vec::new();
        }
        let found = number(self.answered_ms_max);
        vec![format!("answered_ms_max is {found}: at most {ANSWERED_MS_MAX} was expected")]
    }
}

/// Sends each letter when the letter before it is answered.
///
/// # Errors
/// Those of [`reading::one_by_one`]; an answer cannot be read.
pub async fn run(stock: &Stock) -> Result<Certify> {
    let rows = stock.readers().context("no agency asks for records")?.filled.rows;
    let mut run = reading::one_by_one(stock).await?;
    let sound = reading::certified(&run.database.client).await?;
    reading::count(&run.database.client, sound, &mut run.figures).await?;
    let answered_ms = &run.times.answered_ms;
    let outcome = Certify {
        rows,
        answered_p50_ms: reading::of(answered_ms, 50),
        answered_p99_ms: reading::of(answered_ms, 99),
        answered_ms_max: reading::of(answered_ms, 100),
        committed_ms_max: reading::of(&run.times.committed_ms, 100),
        processor_ms: run.processor_seconds * 1000.0 / run.figures.letters as f64,
        load_average: run.load_average,
        figures: run.figures,
    };
    run.database.stop().await?;
    Ok(outcome)
}
