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

/// What each claim holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Holdings(Arc<Mutex<HashMap<Claimant, Holding>>>);

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
        let mut holdings = self.holdings.locked();
        let Some(holding) = holdings.get_mut(&self.claimant) else { return };
        holding.lent -= 1;
        holding.size.mails -= self.size.mails;
        holding.size.kilobytes -= self.size.kilobytes;
        if holding.lent == 0 {
            holdings.remove(&self.claimant);
        }
    }
}

impl Holdings {
    /// Says whether a claim may hold so much more, where so much would be free then. It may always hold one mail.
    pub(super) fn may_hold(&self, claimant: Claimant, more: Size, free: Size) -> bool {
        self.locked().get(&claimant).is_none_or(|holding| holding.may_grow(more, free))
    }

    /// Counts a mail with its claim, if the claim may hold it.
    pub(super) fn hold(&self, claimant: Claimant, size: Size, free: Size) -> Option<Held> {
        let mut holdings = self.locked();
        if !holdings.get(&claimant).is_none_or(|holding| holding.may_grow(size, free)) {
            return None;
        }
        let holding = holdings.entry(claimant).or_default();
        holding.lent += 1;
        holding.size.mails += size.mails;
        holding.size.kilobytes += size.kilobytes;
        Some(Held { holdings: self.clone(), claimant, size })
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Claimant, Holding>> {
        // Valid after every single operation, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holding {
    fn may_grow(&self, more: Size, free: Size) -> bool {
        self.size.mails + more.mails <= free.mails && self.size.kilobytes + more.kilobytes <= free.kilobytes
    }
}
