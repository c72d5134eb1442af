//! A letter from the centre: the answer to a letter of an office.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::letter::{Matricule, Mode};
use receipt::Receipt;

pub mod receipt;

/// To whom the centre writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addressee {
    /// The agency.
    pub agency: Matricule,
    /// The installation; absent where the letter answered did not name one of its agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation: Option<String>,
}

/// A letter from the centre to an office. Read and written by `payload`.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Format version.
    pub sdc: u16,
    /// UUIDv7 made by the centre, kept through every resend.
    pub id: Uuid,
    /// The server's name.
    pub from: String,
    /// The addressee.
    pub to: Addressee,
    /// The centre's clock.
    pub time: DateTime<Utc>,
    /// The server's mode.
    pub mode: Mode,
    /// The receipt.
    pub receipt: Receipt,
}
