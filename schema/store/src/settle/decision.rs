//! The decision on a letter: how the letter is settled, under which key, and at what price.

use sdc::answer::receipt::HoldCode;
use sdc::refusal::Refusal;

use super::account::Account;
use super::corrections::correction::Fate;
use super::effect::Effect;
use super::judge::Key;
use super::work::Work;
use crate::ledger::prices::Price;
use crate::tables::examine::{Found, TableRows};

/// An accepted letter: its work, and the effects of settling it.
pub struct Acceptance {
    pub work: Work,
    /// For each table and each row: `true` if the row is new and is inserted, `false` if the same row with the same content is stored
    /// already.
    pub is_new: Vec<Vec<bool>>,
    /// Findings of the checks that look at the tables.
    pub found: Vec<Found>,
    /// The result of each correction; empty if the letter corrects nothing.
    pub fates: Vec<Fate>,
    pub price: Price,
    /// What the letter does besides writing rows and getting an answer, for example crediting a voucher.
    pub effect: Effect,
}

impl Acceptance {
    /// Returns the tables that the letter writes to. Each table comes with one mark for each of its rows: whether the row is new.
    pub fn tables(&self) -> impl Iterator<Item = (&TableRows, &[bool])> {
        // The marks are read by index, so that a missing entry causes a panic. A `zip` would silently skip the table.
        self.work.tables().iter().enumerate().map(|(table, rows)| (rows, self.is_new[table].as_slice()))
    }

    /// Counts the rows that are inserted or corrected.
    pub fn new_rows(&self) -> usize {
        let corrected = self.fates.iter().filter(|fate| **fate != Fate::Superseded).count();
        self.is_new.iter().flatten().filter(|new| **new).count() + corrected
    }
}

/// A held letter. Its key and sequence number are used, but it writes no rows and costs nothing (SPEC 7, Held).
#[derive(Clone)]
pub struct Hold {
    /// The work that is done when the letter is released.
    pub work: Work,
    /// The reason of the hold: checks, or corrections that need approval.
    pub code: HoldCode,
    /// The findings for which the letter is held.
    pub found: Vec<Found>,
}

/// The decision on how an arrival is settled.
#[expect(clippy::large_enum_variant, reason = "nearly every letter is accepted")]
pub enum Decision {
    /// No registered key signed the letter: it goes into quarantine and gets no answer.
    Stranger(Refusal),
    /// The letter has a verdict already, under this key.
    Duplicate(Key),
    Accepted {
        key: Key,
        acceptance: Acceptance,
        /// The account after the charge.
        account: Account,
        /// The installation's highest sequence number, including that of this letter.
        highest_sequence: i64,
    },
    Refused {
        key: Key,
        refusal: Refusal,
        /// The stored versions of the records that the letter contradicts, for the operators; `None` if it contradicts no record.
        held_version: Option<serde_json::Value>,
        account: Account,
        /// The installation's highest sequence number, including that of this letter.
        highest_sequence: i64,
    },
    /// The letter is stored whole, but its rows are in no table until operators release the letter or refuse it.
    Held {
        key: Key,
        hold: Hold,
        account: Account,
        /// The installation's highest sequence number, including that of this letter.
        highest_sequence: i64,
    },
    /// One of the letter's tables takes no rows now, or settling failed for a reason other than the letter's bytes. Nothing of the letter
    /// is committed and no sequence number is used. The mail stays in the mailbox, and the letter is settled another time.
    Deferred,
}

impl Decision {
    pub fn acceptance(&self) -> Option<&Acceptance> {
        match self {
            Decision::Accepted { acceptance, .. } => Some(acceptance),
            _ => None,
        }
    }
}
