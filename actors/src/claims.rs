//! Keeps the known agencies, and which claims failed or proved true in the last minute. A claim is the matricule (number of an agency) that
//! a mail mentions as its sender. It is never believed. It only picks the mail's lane, so that strangers cannot make the offices wait.
//! A claim fails if a container states an agency and is not signed by that agency. It also fails if a mail states an agency and contains
//! only damaged documents, or none: a person of the office may have written that mail, but anybody else may have written it, and a flood of
//! such mails would fill the fast lane. Damaged documents or prose beside a sound letter count against no claim, because the letter itself
//! proves or disproves the claim. A sound letter of another agency fails the claim, unless the same mail holds a letter of the claimed
//! agency (`proof`).
//!
//! Opening a forged letter costs about half as much as settling a good one. Three rules follow. If several mails have the same claim, one
//! of them is tried, and the others wait for its result. A mail whose lane has become worse since it was fetched is returned unopened. A
//! window of deferred mail that begins with the last lane waits up to half a second while the slow lane is busy.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use sdc::letter::Matricule;
use tokio::sync::watch;

use crate::tally::Tally;

/// How soon a mail is opened, by what it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The mail claims a known agency, and the claim has not failed in the last 60 s. A claim fails when a mail that makes it turns out not
    /// to come from the agency.
    Fast,
    /// The claim has failed in the last 60 s, and no letter of the agency was verified in this time. The mail may still be the agency's
    /// genuine letter.
    Slow,
    /// The mail claims no known agency. Or its claim has failed in the last 60 s although a letter of the agency was verified in this time.
    Last,
}

/// Every lane, the best one first.
pub const LANES: [Lane; 3] = [Lane::Fast, Lane::Slow, Lane::Last];

/// How long a failed claim, or a letter of an agency, is remembered.
const REMEMBERED_SECONDS: u32 = 60;
/// Number of matricules that can exist: a matricule has six digits.
const MATRICULES: usize = 1_000_000;
/// Number of agencies from which on the slow lane counts as busy. Only agencies with a mail of the slow lane that is being tried count.
const SLOW_LANE_BUSY: usize = 16;

/// How soon a deferred mail is tried. The rank orders by lane, and within the slow lane by whether another mail of the same agency is being
/// tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(Lane, bool);

/// The known agencies, and for each agency when a mail last claimed it falsely and when a letter of it was last verified. Pollers and
/// decoders share this structure.
#[derive(Debug, Default)]
pub struct Claims {
    inner: Mutex<ClaimsInner>,
    /// Whether the known agencies have been read.
    are_known: watch::Sender<bool>,
}

#[derive(Debug)]
struct ClaimsInner {
    /// One bit per matricule: whether the agency is known.
    known: Vec<u64>,
    /// The moment from which the seconds below are counted.
    began: Instant,
    failed: Recent,
    heard: Recent,
    /// Number of mails of the slow lane that are being tried, by the agency that they claim.
    tried: Tally<Matricule>,
}

/// For every matricule that can exist, the second in which something last happened; 0 for never. The vector is 4 MB of zeros, of which the
/// operating system provides only the pages that are used.
#[derive(Debug)]
struct Recent(Vec<u32>);

impl Default for Recent {
    fn default() -> Recent {
        Recent(vec![0; MATRICULES])
    }
}

impl Recent {
    fn add(&mut self, matricule: Matricule, second: u32) {
        if let Some(last) = self.0.get_mut(u32::from(matricule) as usize) {
            *last = second;
        }
    }

    fn has(&self, matricule: Matricule, second: u32) -> bool {
        let last = self.0.get(u32::from(matricule) as usize).copied().unwrap_or_default();
        last != 0 && second.saturating_sub(last) < REMEMBERED_SECONDS
    }
}

/// Marks that a mail of the slow lane with this claim is being tried.
#[derive(Debug)]
pub struct BeingTried {
    claims: Arc<Claims>,
    matricule: Matricule,
}

impl Drop for BeingTried {
    fn drop(&mut self) {
        self.claims.lock().tried.remove(&self.matricule);
    }
}

impl Default for ClaimsInner {
    fn default() -> ClaimsInner {
        ClaimsInner {
            known: Vec::new(),
            began: Instant::now(),
            failed: Recent::default(),
            heard: Recent::default(),
            tried: Tally::default(),
        }
    }
}

impl ClaimsInner {
    /// Returns the present second, counted from 1: 0 means never.
    fn now(&self) -> u32 {
        u32::try_from(self.began.elapsed().as_secs()).unwrap_or(u32::MAX).saturating_add(1)
    }

