//! The figures of letters that are pushed, and the bounds that they must keep.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::sending::{CUT, Sent};
use super::{By, Size};
use crate::figures::{Figures, Report, number};

/// The lower bound of [`Push::share_of_burst`] for letters that are pushed by LMTP.
const LMTP_SHARE_MIN: f64 = 0.8;
/// The lower bound of the letters a second by HTTPS.
const HTTPS_PER_SECOND_MIN: f64 = 1500.0;
/// The bound of the 99th percentile of the time from a letter's first octet to its receipt by HTTPS, in milliseconds. The percentile must
/// be smaller.
const HTTPS_P99_MS: f64 = 1000.0;
/// The lower bound of [`Push::share_of_uncarried`], with all programs on one machine.
const CARRIED_SHARE_MIN: f64 = 0.65;

/// The results of all runs of the subcommand.
#[derive(Clone, Debug, Serialize)]
pub struct Push {
    /// The number of letters, and how they were pushed.
    pub size: Size,
    /// Letters a second, divided by the mean of the letters a second in the two bursts, where the user asked for bursts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_of_burst: Option<f64>,
    /// Letters a second, divided by those of the run without a carrier, where the user asked for a carrier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_of_uncarried: Option<f64>,
    /// The longest time from a letter's first octet to the reply to it, in milliseconds.
    pub max_ms: f64,
    /// Processor time of the engine without its PostgreSQL for a letter, from the first octet to the last reply, in microseconds.
    pub engine_us: f64,
    /// Processor time of PostgreSQL for a letter, from the first octet of the first letter to the last reply, in microseconds.
    pub postgres_us: f64,
    /// Processor time of the sender for a letter, from the first octet of the first letter to the last reply, in microseconds.
    pub sender_us: f64,
    /// Number of replies by their code; 0 stands for a connection that ended before the reply came.
    pub replies: BTreeMap<u16, u64>,
    /// Number of receipts that came in replies by HTTPS, each read as one document.
    pub receipts_read: u64,
    /// Number of receipts that were not only read, but also opened and verified as the agency does.
    pub receipts_opened: u64,
    /// Load average of the machine before the run. A high value shows that other programs slowed the run down.
    pub load_average: f64,
    /// The bursts before and after the run, where the user asked for them.
    pub bursts: Vec<Figures>,
    /// The run without a carrier, where the user asked for a carrier.
    pub uncarried: Option<Figures>,
    /// The run in which letters are pushed.
    pub push: Figures,
}

impl Push {
    /// Makes the results from what the sender measured. `compare` adds the bursts.
    pub(super) fn new(size: Size, sent: &Sent) -> Push {
        let of_a_letter = |seconds: f64| seconds * 1e6 / size.letters as f64;
        Push {
            size,
            share_of_burst: None,
            share_of_uncarried: None,
            max_ms: sent.waits.last().map_or(0.0, Duration::as_secs_f64) * 1e3,
            engine_us: of_a_letter(sent.used.engine),
            postgres_us: of_a_letter(sent.used.postgres),
            sender_us: of_a_letter(sent.used_by_sender),
            replies: sent.replies.clone(),
            receipts_read: 0,
            receipts_opened: 0,
            load_average: 0.0,
            bursts: Vec::new(),
            uncarried: None,
            push: Figures::default(),
        }
    }

    /// Adds the bursts, where there are any, and compares the speed of the run with that of the bursts.
    pub(super) fn compare(&mut self, bursts: Vec<Figures>, load_average: f64) {
        let of_bursts: f64 = bursts.iter().map(|burst| burst.letters_per_second).sum::<f64>() / bursts.len() as f64;
        self.share_of_burst = (!bursts.is_empty()).then(|| self.push.letters_per_second / of_bursts);
        (self.bursts, self.load_average) = (bursts, load_average);
    }

    /// Adds the run without a carrier, and compares the speed of this run with it.
    pub(super) fn compare_with_uncarried(&mut self, without: Figures, load_average: f64) {
        self.share_of_uncarried = Some(self.push.letters_per_second / without.letters_per_second);
        (self.uncarried, self.load_average) = (Some(without), load_average);
    }

    /// Says whether every sender was told that its letter is settled.
    pub(super) fn is_every_letter_settled(&self) -> bool {
        self.replies.get(&self.size.by.settled()) == Some(&(self.size.letters as u64)) && self.replies.len() == 1
    }

