//! Measures letters that bring records while imports run. In each import another agency is given all rows of a table with a million rows.
//!
//! Imports use processor time that the letters then lack, and letters are slower for that alone. The main figure, `share_kept`, allows for
//! it: if the imports take a quarter of the processors, letters may be slower by a quarter, and only what they lose beyond that counts
//! against the engine.

use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;
use tokio_postgres::Client;

use crate::burst;
use crate::centre::{self, Centre, Hardship};
use crate::figures::{Figures, Report, number};
use crate::reading::load_average;
use crate::steady::{self, Outcome};
use crate::stock::Stock;

/// The lower bound of [`Beside::share_kept`].
const SHARE_KEPT_MIN: f64 = 0.9;
/// The upper bound of [`Beside::steady_p99_ms`].
const P99_MS_MAX: f64 = 1000.0;
/// The upper bound of the engine's resident memory, in megabytes.
const RSS_MB_MAX: f64 = 300.0;
/// The queries for the octets of answers that imports have staged so far, and for the number of import letters that are settled.
const STAGED: &str = "SELECT coalesce(sum(octet_length(payload)), 0)::bigint FROM xm.reading_parts";
const SETTLED: &str = "SELECT count(*) FROM xm.readings WHERE settled_at IS NOT NULL";

/// The numbers of letters that are sent, and of imports that run meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Letters of each burst.
    pub letters: usize,
    /// Letters a second in the run at a steady rate.
    pub rate: u32,
    /// Duration of the run at a steady rate, in seconds.
    pub seconds: u32,
    /// Number of agencies that are each given all rows of the table.
    pub imports: usize,
    /// Number of rows of the table.
    pub rows: u64,
}

impl Size {
    /// The smallest size at which the bounds are checked: a smaller run says too little.
    pub const FULL: Size = Size { letters: 20_000, rate: 500, seconds: 60, imports: 8, rows: 1_000_000 };

    fn is_full(self) -> bool {
        self.letters >= Size::FULL.letters
            && self.rate >= Size::FULL.rate
            && self.seconds >= Size::FULL.seconds
            && self.imports >= Size::FULL.imports
            && self.rows >= Size::FULL.rows
    }
}

/// The results of all runs of the subcommand.
#[derive(Clone, Debug, Serialize)]
pub struct Beside {
    /// The numbers of letters and imports. The figures are compared with their bounds only where none of these is below [`Size::FULL`].
    pub size: Size,
    /// `share_of_quiet` divided by the share of the processors that the imports left free. It is 1 where letters lose no more than the
    /// processor time that imports take.
    pub share_kept: f64,
    /// Letters a second in the bursts beside imports, divided by letters a second in the bursts without imports.
    pub share_of_quiet: f64,
    /// The processor time that imports took during the bursts, divided by the time of all processors in these bursts.
    pub share_of_imports: f64,
    /// The 99th percentile of the time from a letter's delivery into the mailbox to its commit, in milliseconds, in the run at a steady
    /// rate beside imports.
    pub steady_p99_ms: f64,
    /// Octets of answers that imports staged during the run at a steady rate. Above 0 it shows that imports were really under way in that
    /// run.
    pub steady_staged_bytes: i64,
    /// Load average of the machine before the run. A high value shows that other programs slowed the run down.
    pub load_average: f64,
    /// The two bursts without imports: one before and one after the bursts beside imports.
    pub quiet: Vec<Figures>,
    /// The two bursts during which imports run.
    pub beside: Vec<Figures>,
    /// The run at a steady rate during which imports run.
    pub steady: Outcome,
}

impl Report for Beside {
    fn summary(&self) -> Vec<(&'static str, String)> {
        vec![
            ("share_kept", number(self.share_kept)),
            ("share_of_quiet", number(self.share_of_quiet)),
            ("share_of_imports", number(self.share_of_imports)),
            ("steady_p99_ms", number(self.steady_p99_ms)),
            ("steady_staged_mb", number(self.steady_staged_bytes as f64 / 1e6)),
            ("load_average", number(self.load_average)),
        ]
    }

    fn runs(&self) -> Vec<(String, &Figures)> {
        let numbered = |name: &str, at: usize| format!("{name} {}", at + 1);
        let quiet = self.quiet.iter().enumerate().map(|(at, run)| (numbered("quiet", at), run));
        let beside = self.beside.iter().enumerate().map(|(at, run)| (numbered("beside", at), run));
        quiet.chain(beside).chain([("steady".to_owned(), &self.steady.figures)]).collect()
    }

