//! Two lanes for the costly work, so that strangers cannot make the offices wait.
//!
//! A claim (a matricule that a mail mentions) is never believed; it only picks a lane. Mail without a known claim, and
//! claims that failed lately, go to the slow lane, which gets at most a tenth of the time while others wait and all of it
//! otherwise. So nobody can mute an office by pretending to be it: its letters still come through the slow lane, and
//! before the mail that claims an office which has been heard meanwhile.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sdc::letter::Matricule;

/// Which queue a mail waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Claims a known agency whose claims did not fail lately.
    Fast,
    /// Everything else.
    Slow,
}

/// How long it is remembered that a claim failed, or that an agency was heard.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Most of either remembered; beyond it the slow lane simply grows less exact.
const REMEMBERED_MAX: usize = 200_000;
/// The slow lane's share of the time while the fast lane has work: one part in this many.
const SLOW_PARTS: u32 = 10;

/// Which claims are known, and which failed lately. Shared by pollers and decoders.
#[derive(Debug, Default)]
pub struct Claims {
    inner: Mutex<ClaimsInner>,
}

#[derive(Debug, Default)]
struct ClaimsInner {
    /// One bit per matricule: 125 KB for all that can exist.
    known: Vec<u64>,
    failed: Recent,
    heard: Recent,
}

/// Matricules with the time of what happened lately.
#[derive(Debug, Default)]
struct Recent(HashMap<Matricule, Instant>);

impl Recent {
    fn add(&mut self, matricule: Matricule) {
        if self.0.len() >= REMEMBERED_MAX {
            self.0.retain(|_, at| at.elapsed() < REMEMBERED);
        }
        if self.0.len() < REMEMBERED_MAX {
            self.0.insert(matricule, Instant::now());
        }
    }

    fn has(&self, matricule: Matricule) -> bool {
        self.0.get(&matricule).is_some_and(|at| at.elapsed() < REMEMBERED)
    }
}

impl ClaimsInner {
    fn lane(&self, claim: Option<Matricule>) -> Lane {
        let Some(matricule) = claim else { return Lane::Slow };
        let number = u32::from(matricule) as usize;
        let is_known = self.known.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0);
        if is_known && !self.failed.has(matricule) { Lane::Fast } else { Lane::Slow }
    }

    fn may_wait(&self, claim: Option<Matricule>) -> bool {
        claim.is_none_or(|matricule| self.heard.has(matricule)) && self.lane(claim) == Lane::Slow
    }
}

impl Claims {
    /// Replaces the set of known agencies.
    pub fn set_known(&self, matricules: impl IntoIterator<Item = Matricule>) {
        let mut known = vec![0u64; 1_000_000usize.div_ceil(64)];
        for matricule in matricules {
            let number = u32::from(matricule) as usize;
            if let Some(word) = known.get_mut(number / 64) {
                *word |= 1 << (number % 64);
            }
        }
        self.lock().known = known;
    }

    /// Picks the lane of a claim.
    pub fn lane(&self, claim: Option<Matricule>) -> Lane {
        self.lock().lane(claim)
    }

    /// Says whether a mail may wait for the rest of the slow lane: it claims nobody, or an agency that was heard lately in
    /// spite of claims that failed. An agency that was not may be behind any of the mails that claim it.
    pub fn may_wait(&self, claim: Option<Matricule>) -> bool {
        self.lock().may_wait(claim)
    }

    /// Moves what may wait to the end, and else keeps the order.
    pub fn what_may_wait_last<T>(&self, mails: &mut [T], claim: impl Fn(&T) -> Option<Matricule>) {
        let inner = self.lock();
        mails.sort_by_cached_key(|mail| inner.may_wait(claim(mail)));
    }

    /// Remembers that a letter was from this agency.
    pub fn heard(&self, matricule: Matricule) {
        self.lock().heard.add(matricule);
    }

