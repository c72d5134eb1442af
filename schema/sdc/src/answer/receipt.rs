//! The centre's signed answer to a letter: the verdict, the cost, and the state of the account.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::refusal::{ROW_FAULTS_MAX, Refusal, Remedy};

/// The verdict on a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every record is in the central tables.
    Accepted,
    /// No record of the letter is in the central tables, and none will be.
    Refused,
    /// No record of the letter is in the central tables yet. The centre keeps the whole letter until people decide, and then sends another
    /// receipt with a higher attempt.
    Held,
}

/// Code of the reason for which a letter is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldCode {
    /// Rows break a check of severity `hold`, or such a check cannot judge them.
    Check,
    /// The letter has corrections that need the centre's approval.
    Approval,
}

impl HoldCode {
    /// Every code.
    pub const ALL: [HoldCode; 2] = [HoldCode::Check, HoldCode::Approval];

    /// Returns the code as letters and the database write it.
    pub fn as_str(self) -> &'static str {
        match self {
            HoldCode::Check => "check",
            HoldCode::Approval => "approval",
        }
    }
}

/// The reason why a letter is held until people decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Code of the reason.
    pub code: HoldCode,
    /// Checks that rows of the letter break, and checks that cannot judge rows of the letter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Flag>,
}

/// Counts of a letter's rows for one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableReceipt {
    /// The table as named in the letter.
    pub table: String,
    /// Number of rows written.
    pub new: u32,
    /// Number of rows that the centre already had with the same content.
    pub duplicate: u32,
    /// Number of records that the letter's corrections replaced.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replaced: u32,
    /// Number of records that the letter's corrections cancelled.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cancelled: u32,
    /// Number of corrections that are older than the centre's record. They are only in the record's history.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub superseded: u32,
    /// Number of corrections that wait for the centre's approval.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Size of what was read for the office. The records follow the receipt, each part as a letter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadReceipt {
    /// Number of acts that the price counts: records given, or keys answered.
    pub acts: u64,
    /// Number of parts.
    pub parts: u16,
    /// Bytes of the containers of all parts together, as the tariff counts them.
    pub bytes: u64,
}

/// The account after the letter. Amounts are integers in the currency's minor unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountReceipt {
    /// Amount charged for the letter.
    pub cost: i64,
    /// Balance after the letter; a negative balance is a debt.
    pub balance: i64,
    /// ISO 4217 code of the currency.
    pub currency: String,
}

/// Rows of one table that break one check, or that the check cannot judge. Operators see the flag of an accepted letter until somebody
/// explains it (FORMAT.md, Checks). The flag of a held letter is the reason why the letter is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// The table as named in the letter.
    pub table: String,
    /// Code of the check, given by its table.
    pub check: String,
    /// Whether the check cannot judge the rows, because an operand is NULL or a referenced row is missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unjudged: bool,
    /// The first rows that the flag concerns, at most [`ROW_FAULTS_MAX`].
    pub rows: Vec<FlaggedRow>,
    /// Number of all rows that the flag concerns.
    pub rows_total: u32,
}

/// A row of a [`Flag`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlaggedRow {
    /// Row within its table in the letter, counted from 1.
    pub row: u32,
    /// The calculation of the check with the figures of the row.
    pub arithmetic: String,
}

impl Flag {
    /// Makes a flag without rows.
    pub fn new(table: &str, check: &str, unjudged: bool) -> Flag {
        Flag { table: table.to_owned(), check: check.to_owned(), unjudged, rows: Vec::new(), rows_total: 0 }
    }

    /// Adds a row. `arithmetic` is called only for the first [`ROW_FAULTS_MAX`] rows, because a letter may have a hundred thousand rows.
    pub fn add(&mut self, row: u32, arithmetic: impl FnOnce() -> String) {
        self.rows_total = self.rows_total.saturating_add(1);
        if self.rows.len() < ROW_FAULTS_MAX {
            self.rows.push(FlaggedRow { row, arithmetic: arithmetic() });
        }
    }
}

fn first_epoch() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_first_epoch(epoch: &u32) -> bool {
    *epoch == 1
}

/// The body of a receipt. After the commit it never changes: a letter that arrives again is answered with the same octets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// UUID of the letter answered; absent where its payload could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letter: Option<Uuid>,
    /// SHA-256 of the letter's signed octets, lower-case hexadecimal.
    pub digest: String,
    /// The letter's sequence number; absent where its payload could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The attempt that this receipt answers, counted from 1. A letter may have several receipts, and mail may bring them in any order. The
    /// one with the highest epoch is valid, and within an epoch the one with the highest attempt.
    pub attempt: u16,
    /// Number of the life (epoch) of the centre's database. A restore from a backup begins a new epoch, in which attempts are counted from
    /// 1 again. The member is absent in the first epoch.
    #[serde(default = "first_epoch", skip_serializing_if = "is_first_epoch")]
    pub epoch: u32,
    /// The verdict on the letter.
    pub verdict: Verdict,
    /// Reason of the refusal; absent where the letter was not refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Advice to the office about the refusal; absent where the letter was not refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
    /// Reason for which the letter is held; absent where it is not held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Rows of the letter, counted by table; empty unless the letter is accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<TableReceipt>,
    /// Flags of an accepted letter. Somebody has to explain each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// Size of what was read for the office; absent where the letter did not ask for records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<ReadReceipt>,
    /// The account after the letter.
    pub account: AccountReceipt,
    /// Highest sequence number among the letters of this installation that the centre has.
    pub highest_sequence: u64,
    /// Moment at which the centre received the letter, by the centre's clock.
    pub received: DateTime<Utc>,
    /// The letter's own time less the time of its arrival, in seconds. It is the skew of the office's clock less the time that the letter
    /// travelled. It is absent where the payload could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew_seconds: Option<i64>,
}
