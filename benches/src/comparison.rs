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
    /// Time for the letters in hardship, divided by their time without it. Starting the engine is left out of both.
    pub times_as_long: f64,
    /// The same ratio of each round by itself. How far the rounds are apart is what the machine does, not the hardship.
    pub times_as_long_by_round: Vec<f64>,
    /// The bursts without hardship, in the order of time.
    pub easy: Vec<Figures>,
    /// The bursts in hardship, in the order of time.
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

/// Runs rounds of four bursts: one without hardship, two in hardship, one without. So a machine that grows faster or slower meanwhile makes
/// no difference. Where its speed goes up and down within a round, only several rounds tell. After the last burst the best that the machine
/// could do is measured.
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

/// Runs one burst in hardship and one without, for trying the command out: the ratio of two single bursts says little.
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

/// Returns how long these bursts took together, without starting the engine.
fn seconds(runs: &[Figures]) -> f64 {
    runs.iter().map(|run| run.seconds - run.start_seconds).sum()
}
