//! The body that answers `account`: what the agency's account was, what moved it, and what it is.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

/// Most characters of a note.
pub const NOTE_CHARS_MAX: usize = 200;

/// Brings an operator's words into the form that a reader admits: Unicode normalization form C, and no longer than
/// [`NOTE_CHARS_MAX`].
pub fn note(words: &str) -> String {
    words.nfc().take(NOTE_CHARS_MAX).collect()
}

/// Returns how many characters an operator's words have as [`note`] writes them.
pub fn note_chars(words: &str) -> usize {
    words.nfc().count()
}

/// The account over some days, by the centre's calendar. All parts of a statement say the same, but each has its own entries.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Its first day.
    pub from: NaiveDate,
    /// Its last day.
    pub to: NaiveDate,
    /// ISO 4217 code; amounts are integers of its minor unit.
    pub currency: String,
    /// Balance before the first entry of all parts; negative is a debt.
    pub opening: i64,
    /// Balance after the last entry of all parts.
    pub closing: i64,
    /// How far below zero the balance may be for services that are not given on credit.
    pub credit_limit: i64,
    /// How many movements the days have. Only the newest of them are told as entries; `opening` is the balance before those.
    pub entries_total: u32,
    /// What moved the account, in the order in which it took effect.
    pub entries: Vec<StatementEntry>,
}

/// One movement of the account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementEntry {
    /// When it was posted, in whole seconds of UTC.
    pub at: DateTime<Utc>,
    /// What it is.
    pub kind: EntryKind,
    /// Minor units: above zero it was credited, below zero charged.
    pub amount: i64,
    /// Balance after it.
    pub balance: i64,
    /// The letter that was charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letter: Option<Uuid>,
    /// The operator's words, as [`note`] writes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Why the account moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// The price of a letter.
    Letter,
    /// An operator's credit.
    Recharge,
    /// A voucher's credit.
    Voucher,
    /// An operator's bill.
    Manual,
    /// An entry taken back.
    Reversal,
}

// Payload types print redacted.
impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Statement({} to {}, {} entries)", self.from, self.to, self.entries.len())
    }
}

impl fmt::Debug for StatementEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatementEntry({:?} at {})", self.kind, self.at)
    }
}
