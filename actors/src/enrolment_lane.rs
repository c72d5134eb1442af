//! Limits the rate of letters that request enrolment. Anybody can sign such a letter with a fresh key, so only a bounded number per second
//! reaches the database. The mail of the other letters stays in its source and is fetched again.

use std::time::{Duration, Instant};

/// Shortest time between two admitted letters while many come.
const PACE: Duration = Duration::from_millis(100);
/// Largest number of letters that are admitted without a pause: a province may enrol its offices within an hour.
const AT_ONCE: u32 = 50;

/// How much of the permitted rate one verifier has used.
#[derive(Debug, Default)]
pub struct EnrolmentLane {
    /// Each admitted letter uses one `PACE` of time, and moves this moment forward by that much. A letter is refused if this moment is too
    /// far in the future. `None` before the first letter.
    used_until: Option<Instant>,
}

impl EnrolmentLane {
    /// Admits a letter and returns true, or returns false where the letter comes too soon.
    pub fn admits(&mut self, now: Instant) -> bool {
        let from = self.used_until.map_or(now, |used| used.max(now));
        let is_admitted = from.saturating_duration_since(now) < PACE * AT_ONCE;
        if is_admitted {
            self.used_until = Some(from + PACE);
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rush_is_admitted_and_then_ten_in_a_second() {
        let (mut lane, start) = (EnrolmentLane::default(), Instant::now());
        let mut admitted = |now: Instant| (0..1000).filter(|_| lane.admits(now)).count();
        assert_eq!(admitted(start), 50);
        assert_eq!(admitted(start), 0);
        assert_eq!(admitted(start + Duration::from_secs(1)), 10);
        assert_eq!(admitted(start + Duration::from_secs(3600)), 50);
    }
}
