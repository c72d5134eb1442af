//! Which of many failed attempts are logged: the first, each that fails in words not logged within the last hour, and the end. Otherwise a
//! mailbox or relay that stays away for a night would be a line of the log for every poll or round.

use std::time::{Duration, Instant};

/// Time between two lines with the same words.
const TOLD_EVERY: Duration = Duration::from_secs(3600);

/// Most wordings logged within [`TOLD_EVERY`]: where each attempt fails in other words, not each is logged.
const WORDINGS_MAX: usize = 8;

/// The failed attempts since the last one that succeeded.
#[derive(Debug, Default)]
pub struct Outage {
    attempts: u64,
    /// Wordings that were logged lately, and when.
    told: Vec<(String, Instant)>,
}

impl Outage {
    /// Counts a failed attempt. Returns how many have failed so far, where this one is to be logged.
    pub fn failed(&mut self, words: &str, now: Instant) -> Option<u64> {
        self.attempts += 1;
        self.told.retain(|(_, at)| now.duration_since(*at) < TOLD_EVERY);
        if self.told.len() >= WORDINGS_MAX || self.told.iter().any(|(told, _)| told == words) {
            return None;
        }
        self.told.push((words.to_owned(), now));
        Some(self.attempts)
    }

    /// Ends the outage. Returns how many attempts failed, where any did.
    pub fn end(&mut self) -> Option<u64> {
        let attempts = std::mem::take(self).attempts;
        (attempts > 0).then_some(attempts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_each_change_of_words_one_an_hour_and_the_end_are_told() {
        let (mut outage, start) = (Outage::default(), Instant::now());
        assert_eq!(outage.end(), None);
        let mut told = Vec::new();
        for minute in 0..150 {
            let words = if minute < 10 { "timed out" } else { "refused" };
            if let Some(attempts) = outage.failed(words, start + Duration::from_secs(60 * minute)) {
                told.push((minute, attempts));
            }
        }
        assert_eq!(told, [(0, 1), (10, 11), (70, 71), (130, 131)]);
        assert_eq!((outage.end(), outage.end()), (Some(150), None));
        assert_eq!(outage.failed("refused", start), Some(1), "another outage");
    }

    #[test]
    fn words_that_alternate_or_never_repeat_are_no_line_for_each_attempt() {
        let start = Instant::now();
        let told = |words: &dyn Fn(u64) -> String| {
            let mut outage = Outage::default();
            let at = |second| start + Duration::from_secs(10 * second);
            (0..300).filter(|second| outage.failed(&words(*second), at(*second)).is_some()).count()
        };
        assert_eq!(told(&|second| ["timed out", "refused"][usize::from(second % 2 == 0)].to_owned()), 2);
        assert_eq!(told(&|second| format!("session {second} refused")), WORDINGS_MAX);
    }
}
