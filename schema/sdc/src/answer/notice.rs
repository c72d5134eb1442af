//! A notice: a letter that the centre sends unasked. The notices to an installation are numbered, so that the office sees whether one is
//! missing, and processes each only once, even where it arrives several times.

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

/// Value of the member `service` in a notice. In an answer the member is the name of the service that returns the body.
pub const NOTICE: &str = "notice";

/// A letter that the centre sends unasked. Module `payload` reads and writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Format version.
    pub sdc: u16,
    /// UUIDv7 made by the centre, the same in every resend.
    pub id: Uuid,
    /// The server's name.
    pub from: String,
    /// The installation that is the addressee.
    pub to: Office,
    /// Moment at which the notice was written, by the centre's clock.
    pub time: DateTime<Utc>,
    /// The server's mode.
    pub mode: Mode,
    /// Number of the notice among the notices to its installation, from 1 without gaps.
    pub number: u64,
    /// The content of the notice.
    pub content: NoticeContent,
}

/// The content of a notice, by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NoticeContent {
    /// The certificate with which the installation signs ends soon, so the installation must renew it in time.
    CertificateEnds {
        /// SHA-256 of the certificate, lower-case hexadecimal.
        certificate: String,
        /// Last moment of the certificate's validity.
        ends: DateTime<Utc>,
        /// Whole days left, by the centre's clock.
        days: u16,
    },
    /// The centre will soon sign with another key: the office must trust this certificate in addition to the present one. This notice,
    /// like every notice, is signed with the present key.
    CentreCertificate {
        /// The certificate's DER in base64.
        certificate: String,
    },
    /// The current definition of a table, sent so that an office can check its records before it packs them.
    Definitions(TableDefinition),
    /// A message of an operator.
    Message {
        /// UUID of the message. The UUID of a thread's first message is also the name of the thread.
        message: Uuid,
        /// Name of the thread: the UUID of its first message.
        thread: Uuid,
        /// Text of the message, in lines.
        text: String,
    },
    /// The outcome of a change of the profile for which an office has asked.
    Profile {
        /// UUID of the letter that asked for the change.
        letter: Uuid,
        /// The outcome of the change.
        outcome: ProfileOutcome,
        /// Why the change was refused, in the operator's words; absent where the change was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The profile after the operator's decision.
        profile: Profile,
    },
    /// The centre has lost letters, mostly because its database was restored from a backup. The office must send its letters from sequence
    /// number `from` on again, unchanged.
    Resend {
        /// First sequence number to send again.
        from: u64,
    },
    /// The statement of the account, sent by an operator.
    Statement {
        /// The statement.
        statement: Statement,
    },
}

/// A table as the centre has adopted it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableDefinition {
    /// The application to which the table belongs.
    pub application: String,
    /// The table's name in letters.
    pub table: String,
    /// Version of the definition; the definition with the highest version is in force.
    pub version: u32,
    /// The columns of the table's legal key.
    pub legal_key: Vec<String>,
    /// The column whose codes must be granted to the agency; absent where the table has no scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Rule for corrections: `never`, `after_approval` or `by_agency`.
    pub corrections: String,
    /// Columns of the table, each a JSON object of `name`, `type`, `nullable`, `has_default` and the bounds of the type.
    pub columns: Vec<Value>,
}

/// Outcome of a change of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileOutcome {
    /// The change is made.
    Made,
    /// An operator refused the change, so the profile stays as it was.
    Refused,
}

impl NoticeContent {
    /// Makes the notice about a certificate, in DER, with which the centre will soon sign.
    pub fn announcing(certificate: &[u8]) -> NoticeContent {
        NoticeContent::CentreCertificate { certificate: BASE64.encode(certificate) }
    }

    /// Reads the certificate that the notice announces; none where the notice is of another kind.
    ///
    /// # Errors
    /// `payload_malformed`: the announced octets are no certificate.
    pub fn announced(&self) -> Result<Option<RegisteredCertificate>, Refusal> {
        let NoticeContent::CentreCertificate { certificate } = self else { return Ok(None) };
        let der = BASE64.decode(certificate).ok();
        let read = der.and_then(|der| RegisteredCertificate::from_der(&der).ok());
        read.map(Some).ok_or_else(|| malformed("body.certificate", Expected::CertificateInBase64))
    }

    /// Returns the name of the notice's kind.
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
