//! A part of the records that were read for an office. Each part is a letter of its own, separate from the receipt.
//!
//! A part is written before the office's letter is charged, so a part says nothing about the account. A part never changes: an office that
//! did not get a part asks for it again, and gets the same octets even if the records have changed since. The office sees that no part is
//! missing by the receipt, which has the number of parts, and by the last part, which is marked as the last.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Addressee;
use super::results::Results;
use super::rows::{Estimate, Rows};
use crate::letter::Mode;
use crate::service::Service;

/// A part of an answer. Module `payload` reads and writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// All members of the part except the body.
    pub head: PartHead,
    /// The content of the part's body.
    pub content: PartContent,
}

/// All members of a part except the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHead {
    /// Format version.
    pub sdc: u16,
    /// UUIDv7 made by the centre, the same in every resend.
    pub id: Uuid,
    /// The server's name.
    pub from: String,
    /// The addressee.
    pub to: Addressee,
    /// Moment at which the records were read, by the centre's clock.
    pub time: DateTime<Utc>,
    /// The server's mode.
    pub mode: Mode,
    /// The letter that the part answers.
    pub answers: Answered,
    /// The service that returns the part.
    pub service: Service,
    /// Number of the part, from 1.
    pub part: u16,
    /// Whether the part is the last of its answer.
    pub last: bool,
}

/// Names the office's letter that a part answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// UUID of the letter.
    pub letter: Uuid,
    /// SHA-256 of the letter's signed octets, lower-case hexadecimal.
    pub digest: String,
}

/// The body of a part, by service. Its JSON is the body alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PartContent {
    /// Records of one table.
    Rows(Rows),
    /// Number, size and price of the records that a selection would return, instead of the records.
    Estimate(Estimate),
    /// Results for the keys that an office wants certified.
    Results(Results),
}

impl PartContent {
    /// Returns the service that returns this content.
    pub fn service(&self) -> Service {
        match self {
            PartContent::Rows(_) | PartContent::Estimate(_) => Service::Import,
            PartContent::Results(_) => Service::Certify,
        }
    }
}
