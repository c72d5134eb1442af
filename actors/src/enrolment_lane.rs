//! The lane of letters that ask to be enrolled: nobody knows their keys, so however many come, only so many of them in a second reach the
//! database. The mail of the others stays in its source and comes again.

use std::time::{Duration, Instant};

/// Between two letters, where many come.
const PACE: Duration = Duration::from_millis(100);
/// So many may come at once: a province may be enrolled in an hour.
const AT_ONCE: u32 = 50;

/// How much of the lane of one verifier is used.
#[derive(Debug, Default)]
pub struct EnrolmentLane {
    /// When the letters admitted so far would have come at the pace.
    used_until: Option<Instant>,
}

impl EnrolmentLane {
    /// Admits a letter, or says that it comes too soon.
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
