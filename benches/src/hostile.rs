//! Measures letters that wait behind mail which is meant to stop the centre. Such mail comes from unknown senders, and from registered
//! agencies that use up memory or time that all agencies share.
//!
//! Each kind of this mail has harmed a version of the centre that was not yet proof against it. A hundred mails of each kind lie before the
//! letters, unless the user asks for another number. The figures tell how much longer the letters take, how long one agency waits because
//! of another, and how much memory the engine takes.

use anyhow::Result;
use serde::Serialize;

use crate::burst;
use crate::centre::Hardship;
use crate::figures::{Figures, Report, number};
use crate::steady::{self, Outcome};
use crate::stock::Stock;

/// The bound of `times_behind_strangers` and `times_behind_agencies`: behind hostile mail, letters must take less than twice their time
/// without it.
const TIMES_BEHIND_BELOW: f64 = 2.0;
/// The longest time that a letter may wait while hostile agencies send theirs, in milliseconds.
const NEIGHBOUR_WAIT_MS_MAX: i64 = 2000;
/// The upper bound of the engine's resident memory, in megabytes.
const RSS_MB_MAX: f64 = 300.0;

/// The numbers of letters and of hostile mails.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Size {
    /// Letters of each burst.
    pub letters: usize,
    /// Seconds that the run lasts in which letters come at a steady rate beside those of hostile agencies.
    pub seconds: u32,
    /// Number of hostile mails of each kind.
    pub of_each_kind: usize,
}

impl Size {
    /// The smallest size at which the bounds are checked. In a smaller run, a single second that another program takes from the machine
    /// would change the ratios much.
    pub const FULL: Size = Size { letters: 20_000, seconds: 20, of_each_kind: 100 };

    fn is_full(self) -> bool {
        self.letters >= Size::FULL.letters
            && self.seconds >= Size::FULL.seconds
            && self.of_each_kind >= Size::FULL.of_each_kind
    }
}

/// The results of all runs of the subcommand.
#[derive(Clone, Debug, Serialize)]
pub struct Hostile {
    /// The numbers of letters and hostile mails. The figures are compared with their bounds only where none of these is below
    /// [`Size::FULL`].
    pub size: Size,
    /// Time that letters take behind hostile mails of unknown senders, divided by their time without hostile mail. Neither includes the
    /// start of the engine.
    pub times_behind_strangers: f64,
    /// Time that letters take behind letters of hostile agencies, divided by their time without hostile mail.
    pub times_behind_agencies: f64,
    /// The longest time from a letter's delivery into the mailbox to its commit, in milliseconds, in the run at a steady rate beside
    /// letters of hostile agencies.
    pub neighbour_wait_ms_max: i64,
    /// The engine's largest resident memory in any of the runs, in megabytes.
    pub rss_mb_max: f64,
    /// The two runs without hostile mail: the first and the last of the bursts.
    pub quiet: Vec<Figures>,
    /// The burst behind hostile mails of unknown senders.
    pub behind_strangers: Figures,
    /// The burst behind letters of hostile agencies.
    pub behind_agencies: Figures,
    /// The run in which letters come at a steady rate while letters of hostile agencies wait in the same mailboxes.
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
            // A figure may be NaN, for example 0 divided by 0. Every comparison with NaN is false, so a bound would seem to be kept; so NaN
            // is tested by itself, and breaks the bound.
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

/// The prepared letters that the runs use.
pub struct Stocks<'a> {
    /// Letters of good agencies, without hostile ones.
    pub quiet: &'a Stock,
    /// As many letters of good agencies as in `quiet`, and the letters of hostile agencies.
    pub hostile: &'a Stock,
    /// The letters that come at a steady rate, and the letters of hostile agencies.
    pub steady: &'a Stock,
    /// The rate of `steady`, in letters a second.
    pub rate: f64,
    /// The numbers of letters and hostile mails in all stocks together.
    pub size: Size,
}

/// Runs four bursts: letters without hostile mail, behind hostile mail of unknown senders, behind letters of hostile agencies, and without
/// hostile mail again. Then runs letters at a steady rate beside those of hostile agencies.
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
