//! Mail over which the session breaks: asked for last and alone, ever more seldom, and told of.
//!
//! A server that hangs up over one mail, or never ends it, must not keep the mail behind it. Only whole sessions show what
//! breaks them, so the first break costs one; from then on the mail has a session of its own, after that of the others.
//! What is known of it lives in memory: another process, or this one after a restart, loses one session to each such
//! mail and not the flow, since suspects over which the session breaks are passed by as well.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::transport::Candidate;

use super::memory::hint;

/// Breaks from which on a mail counts as one that cannot be fetched.
pub const BREAKS_MAX: u32 = 3;

/// Longest pause between two tries of such a mail. A mail server's own trouble may break many, and ends at some time.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// How long the session of such a mail waits for it: at the first try, then twice as long each time, and at most. A server
/// that hangs over it keeps the other mail of its mailbox from being listed for as long, and one that is only slow comes to its end.
const PATIENCE_MIN: Duration = Duration::from_secs(2);
const PATIENCE_MAX: Duration = Duration::from_secs(60);

/// The mails of one mailbox over which sessions broke.
#[derive(Default)]
pub struct Breakers(HashMap<Box<str>, Breaker>);

struct Breaker {
    /// How often in a row.
    breaks: u32,
    /// When it is tried again.
    due: Instant,
}

impl Breakers {
    /// Remembers that the session broke over a mail; returns how often it has now. `interval` is the pause between polls.
    pub fn broke(&mut self, listed: &Candidate, interval: Duration, now: Instant) -> u32 {
        let breaker = self.0.entry(hint(listed)).or_insert(Breaker { breaks: 0, due: now });
        breaker.breaks = breaker.breaks.saturating_add(1);
        // At once the first time: most lines that break do so over anything.
        let pause = match breaker.breaks {
            1 => Duration::ZERO,
            breaks => interval.saturating_mul(1 << (breaks - 1).min(16)).min(PAUSE_MAX.max(interval)),
        };
        breaker.due = now + pause;
        breaker.breaks
    }

    /// Forgets a mail: it came.
    pub fn forgive(&mut self, listed: &Candidate) {
        if !self.0.is_empty() {
            self.0.remove(&*hint(listed));
        }
    }

    /// Says whether sessions broke over a mail that is remembered so.
    pub fn has(&self, hint: &str) -> bool {
        self.0.contains_key(hint)
    }

    /// Says whether sessions broke over a mail.
    pub fn has_mail(&self, listed: &Candidate) -> bool {
        !self.0.is_empty() && self.has(&hint(listed))
    }

    /// Says whether any of them is to be tried.
    pub fn has_due(&self, now: Instant) -> bool {
        self.0.values().any(|breaker| breaker.due <= now)
    }

    /// Picks the mail to try: of those that are due, one that has broken least.
    pub fn pick<'l>(&self, mails: &'l [Candidate], now: Instant) -> Option<&'l Candidate> {
        let due = |listed: &&Candidate| self.0.get(&*hint(listed)).is_some_and(|breaker| breaker.due <= now);
        let breaks = |listed: &&Candidate| self.0.get(&*hint(listed)).map_or(0, |breaker| breaker.breaks);
        let least = mails.iter().filter(due).min_by_key(breaks)?;
        // Mails without an id may share what they are remembered by: each has its turn.
        let alike: Vec<&Candidate> = mails.iter().filter(|listed| hint(listed) == hint(least)).collect();
        alike.get(breaks(&least) as usize % alike.len().max(1)).copied()
    }

    /// Returns how long to wait for a mail; as long as the server may take where no session broke over it.
    pub fn patience(&self, listed: &Candidate) -> Option<Duration> {
        let breaker = self.0.get(&*hint(listed))?;
        Some(PATIENCE_MIN.saturating_mul(1 << breaker.breaks.saturating_sub(1).min(16)).min(PATIENCE_MAX))
    }

    /// Counts the mails over which sessions broke.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Counts the mails that cannot be fetched.
    pub fn unfetchable(&self) -> usize {
        self.0.values().filter(|breaker| breaker.breaks >= BREAKS_MAX).count()
    }

    /// Forgets what is no longer in the mailbox.
    pub fn forget_all_but(&mut self, mails: &[Candidate]) {
        if !self.0.is_empty() {
            let listed: HashSet<Box<str>> = mails.iter().map(hint).collect();
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
        assert!(breakers.has(&hint(&mails[0])), "another is remembered alike");
        breakers.forget_all_but(&mails[3..]);
        assert!(!breakers.has(&hint(&mails[0])));
    }
}
