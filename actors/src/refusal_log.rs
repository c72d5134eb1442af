//! A line of the log for each refusal, at a rate that a person can read: who, which letter, why. Never what it says.
//!
//! Whoever can send mail could otherwise fill the log: what is beyond the rate is counted, and told with the next minute.
//! Containers of nobody known have a rate of their own, so that a flood of them hides no refusal of an office.

use std::time::{Duration, Instant};

use store::settle::RefusedLetter;

/// Lines in a minute about letters of agencies, and about containers of nobody known.
const AGENCIES_PER_MINUTE: u32 = 60;
const STRANGERS_PER_MINUTE: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// Tells refusals.
#[derive(Debug)]
pub struct RefusalLog {
    minute_began: Instant,
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

    /// Says whether there is a line for one more.
    fn take(&mut self) -> bool {
        let has_line = self.left > 0;
        self.left = self.left.saturating_sub(1);
        self.untold += u64::from(!has_line);
        has_line
    }

    /// Begins a minute, and returns how many of the one before were not told.
    fn refill(&mut self) -> u64 {
        self.left = self.per_minute;
        std::mem::take(&mut self.untold)
    }
}

impl Default for RefusalLog {
    fn default() -> RefusalLog {
        RefusalLog {
            minute_began: Instant::now(),
            agencies: Budget::of(AGENCIES_PER_MINUTE),
            strangers: Budget::of(STRANGERS_PER_MINUTE),
        }
    }
}

impl RefusalLog {
    /// Tells what was refused.
    pub fn tell(&mut self, refused: &[RefusedLetter]) {
        self.begin_minute(Instant::now());
        for letter in refused {
            let RefusedLetter { journal_line, agency, letter_id, code } = *letter;
            let code = code.as_str();
            match (agency, letter_id) {
                (Some(agency), Some(letter)) if self.agencies.take() => {
                    tracing::info!(agency = format!("{agency:06}"), %letter, code, journal_line, "a letter was refused");
                }
                (None, _) | (_, None) if self.strangers.take() => {
                    tracing::info!(code, journal_line, "a container was refused: nobody vouches for its sender");
                }
                _ => {}
            }
        }
    }

    fn begin_minute(&mut self, now: Instant) {
        if now.duration_since(self.minute_began) < MINUTE {
            return;
        }
        self.minute_began = now;
        let (letters, containers) = (self.agencies.refill(), self.strangers.refill());
        if letters + containers > 0 {
            tracing::info!(
                letters,
                containers,
                "more was refused than is told one by one: `xmserver journal list` has it all"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_strangers_hides_no_refusal_of_an_office() {
        let mut log = RefusalLog::default();
        let told = (0..1000).filter(|_| log.strangers.take()).count();
        assert_eq!(told, 10);
        assert!((0..60).all(|_| log.agencies.take()));
        assert!(!log.agencies.take());
        log.begin_minute(log.minute_began + MINUTE - Duration::from_millis(1));
        assert_eq!((log.agencies.untold, log.strangers.untold), (1, 990), "the minute is not over");
        log.begin_minute(log.minute_began + MINUTE);
        assert_eq!((log.agencies.untold, log.strangers.untold), (0, 0));
        assert!(log.agencies.take() && log.strangers.take());
    }
}
