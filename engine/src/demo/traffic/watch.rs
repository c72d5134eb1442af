//! Watches that something moves, and kills the centre on the way where that was asked for.

use std::time::Duration;

use anyhow::bail;
use simulation::dice::Dice;
use tokio::time::Instant;

use super::super::arguments::DemoArguments;
use super::super::centre::Centre;

/// Longest time without any movement before the demo gives up.
const STILL_MAX: Duration = Duration::from_secs(60);
/// Longest random wait between the moment that a kill is due and the kill.
const JITTER_MS: i64 = 700;
/// Number of the kills' own dice: letters use the numbers from 0 on.
const DICE: u64 = u64::MAX;

/// Mails sent, mails in the centre's mailbox, letters without a receipt.
type State = (u64, usize, u64);

/// Gives up when nothing moves any more.
pub struct Watch {
    state: State,
    since: Instant,
}

impl Watch {
    pub fn new() -> Watch {
        Watch { state: State::default(), since: Instant::now() }
    }

    /// Looks whether anything has moved.
    ///
    /// # Errors
    /// Nothing has for a minute.
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

/// Kills to come: spread evenly over the way, each at a random moment near its place.
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

    /// Says whether a kill is due when so many mails are settled.
    pub fn is_due(&self, settled: u64) -> bool {
        let done = self.total - self.left;
        self.left > 0 && settled * self.total >= (2 * done + 1) * self.letters / 2
    }

    /// Waits for the moment, then kills the centre and starts it again.
    ///
    /// # Errors
    /// It cannot be started again.
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
