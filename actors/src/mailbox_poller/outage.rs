//! What is told of polls that fail one after another: the first, each change of words, one an hour, and the end. A mailbox that
//! stays away for a night would else be a line of the log for every poll.

use std::time::{Duration, Instant};

/// Time between two lines with the same words.
const TOLD_EVERY: Duration = Duration::from_secs(3600);

/// The polls of a mailbox that failed since the last one that did not.
#[derive(Debug, Default)]
pub struct Outage {
    polls: u64,
    /// What was told last, and when.
    told: Option<(String, Instant)>,
}

impl Outage {
    /// Counts a poll that failed. Returns how many have so far, where that is to be told.
    pub fn failed(&mut self, words: &str, now: Instant) -> Option<u64> {
        self.polls += 1;
        let is_told =
            self.told.as_ref().is_some_and(|(told, at)| told == words && now.duration_since(*at) < TOLD_EVERY);
        if is_told {
            return None;
        }
        self.told = Some((words.to_owned(), now));
        Some(self.polls)
    }

    /// Ends it. Returns how many polls failed, where any did.
    pub fn end(&mut self) -> Option<u64> {
        let polls = std::mem::take(self).polls;
        (polls > 0).then_some(polls)
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
            if let Some(polls) = outage.failed(words, start + Duration::from_secs(60 * minute)) {
                told.push((minute, polls));
            }
        }
        assert_eq!(told, [(0, 1), (10, 11), (70, 71), (130, 131)]);
        assert_eq!((outage.end(), outage.end()), (Some(150), None));
        assert_eq!(outage.failed("refused", start), Some(1), "another outage");
    }
}
