//! Letters of a thousand records: one at a time, and all at once.

use anyhow::Result;
use serde::Serialize;

use crate::burst;
use crate::centre::Hardship;
use crate::steady;
use crate::stock::Stock;

/// Letters a second, so few that each is by itself.
const ALONE_PER_SECOND: f64 = 4.0;

/// What two runs measured.
#[derive(Clone, Debug, Serialize)]
pub struct Bulk {
    /// Records of a letter.
    pub records: u64,
    /// Records of one letter, by the median time from fetched to the commit.
    pub records_per_second_one: f64,
    /// Records of all letters, by the time that the burst took.
    pub records_per_second_all: f64,
    /// One after another.
    pub one: steady::Outcome,
    /// At once.
    pub all: burst::Outcome,
}

/// Sends every letter of the stock by itself, then all at once.
///
/// # Errors
/// See [`burst::run`].
pub async fn run(stock: &Stock, records: u64) -> Result<Bulk> {
    let one = steady::run(stock, ALONE_PER_SECOND).await?;
    let all = burst::run(stock, Hardship::default(), false).await?;
    Ok(Bulk {
        records,
        records_per_second_one: records as f64 * 1000.0 / one.in_hand_p50_ms,
        records_per_second_all: records as f64 * all.letters_per_second,
        one,
        all,
    })
}
