//! What the mails of each claim take of the room: no claim holds more than what is free beside it. So one that floods stops at
//! half of the room, a second at half of the rest, and whoever comes new finds room. It is the rule by which queues share a
//! buffer (Choudhury and Hahne, Dynamic queue length thresholds, 1998): no part is kept free for those who send nothing.
//!
//! A claim is never believed. Who pretends to be an office takes of that office's part, until the claim fails (`lanes`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sdc::letter::Matricule;

/// Whose room it is: that of a known agency which the mail claims, or of everybody else together.
pub type Claimant = Option<Matricule>;

/// Places and kilobytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) mails: usize,
    pub(super) kilobytes: usize,
}

/// What each claim holds. Room that a window has taken for mails that are not here yet is free: it comes back soon, whatever they
/// claim. And what waits for room holds none, so that one large mail that waits takes no part from anybody.
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
    /// Mails in hand, whatever they take.
    lent: usize,
    size: Size,
}

/// What one mail takes of its claim's part.
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
    /// Divides a room.
    pub(super) fn of(room: Size) -> Holdings {
        Holdings { room, held: Arc::default() }
    }

    /// Says whether a claim may hold so much more. It may always hold one mail.
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
        // Valid after every single operation, so a panic elsewhere does not spoil it.
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
