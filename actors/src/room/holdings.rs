//! A holding is the number of permits (for mails and kilobytes) that the mails of one claim use. No claim may use more permits than then
//! remain free. So the mails of a claim that floods stop at half of all permits, the mails of a second flood stop at half of the rest, and
//! mail of a further claim still finds permits. Queues that share a buffer use the same rule (Choudhury and Hahne, Dynamic queue length
//! thresholds, 1998). No part is reserved for claims that send nothing.
//!
//! A claim is never believed. Forged mail uses the part of the office that it claims to come from, until the claim fails (`claims`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sdc::letter::Matricule;

/// Agency to which a mail's permits are booked: the known agency that the mail claims, or `None` for all other mail together.
pub type Claimant = Option<Matricule>;

/// A number of permits: for mails, and for kilobytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) mails: usize,
    pub(super) kilobytes: usize,
}

/// Permits used by each claim. Permits that a window has taken for mails that are not fetched yet count as free, since their claims are not
/// known. A mail that waits for permits uses none, so that a large mail that waits takes none from other claims.
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
    /// Number of mails that are lent. `size` may count fewer, because mails in the slow lane have no permit for a mail.
    lent: usize,
    size: Size,
}

/// Permits used by one mail, until this value is dropped.
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
    /// Begins with all permits free: `room` is how many permits exist.
    pub(super) fn of(room: Size) -> Holdings {
        Holdings { room, held: Arc::default() }
    }

    /// Says whether a claim may use `more` permits. A claim may always have one mail.
    pub(super) fn may_hold(&self, claimant: Claimant, more: Size) -> bool {
        self.may_grow(&self.locked(), claimant, more)
    }

    fn may_grow(&self, held: &AllHeld, claimant: Claimant, more: Size) -> bool {
        let Some(own) = held.by_claim.get(&claimant) else { return true };
        let (own, all) = (own.size.plus(more), held.together.plus(more));
        own.mails + all.mails <= self.room.mails && own.kilobytes + all.kilobytes <= self.room.kilobytes
    }

    /// Books a mail to its claim. Returns `None` if the claim may not use that many permits.
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
        // Each operation leaves the counts valid, so they can be used even if a thread has panicked while it held the lock.
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
