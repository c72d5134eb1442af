//! What a hardship costs: letters among mails of strangers, far from the mail server, or into tables that hold much already, and
//! how much longer they take than without it.

use anyhow::Result;
use serde::Serialize;

use crate::burst;
use crate::centre::Hardship;
use crate::figures::{Figures, Report, number};
use crate::stock::Stock;

/// What the runs measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Comparison {
    /// Time for the letters in hardship, by their time without; starting the engine left out of both.
    pub times_as_long: f64,
    /// The same of each round by itself: how far they are apart is what the machine does, not the hardship.
    pub times_as_long_by_round: Vec<f64>,
    /// Without, in the order of time.
    pub easy: Vec<Figures>,
    /// In hardship.
    pub hard: Vec<Figures>,
}

impl Report for Comparison {
    fn summary(&self) -> Vec<(&'static str, String)> {
        let rounds: Vec<String> = self.times_as_long_by_round.iter().copied().map(number).collect();
        vec![("times_as_long", number(self.times_as_long)), ("times_as_long_by_round", rounds.join(" "))]
    }

    fn runs(&self) -> Vec<(String, &Figures)> {
        let easy = self.easy.iter().enumerate().map(|(at, run)| (format!("easy {}", at + 1), run));
        let hard = self.hard.iter().enumerate().map(|(at, run)| (format!("hard {}", at + 1), run));
        easy.chain(hard).collect()
    }
}

/// Runs rounds of two bursts without and two with: first and last those without, so that a machine which grows faster or
/// slower meanwhile makes no difference. Where its speed goes up and down within a round, only several of them tell. After
/// the last burst what the machine could do at best is measured.
///
/// # Errors
/// See [`burst::run`].
pub async fn run(rounds: u8, easy: (&Stock, Hardship), hard: (&Stock, Hardship)) -> Result<Comparison> {
    let run = async |(stock, hardship), with_limit| burst::run(stock, hardship, with_limit).await;
    let mut all = Comparison::default();
    for round in 1..=rounds {
        let (before, first, second) = (run(easy, false).await?, run(hard, false).await?, run(hard, false).await?);
        let after = run(easy, round == rounds).await?;
        let (hard, easy) = ([first, second], [before, after]);
        all.times_as_long_by_round.push(seconds(&hard) / seconds(&easy));
        all.hard.extend(hard);
        all.easy.extend(easy);
    }
    all.times_as_long = seconds(&all.hard) / seconds(&all.easy);
    Ok(all)
}

/// Runs a burst without and one with, where nobody asks how much longer it takes.
///
/// # Errors
/// See [`burst::run`].
pub async fn run_once(easy: (&Stock, Hardship), hard: (&Stock, Hardship)) -> Result<Comparison> {
    let hard = [burst::run(hard.0, hard.1, false).await?];
    let easy = [burst::run(easy.0, easy.1, true).await?];
    let times_as_long = seconds(&hard) / seconds(&easy);
    Ok(Comparison {
        times_as_long,
        times_as_long_by_round: vec![times_as_long],
        easy: easy.to_vec(),
        hard: hard.to_vec(),
    })
}

/// Returns how long these bursts took.
fn seconds(runs: &[Figures]) -> f64 {
    runs.iter().map(|run| run.seconds - run.start_seconds).sum()
}
