//! Logs one line for each refusal, with the agency, the letter and the reason, and never with the letter's contents. The rate is limited to
//! what a person can read.
//!
//! Without the limit, anybody who can send mail could fill the log. Refusals beyond the limit are counted, and their number is logged at
//! the end of the minute. Containers of strangers have a limit of their own, so that a flood of them hides no refusal of an office.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use store::settle::RefusedLetter;

/// Largest number of lines in a minute about letters of agencies.
const AGENCIES_PER_MINUTE: u32 = 60;
/// Largest number of lines in a minute about containers of strangers.
const STRANGERS_PER_MINUTE: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// Pause between two checks whether the minute is over.
const TICK: Duration = Duration::from_secs(5);

/// The log of refusals. The limits hold for the whole program, however many ledgers there are and however often they are rebuilt: all
/// clones share one log.
#[derive(Clone, Debug, Default)]
pub struct RefusalLog(Arc<Mutex<Minute>>);

#[derive(Debug)]
struct Minute {
    began: Instant,
    agencies: Budget,
    strangers: Budget,
}

#[derive(Debug)]
struct Budget {
    left: u32,
    per_minute: u32,
    untold: u64,
}

impl Budget {
    fn of(per_minute: u32) -> Budget {
        Budget { left: per_minute, per_minute, untold: 0 }
    }

    /// Uses up one of the log lines that are allowed in this minute. Returns false, and counts the refusal as not logged, if none is left.
    fn take(&mut self) -> bool {
        let has_line = self.left > 0;
        self.left = self.left.saturating_sub(1);
        self.untold += u64::from(!has_line);
        has_line
    }

    /// Begins a minute. Returns how many refusals of the previous minute were not logged.
    fn refill(&mut self) -> u64 {
        self.left = self.per_minute;
        std::mem::take(&mut self.untold)
    }
}

impl Default for Minute {
    fn default() -> Minute {
        Minute {
            began: Instant::now(),
            agencies: Budget::of(AGENCIES_PER_MINUTE),
            strangers: Budget::of(STRANGERS_PER_MINUTE),
        }
    }
}

impl Minute {
    /// If the minute is over, begins another one. Returns how many refused letters and containers were not logged.
    fn end(&mut self, now: Instant) -> (u64, u64) {
        if now.duration_since(self.began) < MINUTE {
            return (0, 0);
        }
        self.began = now;
        (self.agencies.refill(), self.strangers.refill())
    }
}

impl RefusalLog {
    /// Logs refusals, as many as the limits allow.
    pub fn tell(&self, refused: &[RefusedLetter]) {
        self.end_minute(Instant::now());
        let mut minute = self.lock();
        for letter in refused {
            let RefusedLetter { journal_line, agency, letter_id, code } = *letter;
            let code = code.as_str();
            // Each guard takes one of the minute's lines. A single pattern with alternatives (`|`) would run its guard once per
            // alternative, and take two lines for one refusal.
            match agency.zip(letter_id) {
                Some((agency, letter)) if minute.agencies.take() => {
                    tracing::info!(agency = format!("{agency:06}"), %letter, code, journal_line, "a letter was refused");
                }
                None if minute.strangers.take() => {
                    tracing::info!(code, journal_line, "a container was refused: nobody vouches for its sender");
                }
                _ => {}
            }
        }
    }

    /// Logs at the end of each minute how many refusals were beyond the limit. Never returns.
    pub async fn tell_minutes(&self) {
        self.look_every(TICK).await;
    }

    async fn look_every(&self, tick: Duration) {
        loop {
            tokio::time::sleep(tick).await;
            self.end_minute(Instant::now());
        }
    }

    fn end_minute(&self, now: Instant) {
        let (letters, containers) = self.lock().end(now);
        if letters + containers > 0 {
            tracing::info!(
                letters,
                containers,
                "more was refused than is told one by one: `xmserver journal list` and `xmserver quarantine list` have it"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Minute> {
        // Each operation leaves the counts valid, so they can be used even if a thread has panicked while it held the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use sdc::refusal::RefusalCode;

    use super::*;

    #[test]
    fn a_flood_of_strangers_hides_no_refusal_of_an_office() {
        let mut minute = Minute::default();
        let told = (0..1000).filter(|_| minute.strangers.take()).count();
        assert_eq!(told, 10);
        assert!((0..60).all(|_| minute.agencies.take()));
        assert!(!minute.agencies.take());
        assert_eq!(minute.end(minute.began + MINUTE - Duration::from_millis(1)), (0, 0));
        assert_eq!((minute.agencies.untold, minute.strangers.untold), (1, 990), "the minute is not over");
        assert_eq!(minute.end(minute.began + MINUTE), (1, 990));
        assert_eq!((minute.agencies.untold, minute.strangers.untold), (0, 0));
        assert!(minute.agencies.take() && minute.strangers.take());
    }

    #[test]
    fn two_writers_have_one_rate_together_and_a_rebuilt_one_the_same() {
        let log = RefusalLog::default();
        let refused =
            [RefusedLetter { journal_line: None, agency: None, letter_id: None, code: RefusalCode::UnknownSigner }; 8];
        for writer in [log.clone(), log.clone(), log.clone()] {
            writer.tell(&refused);
        }
        let minute = log.lock();
        assert_eq!((minute.strangers.left, minute.strangers.untold), (0, 24 - 10));
    }

    /// The number of refusals beyond the limit is logged when the minute is over. No further refusal is needed to trigger this.
    #[tokio::test]
    async fn what_is_beyond_the_rate_is_told_when_the_minute_is_over() {
        let log = RefusalLog::default();
        let began = {
            let mut minute = log.lock();
            assert_eq!((0..12).filter(|_| minute.strangers.take()).count(), 10);
            // The minute is made to look as if it had begun a minute ago.
            minute.began = minute.began.checked_sub(MINUTE).unwrap();
            minute.began
        };
        let is_told = async {
            while log.lock().strangers.untold > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = log.look_every(Duration::from_millis(1)) => {}
            () = is_told => {}
        }
        let minute = log.lock();
        assert!(minute.began > began && minute.strangers.left == STRANGERS_PER_MINUTE);
    }
}