    fn knows(&self, matricule: Matricule) -> bool {
        let number = u32::from(matricule) as usize;
        self.known.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    fn lane(&self, claim: Option<Matricule>, second: u32) -> Lane {
        match claim.filter(|matricule| self.knows(*matricule)) {
            None => Lane::Last,
            Some(matricule) if !self.failed.has(matricule, second) => Lane::Fast,
            Some(matricule) if !self.heard.has(matricule, second) => Lane::Slow,
            Some(_) => Lane::Last,
        }
    }
}

impl Claims {
    /// Replaces the set of known agencies.
    pub fn set_known(&self, matricules: impl IntoIterator<Item = Matricule>) {
        let mut known = vec![0u64; MATRICULES.div_ceil(64)];
        for matricule in matricules {
            let number = u32::from(matricule) as usize;
            if let Some(word) = known.get_mut(number / 64) {
                *word |= 1 << (number % 64);
            }
        }
        self.lock().known = known;
        self.are_known.send_replace(true);
    }

    /// Waits until the known agencies have been read. Before that, every office would be a stranger in the last lane.
    pub async fn known(&self) {
        // `wait_for` fails only if the channel's `watch::Sender` is gone. It cannot be gone, since `self` owns it.
        drop(self.are_known.subscribe().wait_for(|are_known| *are_known).await);
    }

    /// Picks the lane of a claim.
    pub fn lane(&self, claim: Option<Matricule>) -> Lane {
        let inner = self.lock();
        inner.lane(claim, inner.now())
    }

    /// Picks the lane of a claim whose sender sees how its document is answered, and after what time. Whether the agency is known does not
    /// count here, nor whether a letter of it was verified: otherwise a stranger could find out which agencies exist, and which are active,
    /// by posting many documents at once.
    pub fn lane_of_posted(&self, claim: Option<Matricule>) -> Lane {
        let inner = self.lock();
        match claim {
            Some(matricule) if !inner.failed.has(matricule, inner.now()) => Lane::Fast,
            _ => Lane::Last,
        }
    }

    /// Says whether an agency is known.
    pub fn knows(&self, matricule: Matricule) -> bool {
        self.lock().knows(matricule)
    }

    /// Returns a rank for each claim. Mail with the lowest rank is tried first. While a mail of an agency is being tried, other mail of
    /// that agency ranks behind all other mail of its lane, because the result of the trial may change its lane.
    pub fn ranks(&self, claims: impl Iterator<Item = Option<Matricule>>) -> Vec<Rank> {
        let inner = self.lock();
        let now = inner.now();
        let rank = |claim| {
            let lane = inner.lane(claim, now);
            let is_tried = claim.is_some_and(|matricule| inner.tried.has(&matricule));
            Rank(lane, lane == Lane::Slow && is_tried)
        };
        claims.map(rank).collect()
    }

    /// Says whether a mail of the slow lane that claims this agency is being tried.
    pub fn is_tried(&self, matricule: Matricule) -> bool {
        self.lock().tried.has(&matricule)
    }

    /// Says whether mail of many agencies in the slow lane (not the last) is being tried. Mail of a few agencies does not count: otherwise
    /// a sender of one forged mail after another could keep the last lane waiting.
    pub fn is_slow_lane_busy(&self) -> bool {
        let inner = self.lock();
        let now = inner.now();
        let slow = inner.tried.keys().filter(|matricule| inner.lane(Some(**matricule), now) == Lane::Slow);
        slow.take(SLOW_LANE_BUSY).count() == SLOW_LANE_BUSY
    }

    /// Marks that a mail of the slow lane is being tried. The mark lasts until the returned value is dropped.
    pub fn trying(self: &Arc<Self>, matricule: Matricule) -> BeingTried {
        self.lock().tried.add(matricule);
        BeingTried { claims: Arc::clone(self), matricule }
    }

    /// Remembers that a letter of this agency has just been verified.
    pub fn heard(&self, matricule: Matricule) {
        let mut inner = self.lock();
        let now = inner.now();
        inner.heard.add(matricule, now);
    }

