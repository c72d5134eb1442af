//! This module ends the demo if its traffic stands still. If the option `--kills` is given, it also kills the centre at random moments.

use std::time::Duration;

use anyhow::bail;
use simulation::dice::Dice;
use tokio::time::Instant;

use super::super::arguments::DemoArguments;
use super::super::centre::Centre;

/// Longest time for which no count of the traffic may change; after it the demo fails.
const STILL_MAX: Duration = Duration::from_secs(60);
/// A kill that is due happens after a random wait of at most this many milliseconds.
const JITTER_MS: i64 = 700;
/// Number of the random stream from which the waits before kills are drawn. The letters have the streams from 0 on, so the kills do not
/// change the letters.
const DICE: u64 = u64::MAX;

/// Counts of the traffic: mails sent, mails in the centre's mailbox, and letters without a receipt.
type State = (u64, usize, u64);

/// The last counts of the traffic, and the time of their last change. The demo fails if they do not change for `STILL_MAX`.
pub struct Watch {
    state: State,
    since: Instant,
}

impl Watch {
    pub fn new() -> Watch {
        Watch { state: State::default(), since: Instant::now() }
    }

    /// Compares the counts with the former ones, and notes the time if they have changed.
    ///
    /// # Errors
    /// The counts have not changed for `STILL_MAX`.
    pub fn look(&mut self, state: State, now: Instant) -> anyhow::Result<()> {
        if state != self.state {
            *self = Watch { state, since: now };
        }
        if now - self.since > STILL_MAX {
            let (mails, waiting, unanswered) = state;
            bail!(
                "nothing has moved for {} s: {mails} letters sent, {waiting} in the centre's mailbox, {unanswered} without \
                 a receipt; what the centre said stands above",
                STILL_MAX.as_secs()
            );
        }
        Ok(())
    }
}

/// The kills that are still to come. Each is due when a certain number of mails is settled, at equal distances over the run.
pub struct Kills {
    left: u64,
    total: u64,
    letters: u64,
    dice: Dice,
}

impl Kills {
    pub fn new(arguments: &DemoArguments) -> Kills {
        let (total, letters) = (arguments.kills, arguments.letters);
        Kills { left: total, total, letters, dice: Dice::of(arguments.seed, DICE) }
    }

    /// Says whether the next kill is due, now that `settled` mails are settled.
    pub fn is_due(&self, settled: u64) -> bool {
        let done = self.total - self.left;
        self.left > 0 && settled * self.total >= (2 * done + 1) * self.letters / 2
    }

    /// Waits for a random time of at most `JITTER_MS`, then kills the centre and starts it again.
    ///
    /// # Errors
    /// The centre cannot be started again.
    pub async fn kill(&mut self, centre: &mut Centre) -> anyhow::Result<()> {
        self.left -= 1;
        let jitter = u64::try_from(self.dice.between(0, JITTER_MS)).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(jitter)).await;
        centre.kill_and_restart().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_spread_over_the_way() {
        let mut kills = Kills { left: 4, total: 4, letters: 100, dice: Dice::of(1, DICE) };
        let due: Vec<u64> = (0..=100)
            .filter(|settled| {
                let is_due = kills.is_due(*settled);
                kills.left -= u64::from(is_due);
                is_due
            })
            .collect();
        assert_eq!(due, [13, 38, 63, 88]);
    }

    #[test]
    fn a_standstill_is_told() {
        let start = Instant::now();
        let mut watch = Watch::new();
        watch.look((10, 2, 3), start).unwrap();
        let last = start + STILL_MAX / 2;
        watch.look((10, 2, 2), last).unwrap();
        watch.look((10, 2, 2), last + STILL_MAX).unwrap();
        let told = watch.look((10, 2, 2), last + STILL_MAX + Duration::from_millis(1)).unwrap_err().to_string();
        assert!(told.contains("10 letters sent, 2 in the centre's mailbox, 2 without a receipt"), "{told}");
    }
}
