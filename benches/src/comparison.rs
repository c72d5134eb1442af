//! What a hardship costs: letters among mails of strangers, far from the mail server, or into tables that hold much already, and
//! how much longer they take than without it.

use anyhow::Result;
use serde::Serialize;

use crate::burst::{self, Outcome};
use crate::centre::Hardship;
use crate::stock::Stock;

/// What the runs measured.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Time for the letters in hardship, by their time without; starting the engine left out of both.
    pub times_as_long: f64,
    /// In hardship.
    pub hard: [Outcome; 2],
    /// Without.
    pub easy: [Outcome; 2],
}

impl Comparison {
    /// Says whether nothing was lost, doubled or charged wrongly.
    pub fn is_sound(&self) -> bool {
        self.hard.iter().chain(&self.easy).all(Outcome::is_sound)
    }
}

/// Runs two bursts without and two with: first and last those without, so that a machine which grows faster or slower
/// meanwhile makes no difference.
///
/// # Errors
/// See [`burst::run`].
pub async fn run(easy: (&Stock, Hardship), hard: (&Stock, Hardship)) -> Result<Comparison> {
    let run = async |(stock, hardship)| burst::run(stock, hardship, false).await;
    let (before, first, second, after) = (run(easy).await?, run(hard).await?, run(hard).await?, run(easy).await?);
    let seconds = |outcome: &Outcome| outcome.seconds - outcome.start_seconds;
    let times_as_long = (seconds(&first) + seconds(&second)) / (seconds(&before) + seconds(&after));
    Ok(Comparison { times_as_long, hard: [first, second], easy: [before, after] })
}