    fn broken_bounds(&self) -> Vec<String> {
        if !self.size.is_full() {
            return Vec::new();
        }
        let mut broken = Vec::new();
        // A figure may be NaN, for example 0 divided by 0. Every comparison with NaN is false, so a bound would seem to be kept; so NaN is
        // tested by itself, and breaks the bound.
        if self.share_kept.is_nan() || self.share_kept < SHARE_KEPT_MIN {
            broken.push(format!("share_kept is {}: at least {SHARE_KEPT_MIN} was expected", number(self.share_kept)));
        }
        if self.steady_p99_ms.is_nan() || self.steady_p99_ms > P99_MS_MAX {
            let found = number(self.steady_p99_ms);
            broken.push(format!("steady_p99_ms is {found}: at most {P99_MS_MAX} was expected"));
        }
        let rss_mb_max = self.runs().iter().map(|(_, run)| run.rss_mb_max).fold(0.0, f64::max);
        if rss_mb_max > RSS_MB_MAX {
            broken.push(format!("rss_mb_max is {}: at most {RSS_MB_MAX} was expected", number(rss_mb_max)));
        }
        broken
    }
}

/// Measures first the cost of imports without other letters. Then runs four bursts of `stock`: one without imports, two beside imports, one
/// without. At the end runs the letters of `steady` at a steady rate beside imports.
///
/// # Errors
/// See [`burst::run`] and [`steady::run`].
pub async fn run(stock: &Stock, steady: &Stock, size: Size) -> Result<Beside> {
    let load_average = load_average()?;
    let seconds_per_byte = cost(stock).await?;
    let among = Hardship { with_readers: true, ..Hardship::default() };
    let staged = async |centre: &Centre| staged(&centre.client().await?).await;
    let before = burst::run(stock, Hardship::default(), false).await?;
    let (first, first_bytes) = burst::run_and(stock, among, false, staged).await?;
    let (second, second_bytes) = burst::run_and(stock, among, false, staged).await?;
    let after = burst::run(stock, Hardship::default(), true).await?;
    let (outcome, steady_staged_bytes) = steady::run_and(steady, f64::from(size.rate), staged).await?;
    let seconds = |runs: [&Figures; 2]| runs.iter().map(|run| run.seconds - run.start_seconds).sum::<f64>();
    let processors = std::thread::available_parallelism()?.get() as f64;
    let share_of_quiet = seconds([&before, &after]) / seconds([&first, &second]);
    let taken = (first_bytes + second_bytes) as f64 * seconds_per_byte;
    let share_of_imports = taken / (seconds([&first, &second]) * processors);
    Ok(Beside {
        size,
        share_kept: share_of_quiet / (1.0 - share_of_imports),
        share_of_quiet,
        share_of_imports,
        steady_p99_ms: outcome.figures.p99_ms,
        steady_staged_bytes,
        load_average,
        quiet: vec![before, after],
        beside: vec![first, second],
        steady: outcome,
    })
}

async fn staged(client: &Client) -> Result<i64> {
    Ok(client.query_one(STAGED, &[]).await?.get(0))
}

/// Returns the processor seconds that imports take for each octet that they stage. Sending the answers is left out: in the bursts the
/// engine sends none while letters wait. So the measurement ends when the first import is settled, before its answer is sent.
async fn cost(stock: &Stock) -> Result<f64> {
    let dovecot = centre::empty_dovecot()?;
    centre::deliver_reader_letters(stock, &dovecot)?;
    let mut centre = Centre::start(stock, dovecot, Hardship::default()).await?;
    centre.wait_ready()?;
    let client = centre.client().await?;
    centre.wait_for("parts are staged", &client, STAGED, 1).await?;
    let (begun, bytes, seconds) = (Instant::now(), staged(&client).await?, centre.cpu_seconds()?);
    centre.wait_for("an import is settled", &client, SETTLED, 1).await?;
    let (bytes, seconds) = (staged(&client).await? - bytes, centre.cpu_seconds()? - seconds);
    let taken = begun.elapsed().as_secs_f64();
    eprintln!("imports alone: {bytes} bytes staged in {taken:.1} s, by {seconds:.1} s of processors");
    drop(client);
    centre.engine.stop()?;
    let per_byte = seconds / bytes as f64;
    Some(per_byte).filter(|per_byte| per_byte.is_finite() && *per_byte > 0.0).context("the imports staged nothing")
}
