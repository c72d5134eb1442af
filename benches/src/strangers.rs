//! Letters of known agencies among many more mails of strangers: how much longer the letters take than by themselves.

use anyhow::Result;
use serde::Serialize;

use crate::burst::{self, Outcome};
use crate::centre::Hardship;
use crate::stock::Stock;

/// What two runs measured.
#[derive(Clone, Debug, Serialize)]
pub struct Strangers {
    /// Time for the letters among strangers, by their quiet time; starting the engine left out of both.
    pub times_as_long: f64,
    /// Among strangers.
    pub among: Outcome,
    /// By themselves.
    pub quiet: Outcome,
}

/// Runs a burst of letters by themselves, and one of the same number among strangers.
///
/// # Errors
/// See [`burst::run`].
pub async fn run(quiet: &Stock, among: &Stock) -> Result<Strangers> {
    let quiet = burst::run(quiet, Hardship::default(), false).await?;
    let among = burst::run(among, Hardship::default(), false).await?;
    let seconds = |outcome: &Outcome| outcome.seconds - outcome.start_seconds;
    Ok(Strangers { times_as_long: seconds(&among) / seconds(&quiet), among, quiet })
}
