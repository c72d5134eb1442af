//! Compares bursts under a hardship with bursts without it, and tells how much longer the letters take. The hardships are mails from
//! unknown senders, a distant mail server, and tables that already hold many rows.

use anyhow::Result;
use serde::Serialize;

use crate::burst;
use crate::centre::Hardship;
use crate::figures::{Figures, Report, number};
use crate::stock::Stock;

/// The results of all bursts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Comparison {
    /// Time that the letters take under the hardship, divided by their time without it. Neither includes the start of the engine.
    pub times_as_long: f64,
    /// The value of `times_as_long` for each round. How much the rounds differ tells how much the machine's speed changed, and so how far
    /// the figure can be trusted.
    pub times_as_long_by_round: Vec<f64>,
    /// The bursts without hardship, in the order in which they ran.
    pub easy: Vec<Figures>,
    /// The bursts under the hardship, in the order in which they ran.
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

/// Runs rounds of four bursts each: one without hardship, two under it, one without. A machine that becomes steadily faster or slower then
/// favours neither kind of burst. Where its speed changes to and fro, one round may mislead; over several rounds the changes even out.
/// After the last burst the limit of the machine is measured.
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

/// Runs one burst under the hardship and one without it. This is for trying the command only: the machine's changing speed may make the
/// ratio of two single bursts anything.
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

/// Returns the total time of these bursts in seconds, without the start of the engine.
fn seconds(runs: &[Figures]) -> f64 {
    runs.iter().map(|run| run.seconds - run.start_seconds).sum()
}
