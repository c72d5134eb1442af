//! Selects which of many failed attempts are logged: the first, each one whose error message was not logged within the last hour, and the
//! end of the outage. Otherwise a mailbox or relay that cannot be reached for a night would produce a log line for every poll or round.

use std::time::{Duration, Instant};

/// Pause between two log lines with the same error message.
const TOLD_EVERY: Duration = Duration::from_secs(3600);

/// Largest number of different error messages logged within [`TOLD_EVERY`]. If each attempt fails with another message, not every one is
/// logged.
const WORDINGS_MAX: usize = 8;

/// The attempts that have failed in a row.
#[derive(Debug, Default)]
pub struct Outage {
    attempts: u64,
    /// Error messages that were logged lately, with the moment of logging.
    told: Vec<(String, Instant)>,
}

impl Outage {
    /// Counts a failed attempt. Returns the number of failed attempts so far if this one is to be logged, else `None`.
    pub fn failed(&mut self, words: &str, now: Instant) -> Option<u64> {
        self.attempts += 1;
        self.told.retain(|(_, at)| now.duration_since(*at) < TOLD_EVERY);
        if self.told.len() >= WORDINGS_MAX || self.told.iter().any(|(told, _)| told == words) {
            return None;
        }
        self.told.push((words.to_owned(), now));
        Some(self.attempts)
    }

    /// Ends the outage. Returns the number of failed attempts, or `None` if no attempt failed.
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