    /// Remembers that a container that claimed an agency was not from it.
    pub fn failed(&self, claim: Option<Matricule>) {
        if let Some(matricule) = claim {
            self.lock().failed.add(matricule);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ClaimsInner> {
        // The sets are valid after every single operation, so a panic elsewhere does not spoil them.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The two queues of one worker, with the time that each has used.
#[derive(Debug)]
pub struct LaneQueue<T> {
    fast: VecDeque<T>,
    slow: VecDeque<T>,
    fast_time: Duration,
    slow_time: Duration,
}

impl<T> Default for LaneQueue<T> {
    fn default() -> LaneQueue<T> {
        LaneQueue { fast: VecDeque::new(), slow: VecDeque::new(), fast_time: Duration::ZERO, slow_time: Duration::ZERO }
    }
}

impl<T> LaneQueue<T> {
    /// Adds an item to a lane.
    pub fn push(&mut self, lane: Lane, item: T) {
        match lane {
            Lane::Fast => self.fast.push_back(item),
            Lane::Slow => self.slow.push_back(item),
        }
    }

    /// Takes the next item: the slow lane's while it has used less than its share, or when it is alone.
    pub fn pop(&mut self) -> Option<(Lane, T)> {
        let slow_is_due = self.slow_time * (SLOW_PARTS - 1) < self.fast_time;
        let lane = match (self.fast.is_empty(), self.slow.is_empty()) {
            (true, true) => {
                // Idle: old debts do not matter to the next rush.
                (self.fast_time, self.slow_time) = (Duration::ZERO, Duration::ZERO);
                return None;
            }
            (true, false) => Lane::Slow,
            (false, true) => Lane::Fast,
            (false, false) if slow_is_due => Lane::Slow,
            (false, false) => Lane::Fast,
        };
        let item = match lane {
            Lane::Fast => self.fast.pop_front(),
            Lane::Slow => self.slow.pop_front(),
        };
        item.map(|item| (lane, item))
    }

    /// Books the time that an item of a lane has taken.
    pub fn spent(&mut self, lane: Lane, time: Duration) {
        match lane {
            Lane::Fast => self.fast_time += time,
            // Alone, the slow lane takes nothing from anybody.
            Lane::Slow if self.fast.is_empty() => {}
            Lane::Slow => self.slow_time += time,
        }
    }

    /// Returns the number of items waiting.
    pub fn len(&self) -> usize {
        self.fast.len() + self.slow.len()
    }

    /// Says whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matricule(number: u32) -> Matricule {
        Matricule::try_from(number).unwrap()
    }

    #[test]
    fn only_known_claims_that_did_not_fail_lately_are_fast() {
        let claims = Claims::default();
        assert_eq!(claims.lane(Some(matricule(42))), Lane::Slow, "nothing known yet");
        claims.set_known([matricule(42), matricule(999_999)]);
        assert_eq!(claims.lane(Some(matricule(42))), Lane::Fast);
        assert_eq!(claims.lane(Some(matricule(999_999))), Lane::Fast);
        assert_eq!(claims.lane(Some(matricule(43))), Lane::Slow);
        assert_eq!(claims.lane(None), Lane::Slow);
        claims.failed(Some(matricule(42)));
        assert_eq!(claims.lane(Some(matricule(42))), Lane::Slow);
    }

    #[test]
    fn who_was_heard_in_spite_of_failed_claims_waits_for_who_was_not() {
        let claims = Claims::default();
        claims.set_known((1..=4).map(matricule));
        for number in [1, 2, 3] {
            claims.failed(Some(matricule(number)));
        }
        claims.heard(matricule(1));
        claims.heard(matricule(4));
        let mut mails = [None, Some(1), Some(2), Some(4), Some(1), Some(3)];
        claims.what_may_wait_last(&mut mails, |number| number.map(matricule));
        assert_eq!(mails, [Some(2), Some(4), Some(3), None, Some(1), Some(1)]);
        assert!(!claims.may_wait(Some(matricule(4))), "its claims never failed");
    }

    #[test]
    fn the_slow_lane_gets_a_tenth_while_others_wait_and_all_when_alone() {
        let mut queue = LaneQueue::default();
        for item in 0..1000 {
            queue.push(Lane::Fast, item);
            queue.push(Lane::Slow, item);
        }
        let mut slow = 0;
        for _ in 0..500 {
            let (lane, _) = queue.pop().unwrap();
            slow += u32::from(lane == Lane::Slow);
            queue.spent(lane, Duration::from_micros(100));
        }
        assert!((40..=60).contains(&slow), "{slow} of 500 were slow");
        while let Some((lane, _)) = queue.pop() {
            queue.spent(lane, Duration::from_micros(100));
        }
        assert!(queue.is_empty(), "the slow lane is served to its end");
    }
}
