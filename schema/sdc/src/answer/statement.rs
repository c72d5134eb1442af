//! The body that answers `account`: the agency's balance at the beginning and at the end, and the movements between them.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

/// Maximum number of characters of a note in a statement.
pub const NOTE_CHARS_MAX: usize = 200;

/// Brings an operator's text into the form that a reader admits: Unicode normalization form C, at most [`NOTE_CHARS_MAX`] characters.
pub fn note(words: &str) -> String {
    words.nfc().take(NOTE_CHARS_MAX).collect()
}

/// Returns the number of characters of an operator's text in the normalization form that [`note`] writes.
pub fn note_chars(words: &str) -> usize {
    words.nfc().count()
}

/// The account over some days of the centre's calendar. All parts of a statement have the same members, except that each part has entries
/// of its own.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// First day of the statement.
    pub from: NaiveDate,
    /// Last day of the statement.
    pub to: NaiveDate,
    /// ISO 4217 code of the currency; amounts are integers of its minor unit.
    pub currency: String,
    /// Balance before the first entry of all parts, in minor units; a negative balance is a debt.
    pub opening: i64,
    /// Balance after the last entry of all parts, in minor units.
    pub closing: i64,
    /// Greatest debt, in minor units, up to which the account may pay for services that are not given on credit.
    pub credit_limit: i64,
    /// Number of all movements on these days. Where there are too many to list, only the newest are listed as entries; `opening` is then
    /// the balance before the first listed entry, not before the first day.
    pub entries_total: u32,
    /// Movements of the account, in the order in which they took effect.
    pub entries: Vec<StatementEntry>,
}

/// One movement of the account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementEntry {
    /// Moment of the posting, in whole seconds of UTC.
    pub at: DateTime<Utc>,
    /// Kind of the movement.
    pub kind: EntryKind,
    /// Amount in minor units: positive is a credit, negative is a charge.
    pub amount: i64,
    /// Balance after the movement, in minor units.
    pub balance: i64,
    /// Letter whose price is charged; absent for other movements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letter: Option<Uuid>,
    /// The operator's note, as [`note`] writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Why the balance changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// The price of a letter.
    Letter,
    /// An operator's credit.
    Recharge,
    /// A voucher's credit.
    Voucher,
    /// An operator's charge.
    Manual,
    /// The reversal of an earlier entry.
    Reversal,
}

// `Debug` shows no content, because a statement is an agency's own data.
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
