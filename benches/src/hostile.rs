//! Letters behind mail that is meant to stop the centre: mail of strangers, and of registered agencies that use up what belongs to all.
//!
//! Every kind once did harm. A hundred of each lie before the letters, where nothing else is asked for. The figures are how much longer the
//! letters take, how long one agency waits for another, and how much memory the engine takes.

use anyhow::Result;
use serde::Serialize;

use crate::burst;
use crate::centre::Hardship;
use crate::figures::{Figures, Report, number};
use crate::steady::{self, Outcome};
use crate::stock::Stock;

/// Bound of `times_behind_strangers` and `times_behind_agencies`: behind hostile mail, letters take less than so many times their quiet
/// time.
const TIMES_BEHIND_BELOW: f64 = 2.0;
/// Longest that a letter waits beside those of hostile agencies.
const NEIGHBOUR_WAIT_MS_MAX: i64 = 2000;
/// Most memory that the engine takes.
const RSS_MB_MAX: f64 = 300.0;

/// How much is sent.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Size {
    /// Letters of each burst.
    pub letters: usize,
    /// Seconds that letters come beside those of hostile agencies.
    pub seconds: u32,
    /// Hostile mails of every kind.
    pub of_each_kind: usize,
}

impl Size {
    /// The size that the bounds were set for. With fewer letters, one second lost by the machine is a larger part of their time.
    pub const FULL: Size = Size { letters: 20_000, seconds: 20, of_each_kind: 100 };

    fn is_full(self) -> bool {
        self.letters >= Size::FULL.letters
            && self.seconds >= Size::FULL.seconds
            && self.of_each_kind >= Size::FULL.of_each_kind
    }
}

/// What the runs measured.
#[derive(Clone, Debug, Serialize)]
pub struct Hostile {
    /// What was sent. The figures are compared with their bounds at full size only.
    pub size: Size,
    /// Time for the letters behind mails of strangers, divided by their quiet time. Starting the engine is left out of both.
    pub times_behind_strangers: f64,
    /// The same ratio behind letters of hostile agencies.
    pub times_behind_agencies: f64,
    /// Longest wait of a letter that came at a steady rate beside those of hostile agencies, from lying in the mailbox to the
    /// commit.
    pub neighbour_wait_ms_max: i64,
    /// The engine's largest memory in any of the runs.
    pub rss_mb_max: f64,
    /// The runs without anything hostile: one before the others, one after them.
    pub quiet: Vec<Figures>,
    /// The run behind mails of strangers.
    pub behind_strangers: Figures,
    /// The run behind letters of hostile agencies.
    pub behind_agencies: Figures,
    /// The run at a steady rate beside letters of hostile agencies.
    pub beside_agencies: Outcome,
}

impl Report for Hostile {
    fn summary(&self) -> Vec<(&'static str, String)> {
        vec![
            ("times_behind_strangers", number(self.times_behind_strangers)),
            ("times_behind_agencies", number(self.times_behind_agencies)),
            ("neighbour_wait_ms_max", self.neighbour_wait_ms_max.to_string()),
            ("rss_mb_max", number(self.rss_mb_max)),
        ]
    }

    fn runs(&self) -> Vec<(String, &Figures)> {
        let quiet = self.quiet.iter().enumerate().map(|(at, run)| (format!("quiet {}", at + 1), run));
        let others = [
            ("strangers", &self.behind_strangers),
            ("agencies", &self.behind_agencies),
            ("beside", &self.beside_agencies.figures),
        ];
        quiet.chain(others.map(|(name, run)| (name.to_owned(), run))).collect()
    }

    fn broken_bounds(&self) -> Vec<String> {
        if !self.size.is_full() {
            return Vec::new();
        }
        let mut broken = Vec::new();
        for (name, times) in [
            ("times_behind_strangers", self.times_behind_strangers),
            ("times_behind_agencies", self.times_behind_agencies),
        ] {
            // NaN is not below the bound either.
            if times.is_nan() || times >= TIMES_BEHIND_BELOW {
                broken.push(format!("{name} is {}: less than {TIMES_BEHIND_BELOW} was expected", number(times)));
            }
        }
        if self.neighbour_wait_ms_max > NEIGHBOUR_WAIT_MS_MAX {
            let found = self.neighbour_wait_ms_max;
            broken.push(format!("neighbour_wait_ms_max is {found}: at most {NEIGHBOUR_WAIT_MS_MAX} was expected"));
        }
        if self.rss_mb_max > RSS_MB_MAX {
            broken.push(format!("rss_mb_max is {}: at most {RSS_MB_MAX} was expected", number(self.rss_mb_max)));
        }
        broken
    }
}

