//! A breaker is a mail over which sessions with the server break. Each breaker is fetched in a session of its own, after the session of the
//! other mail. The pause between two tries grows, and every break is logged.
//!
//! Some servers close the connection over one mail, or never finish sending it. The mail behind the breaker must still be fetched. The
//! first break costs a whole session, since nothing shows beforehand that a mail is a breaker. Breakers are remembered in memory only:
//! another process, or this one after a restart, loses one session to each breaker. A breaker that is also a suspect is fetched in its own
//! session only: a session tries suspects before all other mail, and none of that mail would be fetched if the session broke over the
//! suspect.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::transport::Candidate;

/// Breaks in a row after which a mail counts as unfetchable.
pub const BREAKS_MAX: u32 = 3;

/// Longest pause between two tries of a breaker. A fault of the mail server can make breakers of many mails. Once the server is repaired,
/// each of them must be fetched within an hour.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// How long the session of a breaker waits for that mail at the first try. The wait doubles with each further try.
const PATIENCE_MIN: Duration = Duration::from_secs(2);
/// Longest time that the session of a breaker waits for that mail. While a server hangs over a breaker, other mail of its mailbox is not
/// listed. A server that is only slow finishes sending the mail within this time.
const PATIENCE_MAX: Duration = Duration::from_secs(60);

/// The mails of one mailbox over which sessions broke.
#[derive(Default)]
pub struct Breakers(HashMap<Box<str>, Breaker>);

struct Breaker {
    /// Number of sessions in a row that broke over the mail.
    breaks: u32,
    /// Moment of the next try.
    due: Instant,
}

impl Breakers {
    /// Remembers that the session broke over a mail. Returns how many sessions in a row have broken over it. `interval` is the pause
    /// between polls.
    pub fn broke(&mut self, listed: &Candidate, interval: Duration, now: Instant) -> u32 {
        let breaker = self.0.entry(listed.hint()).or_insert(Breaker { breaks: 0, due: now });
        breaker.breaks = breaker.breaks.saturating_add(1);
        // The first retry follows without a pause: most connections break by chance.
        let pause = match breaker.breaks {
            1 => Duration::ZERO,
            breaks => interval.saturating_mul(1 << (breaks - 1).min(16)).min(PAUSE_MAX.max(interval)),
        };
        breaker.due = now + pause;
        breaker.breaks
    }

    /// Forgets a breaker, since a session has fetched it without breaking.
    pub fn forgive(&mut self, listed: &Candidate) {
        if !self.0.is_empty() {
            self.0.remove(&*listed.hint());
        }
    }

    /// Says whether a mail with this hint (the token, or what replaces a missing token) is a breaker.
    pub fn has(&self, hint: &str) -> bool {
        self.0.contains_key(hint)
    }

    /// Says whether a mail is a breaker.
    pub fn has_mail(&self, listed: &Candidate) -> bool {
        !self.0.is_empty() && self.has(&listed.hint())
    }

    /// Says whether a breaker is due.
    pub fn has_due(&self, now: Instant) -> bool {
        self.0.values().any(|breaker| breaker.due <= now)
    }

    /// Picks the breaker to try next: of the breakers that are due, the one with the fewest breaks.
    pub fn pick<'l>(&self, mails: &'l [Candidate], now: Instant) -> Option<&'l Candidate> {
        let due = |listed: &&Candidate| self.0.get(&*listed.hint()).is_some_and(|breaker| breaker.due <= now);
        let breaks = |listed: &&Candidate| self.0.get(&*listed.hint()).map_or(0, |breaker| breaker.breaks);
        let least = mails.iter().filter(due).min_by_key(breaks)?;
        // Mails without a token may share a hint, and then they share a count of breaks, which does not show over which of them sessions
        // break. So each try picks the next of these mails.
        let alike: Vec<&Candidate> = mails.iter().filter(|listed| listed.hint() == least.hint()).collect();
        alike.get(breaks(&least) as usize % alike.len().max(1)).copied()
    }

    /// Returns how long to wait for a breaker, or `None` for a mail that is no breaker. For such a mail the source's own deadlines hold.
    pub fn patience(&self, listed: &Candidate) -> Option<Duration> {
        let breaker = self.0.get(&*listed.hint())?;
        Some(PATIENCE_MIN.saturating_mul(1 << breaker.breaks.saturating_sub(1).min(16)).min(PATIENCE_MAX))
    }

    /// Counts the breakers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Counts the breakers that broke so many sessions in a row that they count as unfetchable.
    pub fn unfetchable(&self) -> usize {
        self.0.values().filter(|breaker| breaker.breaks >= BREAKS_MAX).count()
    }

    /// Forgets mails that are no longer listed.
    pub fn forget_all_but(&mut self, mails: &[Candidate]) {
        if !self.0.is_empty() {
            let listed: HashSet<Box<str>> = mails.iter().map(Candidate::hint).collect();
            self.0.retain(|hint, _| listed.contains(hint));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    fn listed(number: u32, token: Option<&str>, size_bytes: u64) -> Candidate {
        Candidate { number, token: token.map(Into::into), size_bytes }
    }

    #[test]
    fn a_mail_is_tried_ever_more_seldom_until_it_comes() {
        let (mut breakers, mail, mut now) = (Breakers::default(), listed(1, Some("a"), 1), Instant::now());
        let (mut pauses, mut patience) = (Vec::new(), Vec::new());
        assert_eq!(breakers.patience(&mail), None);
        for breaks in 1..=12 {
            assert_eq!(breakers.broke(&mail, INTERVAL, now), breaks);
            assert_eq!(breakers.unfetchable(), usize::from(breaks >= BREAKS_MAX));
            let mails = [listed(7, Some("b"), 1), listed(8, Some("a"), 1)];
            let pause = (0..=3600).find(|seconds| breakers.has_due(now + Duration::from_secs(*seconds))).unwrap();
            now += Duration::from_secs(pause);
            assert_eq!(breakers.pick(&mails, now).map(|mail| mail.number), Some(8), "by its id, not by its number");
            pauses.push(pause);
            patience.push(breakers.patience(&mail).unwrap().as_secs());
        }
        assert_eq!(patience, [2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60, 60]);
        assert_eq!(pauses, [0, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600]);
        breakers.forgive(&mail);
        assert!(!breakers.has("a") && breakers.pick(std::slice::from_ref(&mail), now).is_none());
    }

    #[test]
    fn mails_that_are_remembered_alike_have_their_turns_and_what_is_gone_is_forgotten() {
        let (mut breakers, now) = (Breakers::default(), Instant::now());
        let mails = [listed(1, None, 1200), listed(2, Some("x"), 1200), listed(3, None, 1200), listed(4, None, 7)];
        let mut picked = Vec::new();
        for _ in 0..4 {
            breakers.broke(&mails[0], Duration::ZERO, now);
            picked.push(breakers.pick(&mails, now).unwrap().number);
        }
        assert_eq!(picked, [3, 1, 3, 1]);
        breakers.forget_all_but(&mails[1..]);
        assert!(breakers.has(&mails[0].hint()), "another is remembered alike");
        breakers.forget_all_but(&mails[3..]);
        assert!(!breakers.has(&mails[0].hint()));
    }
}
