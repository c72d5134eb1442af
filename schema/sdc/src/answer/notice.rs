//! A letter that the centre writes first: nobody asked for it. It is numbered for its installation, so that the office sees that none
//! is missing and takes each once, however often it comes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::profile::Profile;
use crate::letter::{Mode, Office};

/// What stands in a notice where answers name the service that gives their body.
pub const NOTICE: &str = "notice";

/// A notice. Read and written by `payload`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Format version.
    pub sdc: u16,
    /// UUIDv7 made by the centre, kept through every resend.
    pub id: Uuid,
    /// The server's name.
    pub from: String,
    /// The installation.
    pub to: Office,
    /// The centre's clock when it was written.
    pub time: DateTime<Utc>,
    /// The server's mode.
    pub mode: Mode,
    /// Its number among the notices to its installation, from 1 without gaps.
    pub number: u64,
    /// What it says.
    pub content: NoticeContent,
}

/// What a notice says, by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NoticeContent {
    /// The certificate that the installation signs with ends: it needs a new one before.
    CertificateEnds {
        /// SHA-256 of the certificate, lower-case hexadecimal.
        certificate: String,
        /// Its last moment.
        ends: DateTime<Utc>,
        /// Whole days left, by the centre's clock.
        days: u16,
    },
    /// What an operator writes.
    Message {
        /// Its id, which names the thread where it begins one.
        message: Uuid,
        /// The thread: the id of its first message.
        thread: Uuid,
        /// What it says, in lines.
        text: String,
    },
    /// What became of a change of the profile that a letter asked for.
    Profile {
        /// The letter.
        letter: Uuid,
        /// What became of it.
        outcome: ProfileOutcome,
        /// Why it was refused, in the operator's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The profile by now.
        profile: Profile,
    },
}

/// What became of a change of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileOutcome {
    /// It is made.
    Made,
    /// An operator refused it: nothing is changed.
    Refused,
}

impl NoticeContent {
    /// Returns its kind's name.
    pub fn kind(&self) -> &'static str {
        match self {
            NoticeContent::CertificateEnds { .. } => "certificate_ends",
            NoticeContent::Message { .. } => "message",
            NoticeContent::Profile { .. } => "profile",
        }
    }
}
