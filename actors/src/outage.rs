//! What is told of attempts that fail one after another: the first, each change of words, one an hour, and the end. A mailbox or a
//! relay that stays away for a night would else be a line of the log for every poll or round.

use std::time::{Duration, Instant};

/// Time between two lines with the same words.
const TOLD_EVERY: Duration = Duration::from_secs(3600);

/// The attempts at something that failed since the last one that did not.
#[derive(Debug, Default)]
pub struct Outage {
    attempts: u64,
    /// What was told last, and when.
    told: Option<(String, Instant)>,
}

impl Outage {
    /// Counts an attempt that failed. Returns how many have so far, where that is to be told.
    pub fn failed(&mut self, words: &str, now: Instant) -> Option<u64> {
        self.attempts += 1;
        let is_told =
            self.told.as_ref().is_some_and(|(told, at)| told == words && now.duration_since(*at) < TOLD_EVERY);
        if is_told {
            return None;
        }
        self.told = Some((words.to_owned(), now));
        Some(self.attempts)
    }

    /// Ends it. Returns how many attempts failed, where any did.
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
}
