//! The centre's signed answer to a letter: what became of it, what it cost, and where the office stands.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::refusal::{Refusal, Remedy};

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every record is in the central tables.
    Accepted,
    /// Nothing of it is.
    Refused,
}

/// Rows of one table that a letter brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableReceipt {
    /// The table as named in the letter.
    pub table: String,
    /// Rows written.
    pub new: u32,
    /// Rows that the centre already held with the same content.
    pub duplicate: u32,
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
    /// Rows by table, where accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<TableReceipt>,
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