/// The prepared letters of the runs.
pub struct Stocks<'a> {
    /// Letters alone.
    pub quiet: &'a Stock,
    /// As many letters as in `quiet`, and those of hostile agencies.
    pub hostile: &'a Stock,
    /// The letters that come at a steady rate, and those of hostile agencies.
    pub steady: &'a Stock,
    /// The rate of `steady`, in letters a second.
    pub rate: f64,
    /// How much of all is sent.
    pub size: Size,
}

/// Runs the letters alone, behind strangers, behind hostile agencies, alone again, and at a steady rate beside hostile agencies.
///
/// # Errors
/// See [`burst::run`] and [`steady::run`].
pub async fn run(stocks: &Stocks<'_>) -> Result<Hostile> {
    let among = Hardship { hostile_mails: stocks.size.of_each_kind, ..Hardship::default() };
    let before = burst::run(stocks.quiet, Hardship::default(), false).await?;
    let behind_strangers = burst::run(stocks.quiet, among, false).await?;
    let behind_agencies = burst::run(stocks.hostile, Hardship::default(), false).await?;
    let after = burst::run(stocks.quiet, Hardship::default(), true).await?;
    let beside_agencies = steady::run(stocks.steady, stocks.rate).await?;
    let time = |run: &Figures| run.seconds - run.start_seconds;
    let quiet_seconds = (time(&before) + time(&after)) / 2.0;
    let all = [&before, &behind_strangers, &behind_agencies, &after, &beside_agencies.figures];
    Ok(Hostile {
        size: stocks.size,
        times_behind_strangers: time(&behind_strangers) / quiet_seconds,
        times_behind_agencies: time(&behind_agencies) / quiet_seconds,
        neighbour_wait_ms_max: beside_agencies.max_ms,
        rss_mb_max: all.iter().map(|run| run.rss_mb_max).fold(0.0, f64::max),
        quiet: vec![before.clone(), after.clone()],
        behind_strangers,
        behind_agencies,
        beside_agencies,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_its_bounds(size: Size) -> Hostile {
        Hostile {
            size,
            times_behind_strangers: 1.99,
            times_behind_agencies: 1.99,
            neighbour_wait_ms_max: 2000,
            rss_mb_max: 300.0,
            quiet: Vec::new(),
            behind_strangers: Figures::default(),
            behind_agencies: Figures::default(),
            beside_agencies: Outcome::default(),
        }
    }

    #[test]
    fn a_bound_that_breaks_at_full_size_is_a_problem_by_its_name() {
        assert_eq!(at_its_bounds(Size::FULL).problems(), Vec::<String>::new());
        type Break = fn(&mut Hostile);
        let broken: [(&str, Break); 5] = [
            ("times_behind_strangers", |run| run.times_behind_strangers = 2.0),
            ("times_behind_strangers", |run| run.times_behind_strangers = f64::NAN),
            ("times_behind_agencies", |run| run.times_behind_agencies = 2.5),
            ("neighbour_wait_ms_max", |run| run.neighbour_wait_ms_max = 2001),
            ("rss_mb_max", |run| run.rss_mb_max = 300.5),
        ];
        for (name, spoil) in broken {
            let mut run = at_its_bounds(Size::FULL);
            spoil(&mut run);
            let problems = run.problems();
            assert!(problems.len() == 1 && problems[0].starts_with(name), "{name}: {problems:?}");
            run.size.letters = 60;
            assert_eq!(run.problems(), Vec::<String>::new(), "of a trial nothing is asked");
        }
        let mut lost = at_its_bounds(Size { letters: 60, ..Size::FULL });
        lost.behind_agencies.lost = 1;
        assert_eq!(lost.problems().len(), 1, "a trial loses nothing all the same");
    }
}