    fn replies_in_words(&self) -> String {
        let word = |(code, count): (&u16, &u64)| match *code {
            CUT => format!("cut {count}"),
            code => format!("{code} {count}"),
        };
        self.replies.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    /// Describes the bounds of the project that the run broke.
    fn broken_speeds(&self) -> Vec<String> {
        // A figure may be NaN, for example 0 divided by 0, and every comparison with NaN is false. So the comparisons here ask whether a
        // bound is kept, not whether it is broken.
        let is_least = |found: f64, least: f64| found >= least;
        let mut broken = Vec::new();
        if let Some(share) = self.share_of_uncarried {
            // The bounds of speed below are those of letters that are not carried.
            if !is_least(share, CARRIED_SHARE_MIN) {
                broken.push(format!(
                    "share_of_uncarried is {}: at least {CARRIED_SHARE_MIN} was expected",
                    number(share)
                ));
            }
            return broken;
        }
        match (self.size.by, self.share_of_burst) {
            (By::Lmtp, Some(share)) if !is_least(share, LMTP_SHARE_MIN) => {
                broken.push(format!("share_of_burst is {}: at least {LMTP_SHARE_MIN} was expected", number(share)));
            }
            (By::Lmtp, _) => {}
            (By::Https, _) => {
                let (rate, p99_ms) = (self.push.letters_per_second, self.push.p99_ms);
                if !is_least(rate, HTTPS_PER_SECOND_MIN) {
                    let found = number(rate);
                    broken.push(format!("letters_per_second is {found}: at least {HTTPS_PER_SECOND_MIN} was expected"));
                }
                if p99_ms.is_nan() || p99_ms >= HTTPS_P99_MS {
                    broken.push(format!("p99_ms is {}: less than {HTTPS_P99_MS} was expected", number(p99_ms)));
                }
            }
        }
        broken
    }
}

impl Report for Push {
    fn summary(&self) -> Vec<(&'static str, String)> {
        vec![
            ("share_of_burst", self.share_of_burst.map_or_else(|| "-".to_owned(), number)),
            ("share_of_uncarried", self.share_of_uncarried.map_or_else(|| "-".to_owned(), number)),
            ("max_ms", number(self.max_ms)),
            ("engine_us", number(self.engine_us)),
            ("postgres_us", number(self.postgres_us)),
            ("sender_us", number(self.sender_us)),
            ("replies", self.replies_in_words()),
            ("receipts_read", self.receipts_read.to_string()),
            ("receipts_opened", self.receipts_opened.to_string()),
            ("load_average", number(self.load_average)),
        ]
    }

    fn runs(&self) -> Vec<(String, &Figures)> {
        let bursts = self.bursts.iter().enumerate().map(|(at, run)| (format!("burst {}", at + 1), run));
        let uncarried = self.uncarried.iter().map(|run| ("without carrier".to_owned(), run));
        bursts.chain(uncarried).chain([("push".to_owned(), &self.push)]).collect()
    }

    fn broken_bounds(&self) -> Vec<String> {
        let mut broken = Vec::new();
        if !self.is_every_letter_settled() {
            let (found, letters, code) = (self.replies_in_words(), self.size.letters, self.size.by.settled());
            broken.push(format!("replies are {found:?}: {letters} of {code} were expected, and no other"));
        }
        if self.size.by == By::Https && self.receipts_read != self.size.letters as u64 {
            let (found, letters) = (self.receipts_read, self.size.letters);
            broken.push(format!("receipts_read is {found}: {letters} were expected, one for each letter"));
        }
        if self.size.is_full() {
            broken.extend(self.broken_speeds());
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(by: By, letters: usize) -> Push {
        let size = Size { letters, by, connections: by.connections(), with_hint: true };
        let push = Figures { letters_per_second: 1500.0, p99_ms: 999.0, ..Figures::default() };
        let letters = letters as u64;
        Push {
            size,
            share_of_burst: Some(0.8),
            share_of_uncarried: None,
            max_ms: 1.0,
            engine_us: 1.0,
            postgres_us: 1.0,
            sender_us: 1.0,
            replies: BTreeMap::from([(by.settled(), letters)]),
            receipts_read: letters,
            receipts_opened: 16,
            load_average: 0.0,
            bursts: Vec::new(),
            uncarried: None,
            push,
        }
    }

    #[test]
    fn a_letter_that_is_not_settled_fails_a_run_of_any_size() {
        for by in [By::Lmtp, By::Https] {
            let good = good(by, 60);
            assert_eq!(good.problems(), Vec::<String>::new());
            let of = |replies: &[(u16, u64)]| Push { replies: replies.iter().copied().collect(), ..good.clone() };
            for replies in [&[(by.settled(), 59)][..], &[(by.settled(), 59), (CUT, 1)], &[(451, 60)], &[]] {
                assert_eq!(of(replies).problems().len(), 1, "{replies:?}");
            }
        }
        let unread = Push { receipts_read: 59, ..good(By::Https, 60) };
        assert_eq!(unread.problems(), ["receipts_read is 59: 60 were expected, one for each letter"]);
        assert_eq!(
            Push { replies: BTreeMap::from([(CUT, 1), (250, 59)]), ..unread }.replies_in_words(),
            "cut 1 250 59"
        );
    }

    #[test]
    fn bounds_of_speed_are_those_of_a_whole_run() {
        let slow = |by, letters| {
            let push = Figures { letters_per_second: 1499.0, p99_ms: 1000.0, ..Figures::default() };
            Push { share_of_burst: Some(f64::NAN), push, ..good(by, letters) }
        };
        let counts = |by, letters| (good(by, letters).problems().len(), slow(by, letters).problems().len());
        assert_eq!([counts(By::Lmtp, 19_999), counts(By::Https, 19_999)], [(0, 0), (0, 0)]);
        assert_eq!([counts(By::Lmtp, 20_000), counts(By::Https, 20_000)], [(0, 1), (0, 2)]);
        let carried = |share, letters| Push { share_of_uncarried: Some(share), ..slow(By::Https, letters) }.problems();
        assert_eq!((carried(0.65, 20_000).len(), carried(0.64, 20_000).len(), carried(0.64, 60).len()), (0, 1, 0));
    }

    #[test]
    fn speed_is_held_against_the_mean_of_the_bursts() {
        let of = |letters_per_second| Figures { letters_per_second, ..Figures::default() };
        let mut push = good(By::Lmtp, 60);
        push.compare(vec![of(1000.0), of(3000.0)], 0.5);
        assert_eq!(push.share_of_burst, Some(0.75));
        push.compare(Vec::new(), 0.5);
        assert_eq!(push.share_of_burst, None);
    }
}
