//! Measures imports: the centre gives one agency all rows of a large table, in an answer of several parts.

use anyhow::{Context, Result};
use serde::Serialize;

use crate::figures::{Figures, Report, number};
use crate::reading;
use crate::stock::Stock;
use crate::tables::Table;

/// The lower bound of [`Imported::rows_per_core_second`].
const ROWS_PER_CORE_SECOND_MIN: f64 = 100_000.0;
/// The upper bound of the engine's resident memory, in megabytes.
const RSS_MB_MAX: f64 = 300.0;
/// The fewest rows of the table with which the bounds are checked.
pub const ROWS: u64 = 1_000_000;

/// The results of the run. Each of its letters was given all rows of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Imported {
    /// The table whose rows were given.
    pub table: Table,
    /// Rows of the table.
    pub rows: u64,
    /// Rows given, divided by the processor time that the engine and its PostgreSQL took until the last part was sent: so many rows a
    /// second come from one core that does nothing else.
    pub rows_per_core_second: f64,
    /// Rows of the table, divided by the median time from when the engine has a letter until all parts of its answer are committed to the
    /// database.
    pub rows_per_second: f64,
    /// Rows of the table, divided by the median time until the last part of the answer was sent.
    pub rows_per_second_sent: f64,
    /// Number of parts of one answer.
    pub parts: i64,
    /// Mean octets of one row in the payloads of the parts.
    pub bytes_per_row: f64,
    /// Load average of the machine before the run. A high value shows that other programs slowed the run down.
    pub load_average: f64,
    /// The figures that every subcommand measures.
    pub figures: Figures,
}

impl Report for Imported {
    fn summary(&self) -> Vec<(&'static str, String)> {
        vec![
            ("rows", self.rows.to_string()),
            ("rows_per_core_second", number(self.rows_per_core_second)),
            ("rows_per_second", number(self.rows_per_second)),
            ("rows_per_second_sent", number(self.rows_per_second_sent)),
            ("parts", self.parts.to_string()),
            ("bytes_per_row", number(self.bytes_per_row)),
            ("load_average", number(self.load_average)),
        ]
    }

    fn runs(&self) -> Vec<(String, &Figures)> {
        vec![("import".to_owned(), &self.figures)]
    }

    fn broken_bounds(&self) -> Vec<String> {
        if self.rows < ROWS {
            return Vec::new();
        }
        let mut broken = Vec::new();
        if self.rows_per_core_second.is_nan() || self.rows_per_core_second < ROWS_PER_CORE_SECOND_MIN {
            let found = number(self.rows_per_core_second);
            broken.push(format!("rows_per_core_second is {found}: at least {ROWS_PER_CORE_SECOND_MIN} was expected"));
        }
        if self.figures.rss_mb_max > RSS_MB_MAX {
            broken
                .push(format!("rss_mb_max is {}: at most {RSS_MB_MAX} was expected", number(self.figures.rss_mb_max)));
        }
        broken
    }
}

/// Sends each letter when the letter before it is answered.
///
/// # Errors
/// Those of [`reading::one_by_one`]; an answer cannot be read.
pub async fn run(stock: &Stock) -> Result<Imported> {
    let filled = stock.readers().context("no agency asks for records")?.filled;
    let mut run = reading::one_by_one(stock).await?;
    let sound = reading::imported(&run.database.client, filled.rows).await?;
    reading::count(&run.database.client, sound, &mut run.figures).await?;
    let text = "SELECT count(*), coalesce(sum(octet_length(payload)), 0)::bigint FROM xm.reading_parts";
    let row = run.database.client.query_one(text, &[]).await?;
    let (parts, bytes): (i64, i64) = (row.get(0), row.get(1));
    run.database.stop().await?;
    let (rows, letters) = (filled.rows as f64, run.figures.letters as f64);
    Ok(Imported {
        table: filled.table,
        rows: filled.rows,
        rows_per_core_second: rows * letters / run.processor_seconds,
        rows_per_second: rows * 1000.0 / reading::of(&run.times.committed_ms, 50),
        rows_per_second_sent: rows * 1000.0 / reading::of(&run.times.answered_ms, 50),
        parts: parts / i64::try_from(run.figures.letters)?,
        bytes_per_row: bytes as f64 / (rows * letters),
        load_average: run.load_average,
        figures: run.figures,
    })
}
