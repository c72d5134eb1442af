//! What is decided of a letter: how it is settled, under which key, and at what price.

use sdc::answer::receipt::HoldCode;
use sdc::refusal::Refusal;

use super::account::Account;
use super::corrections::correction::Fate;
use super::effect::Effect;
use super::judge::Key;
use super::work::Work;
use crate::ledger::prices::Price;
use crate::tables::examine::{Found, TableRows};

/// An accepted letter.
pub struct Acceptance {
    pub work: Work,
    /// For each table, for each row: whether it is new (to be inserted) or held already with the same content.
    pub is_new: Vec<Vec<bool>>,
    /// What checks found that look at what the tables hold.
    pub found: Vec<Found>,
    /// What becomes of each correction; none where the letter corrects nothing.
    pub fates: Vec<Fate>,
    pub price: Price,
    /// What it does beside.
    pub effect: Effect,
}

impl Acceptance {
    /// Returns the tables that the letter writes to, each with a mark for each of its rows: whether it is new.
    pub fn tables(&self) -> impl Iterator<Item = (&TableRows, &[bool])> {
        // By index, so that marks which are missing are a panic and not a table that is passed over.
        self.work.tables().iter().enumerate().map(|(table, rows)| (rows, self.is_new[table].as_slice()))
    }

    /// Counts the rows that are inserted or corrected.
    pub fn new_rows(&self) -> usize {
        let corrected = self.fates.iter().filter(|fate| **fate != Fate::Superseded).count();
        self.is_new.iter().flatten().filter(|new| **new).count() + corrected
    }
}

/// Why a letter is held: it uses key and number, writes no rows and charges nothing (SPEC 7, Held).
#[derive(Clone)]
pub struct Hold {
    /// What it asks to have done once it is released.
    pub work: Work,
    /// Why.
    pub code: HoldCode,
    /// The checks that hold it.
    pub found: Vec<Found>,
}

/// How an arrival is settled.
#[expect(clippy::large_enum_variant, reason = "nearly every letter is accepted")]
pub enum Decision {
    /// No registered key signed the letter: it goes into quarantine and gets no answer.
    Stranger(Refusal),
    /// The letter has its verdict already, under this key.
    Duplicate(Key),
    Accepted {
        key: Key,
        acceptance: Acceptance,
        /// The account after the charge.
        account: Account,
        /// The highest number of the installation, this letter's included.
        highest_sequence: i64,
    },
    Refused {
        key: Key,
        refusal: Refusal,
        /// Versions held of the records that the letter contradicts, for the operators.
        held_version: Option<serde_json::Value>,
        account: Account,
        /// The highest number of the installation, this letter's included.
        highest_sequence: i64,
    },
    /// People decide: until then it is kept whole, and in no table.
    Held {
        key: Key,
        hold: Hold,
        account: Account,
        /// The highest number of the installation, this letter's included.
        highest_sequence: i64,
    },
    /// One of the letter's tables takes no rows now, or the letter met a fault that its bytes do not cause. Nothing of it is
    /// committed and no number used up: the mail stays, and the letter is settled another time.
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