    /// Remembers that a mail claimed an agency and was not proven to come from it.
    pub fn failed(&self, claim: Option<Matricule>) {
        if let Some(matricule) = claim {
            let mut inner = self.lock();
            let now = inner.now();
            inner.failed.add(matricule, now);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ClaimsInner> {
        // Each operation leaves the sets valid, so they can be used even if a thread has panicked while it held the lock.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matricule(number: u32) -> Matricule {
        Matricule::try_from(number).unwrap()
    }

    fn sorted(claims: &Claims, mails: &[Option<u32>]) -> Vec<Option<u32>> {
        let ranks = claims.ranks(mails.iter().map(|number| number.map(matricule)));
        let mut ranked: Vec<_> = ranks.into_iter().zip(mails).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, mail)| *mail).collect()
    }

    #[tokio::test]
    async fn whoever_waits_for_the_known_agencies_finds_them() {
        let claims = Claims::default();
        {
            let mut known = std::pin::pin!(claims.known());
            assert!(futures_util::poll!(known.as_mut()).is_pending());
            claims.set_known([matricule(42)]);
            known.await;
        }
        claims.known().await;
        assert_eq!(claims.lane(Some(matricule(42))), Lane::Fast);
    }

    #[test]
    fn only_known_claims_that_did_not_fail_lately_are_fast() {
        let claims = Claims::default();
        assert_eq!(claims.lane(Some(matricule(42))), Lane::Last, "nothing known yet");
        claims.set_known([matricule(42), matricule(999_999)]);
        assert_eq!(claims.lane(Some(matricule(42))), Lane::Fast);
        assert_eq!(claims.lane(Some(matricule(999_999))), Lane::Fast);
        assert_eq!(claims.lane(Some(matricule(43))), Lane::Last);
        assert_eq!(claims.lane(None), Lane::Last);
        claims.failed(Some(matricule(42)));
        assert_eq!(claims.lane(Some(matricule(42))), Lane::Slow);
    }

    #[test]
    fn a_posted_document_has_the_same_lane_whether_its_agency_is_known_or_not() {
        let claims = Claims::default();
        claims.set_known([matricule(42)]);
        claims.heard(matricule(42));
        for (history, lane) in [("no claim failed", Lane::Fast), ("a claim failed", Lane::Last)] {
            for number in [42, 43] {
                assert_eq!(claims.lane_of_posted(Some(matricule(number))), lane, "{history}, {number}");
                claims.failed(Some(matricule(number)));
            }
            claims.heard(matricule(42));
        }
        assert_eq!(claims.lane_of_posted(None), Lane::Last);
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
        let mails = [None, Some(1), Some(2), Some(4), Some(1), Some(3)];
        let sorted = sorted(&claims, &mails);
        assert_eq!(sorted, [Some(4), Some(2), Some(3), None, Some(1), Some(1)], "nothing failed that claimed 4");
    }

    #[test]
    fn who_is_being_tried_comes_after_its_equals_until_that_has_an_outcome() {
        let claims = Arc::new(Claims::default());
        claims.set_known((1..=3).map(matricule));
        for number in [1, 2, 3] {
            claims.failed(Some(matricule(number)));
        }
        claims.heard(matricule(3));
        let order = || sorted(&claims, &[Some(1), Some(2), Some(3), None]);
        let (first, second) = (claims.trying(matricule(1)), claims.trying(matricule(1)));
        let of_last = claims.trying(matricule(3));
        assert_eq!(order(), [Some(2), Some(1), Some(3), None], "among the last, the order is that of arrival");
        assert!(claims.is_tried(matricule(1)) && !claims.is_tried(matricule(2)));
        drop(first);
        assert_eq!(order(), [Some(2), Some(1), Some(3), None], "the second is still being tried");
        drop((second, of_last));
        assert_eq!(order(), [Some(1), Some(2), Some(3), None]);
    }

    #[test]
    fn the_slow_lane_is_busy_with_mail_of_many_agencies_that_were_not_heard() {
        let claims = Arc::new(Claims::default());
        let many = u32::try_from(SLOW_LANE_BUSY).unwrap();
        claims.set_known((1..=many + 1).map(matricule));
        let tried: Vec<_> = (1..=many).map(|number| claims.trying(matricule(number))).collect();
        assert!(!claims.is_slow_lane_busy(), "nothing failed that claimed them");
        for number in 1..=many + 1 {
            claims.failed(Some(matricule(number)));
        }
        assert!(claims.is_slow_lane_busy());
        claims.heard(matricule(1));
        assert!(!claims.is_slow_lane_busy(), "mail of the first belongs to the last lane now");
        let _another = claims.trying(matricule(many + 1));
        assert!(claims.is_slow_lane_busy());
        drop(tried);
        assert!(!claims.is_slow_lane_busy());
    }
}
