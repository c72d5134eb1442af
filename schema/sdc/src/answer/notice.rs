//! A letter that the centre writes first: nobody asked for it. It is numbered for its installation, so that the office sees that none
//! is missing and takes each once, however often it comes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::profile::Profile;
use super::statement::Statement;
use crate::expected::Expected;
use crate::json::malformed;
use crate::keys::RegisteredCertificate;
use crate::letter::{Mode, Office};
use crate::refusal::Refusal;

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
    /// The centre is about to sign with another key: this certificate is believed beside the present one. It is signed with the key of
    /// now, as every notice is.
    CentreCertificate {
        /// The certificate's DER in base64.
        certificate: String,
    },
    /// What a table of the centre is by now, before an office packs records for it.
    Definitions(TableDefinition),
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
    /// The centre has lost letters, in a restore mostly: the office sends those again whose number is this or a higher one, as they are.
    Resend {
        /// The first number.
        from: u64,
    },
    /// The statement of the account that an operator sends.
    Statement {
        /// It.
        statement: Statement,
    },
}

/// A table as the centre has adopted it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableDefinition {
    /// The application that the table is of.
    pub application: String,
    /// Its name in letters.
    pub table: String,
    /// Its version: of several definitions that with the highest holds.
    pub version: u32,
    /// The columns of its legal key.
    pub legal_key: Vec<String>,
    /// The column whose codes must be granted to the agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// `never`, `after_approval` or `by_agency`.
    pub corrections: String,
    /// Its columns, each an object of `name`, `type`, `nullable`, `has_default` and what bounds the type.
    pub columns: Vec<Value>,
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
    /// Announces a certificate, in DER, that the centre is about to sign with.
    pub fn announcing(certificate: &[u8]) -> NoticeContent {
        NoticeContent::CentreCertificate { certificate: BASE64.encode(certificate) }
    }

    /// Reads the certificate that the centre announces, where it does.
    ///
    /// # Errors
    /// `payload_malformed`: it is none.
    pub fn announced(&self) -> Result<Option<RegisteredCertificate>, Refusal> {
        let NoticeContent::CentreCertificate { certificate } = self else { return Ok(None) };
        let der = BASE64.decode(certificate).ok();
        let read = der.and_then(|der| RegisteredCertificate::from_der(&der).ok());
        read.map(Some).ok_or_else(|| malformed("body.certificate", Expected::CertificateInBase64))
    }

    /// Returns its kind's name.
    pub fn kind(&self) -> &'static str {
        match self {
            NoticeContent::CertificateEnds { .. } => "certificate_ends",
            NoticeContent::CentreCertificate { .. } => "centre_certificate",
            NoticeContent::Definitions(_) => "definitions",
            NoticeContent::Message { .. } => "message",
            NoticeContent::Profile { .. } => "profile",
            NoticeContent::Resend { .. } => "resend",
            NoticeContent::Statement { .. } => "statement",
        }
    }
}
