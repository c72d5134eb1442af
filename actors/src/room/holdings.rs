//! Holdings: what the mails of each claim take of the room. No claim holds more than what is free beside it. So the mails of one claim
//! that floods stop at half of the room, those of a second at half of the rest, and mail of a further claim finds room. It is the rule by
//! which queues share a buffer (Choudhury and Hahne, Dynamic queue length thresholds, 1998): no part is kept free for claims that send
//! nothing.
//!
//! A claim is never believed. Forged mail takes of the part of the office that it names, until the claim fails (`claims`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sdc::letter::Matricule;

/// Whose holding a mail counts with: the known agency that it claims, or all other mail together.
pub type Claimant = Option<Matricule>;

/// Places and kilobytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) mails: usize,
    pub(super) kilobytes: usize,
}

/// What each claim holds. Permits that a window has taken for mails that are not fetched yet count as free, since their claims are not
/// known. A mail that waits for room holds none, so that a large mail that waits takes no part from other claims.
#[derive(Clone, Debug)]
pub(super) struct Holdings {
    room: Size,
    held: Arc<Mutex<AllHeld>>,
}

#[derive(Debug, Default)]
struct AllHeld {
    together: Size,
    by_claim: HashMap<Claimant, Holding>,
}

#[derive(Debug, Default)]
struct Holding {
    /// Number of mails in hand; `size` may be less where a mail is in the slow lane.
    lent: usize,
    size: Size,
}

/// What one mail holds, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    holdings: Holdings,
    claimant: Claimant,
    size: Size,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.holdings.locked();
        held.together = held.together.minus(self.size);
        let Some(holding) = held.by_claim.get_mut(&self.claimant) else { return };
        holding.lent -= 1;
        holding.size = holding.size.minus(self.size);
        if holding.lent == 0 {
            held.by_claim.remove(&self.claimant);
        }
    }
}

impl Holdings {
    /// Begins with an empty room of this size.
    pub(super) fn of(room: Size) -> Holdings {
        Holdings { room, held: Arc::default() }
    }

    /// Says whether a claim may hold so much more. A claim may always hold one mail.
    pub(super) fn may_hold(&self, claimant: Claimant, more: Size) -> bool {
        self.may_grow(&self.locked(), claimant, more)
    }

    fn may_grow(&self, held: &AllHeld, claimant: Claimant, more: Size) -> bool {
        let Some(own) = held.by_claim.get(&claimant) else { return true };
        let (own, all) = (own.size.plus(more), held.together.plus(more));
        own.mails + all.mails <= self.room.mails && own.kilobytes + all.kilobytes <= self.room.kilobytes
    }

    /// Counts a mail with its claim, if the claim may hold it.
    pub(super) fn hold(&self, claimant: Claimant, size: Size) -> Option<Held> {
        let mut held = self.locked();
        if !self.may_grow(&held, claimant, size) {
            return None;
        }
        held.together = held.together.plus(size);
        let holding = held.by_claim.entry(claimant).or_default();
        holding.lent += 1;
        holding.size = holding.size.plus(size);
        Some(Held { holdings: self.clone(), claimant, size })
    }

    fn locked(&self) -> MutexGuard<'_, AllHeld> {
        // The counts are valid after every single operation, so a panic elsewhere does not spoil them.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Size {
    fn plus(self, other: Size) -> Size {
        Size { mails: self.mails + other.mails, kilobytes: self.kilobytes + other.kilobytes }
    }

    fn minus(self, other: Size) -> Size {
        Size { mails: self.mails - other.mails, kilobytes: self.kilobytes - other.kilobytes }
    }
}
