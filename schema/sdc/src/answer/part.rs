//! A part of what was read for an office: a letter of its own, beside the receipt.
//!
//! It is written before the letter is settled, so it says nothing of the account, and it never changes: asked for again, it is the
//! same octets, whatever has become of the records. How many parts there are is told by the receipt, and by the last one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Addressee;
use super::results::Results;
use super::rows::{Estimate, Rows};
use crate::letter::Mode;
use crate::service::Service;

/// A part of an answer. Read and written by `payload`.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// All but the body.
    pub head: PartHead,
    /// What it gives.
    pub content: PartContent,
}

/// All of a part but its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHead {
    /// Format version.
    pub sdc: u16,
    /// UUIDv7 made by the centre, kept through every resend.
    pub id: Uuid,
    /// The server's name.
    pub from: String,
    /// The addressee.
    pub to: Addressee,
    /// The centre's clock when it was read.
    pub time: DateTime<Utc>,
    /// The server's mode.
    pub mode: Mode,
    /// The letter that it answers.
    pub answers: Answered,
    /// The service that gives it.
    pub service: Service,
    /// Its number, from 1.
    pub part: u16,
    /// Whether it is the last.
    pub last: bool,
}

/// A letter that is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// Its id.
    pub letter: Uuid,
    /// SHA-256 of its signed octets, lower-case hexadecimal.
    pub digest: String,
}

/// The body of a part, by service. As JSON it is the body alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PartContent {
    /// Records.
    Rows(Rows),
    /// What a selection would give.
    Estimate(Estimate),
    /// What was found of each key.
    Results(Results),
}

impl PartContent {
    /// Returns the service that gives it.
    pub fn service(&self) -> Service {
        match self {
            PartContent::Rows(_) | PartContent::Estimate(_) => Service::Import,
            PartContent::Results(_) => Service::Certify,
        }
    }
}
