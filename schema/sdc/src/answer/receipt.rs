//! The centre's signed answer to a letter: what became of it, what it cost, and where the office stands.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::refusal::{ROW_FAULTS_MAX, Refusal, Remedy};

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every record is in the central tables.
    Accepted,
    /// Nothing of it is.
    Refused,
    /// Nothing of it is yet: it is kept whole until people decide, and another receipt with a higher attempt follows.
    Held,
}

/// Why a letter is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldCode {
    /// Rows break a check of their table whose breach people must look at, or cannot be judged by it.
    Check,
    /// Corrections wait for the centre's approval.
    Approval,
}

impl HoldCode {
    /// Every code.
    pub const ALL: [HoldCode; 2] = [HoldCode::Check, HoldCode::Approval];

    /// Returns the code as it stands on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            HoldCode::Check => "check",
            HoldCode::Approval => "approval",
        }
    }
}

/// What holds a letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Why.
    pub code: HoldCode,
    /// The checks that rows break, or by which they cannot be judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Flag>,
}

/// Rows of one table that a letter brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableReceipt {
    /// The table as named in the letter.
    pub table: String,
    /// Rows written.
    pub new: u32,
    /// Rows that the centre already held with the same content.
    pub duplicate: u32,
    /// Records that now say something else.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replaced: u32,
    /// Records that are no longer valid.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cancelled: u32,
    /// Corrections older than what the centre holds: they went to its history alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub superseded: u32,
    /// Corrections that wait for the centre's approval.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What was read for the office: it follows the receipt, each part as a letter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadReceipt {
    /// What the price is reckoned by: records given, or keys answered.
    pub acts: u64,
    /// The number of parts.
    pub parts: u16,
    /// The octets of their containers together, as they are priced.
    pub bytes: u64,
}

/// The account after the letter, in integer minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountReceipt {
    /// What the letter cost.
    pub cost: i64,
    /// Balance after it; negative is a debt.
    pub balance: i64,
    /// ISO 4217 code.
    pub currency: String,
}

/// Rows of one table that break one check, or that it cannot judge. Of an accepted letter the operators keep it until it is explained
/// (SPEC 4, Checks); a held one is held by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// The table as named in the letter.
    pub table: String,
    /// The check's own code.
    pub check: String,
    /// Whether the check could not be judged: an operand is NULL, or a referenced row is missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unjudged: bool,
    /// The first [`ROW_FAULTS_MAX`] rows.
    pub rows: Vec<FlaggedRow>,
    /// How many rows there are in all.
    pub rows_total: u32,
}

/// A row of a [`Flag`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlaggedRow {
    /// Row within its table in the letter, counted from 1.
    pub row: u32,
    /// The check's arithmetic in figures.
    pub arithmetic: String,
}

impl Flag {
    /// Makes a flag without rows.
    pub fn new(table: &str, check: &str, unjudged: bool) -> Flag {
        Flag { table: table.to_owned(), check: check.to_owned(), unjudged, rows: Vec::new(), rows_total: 0 }
    }

    /// Adds a row. Its arithmetic is put into words only where the row is named: a letter has a hundred thousand rows.
    pub fn add(&mut self, row: u32, arithmetic: impl FnOnce() -> String) {
        self.rows_total = self.rows_total.saturating_add(1);
        if self.rows.len() < ROW_FAULTS_MAX {
            self.rows.push(FlaggedRow { row, arithmetic: arithmetic() });
        }
    }
}

/// The body of a receipt. Once committed it never changes: a letter delivered again is answered with the same octets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The letter answered; absent where its payload could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letter: Option<Uuid>,
    /// SHA-256 of the letter's signed octets, lower-case hexadecimal.
    pub digest: String,
    /// The letter's sequence number; absent where its payload could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Which attempt at this letter is answered; of several answers the highest holds.
    pub attempt: u16,
    /// What became of it.
    pub verdict: Verdict,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// What to do about the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
    /// Why it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Rows by table, where accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<TableReceipt>,
    /// What was accepted and needs an explanation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// What was read, where the letter asked for records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<ReadReceipt>,
    /// The account after the letter.
    pub account: AccountReceipt,
    /// Highest sequence number that the centre holds of this installation.
    pub highest_sequence: u64,
    /// When the centre received the letter, by the centre's clock.
    pub received: DateTime<Utc>,
    /// The office's clock less the centre's; includes the letter's time on the way. Absent with an unreadable payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew_seconds: Option<i64>,
}
