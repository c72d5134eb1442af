//! A letter from the centre. It is nearly always the answer to a letter of an office: a receipt and, if the service returns data, a body.
//! Each kind of body is a type in a file of its own. A letter that the centre sends unasked is a notice.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::letter::{Matricule, Mode};
use crate::service::Service;
use certificate::IssuedCertificate;
use notice::Notice;
use part::Part;
use profile::Profile;
use receipt::Receipt;
use statement::Statement;

pub mod certificate;
pub mod notice;
pub mod part;
pub mod profile;
pub mod receipt;
pub mod results;
pub mod rows;
pub mod sealed;
pub mod statement;

/// The agency and installation to which the centre writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addressee {
    /// The agency.
    pub agency: Matricule,
    /// The installation; absent where the office's letter did not name an installation of its agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation: Option<String>,
}

/// A letter from the centre to an office.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one is read at a time, and taken apart at once")]
pub enum CentreLetter {
    /// The answer to a letter of the office.
    Answer(Answer),
    /// A part of the records that were read for a letter of the office.
    Part(Part),
    /// A notice, which the centre sends unasked.
    Notice(Notice),
}

/// The answer to a letter. Module `payload` reads and writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Format version.
    pub sdc: u16,
    /// UUIDv7 made by the centre, the same in every resend.
    pub id: Uuid,
    /// The server's name.
    pub from: String,
    /// The addressee.
    pub to: Addressee,
    /// Moment at which the centre wrote the answer, by the centre's clock.
    pub time: DateTime<Utc>,
    /// The server's mode.
    pub mode: Mode,
    /// The receipt.
    pub receipt: Receipt,
    /// The body beside the receipt, or one part of it; absent where the service returns only a receipt.
    pub body: Option<AnswerBody>,
}

/// Data that an answer has beside its receipt. Large data is divided into parts, each in a container of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerBody {
    /// Number of this part, from 1.
    pub part: u16,
    /// Number of parts that the body is divided into.
    pub parts: u16,
    /// The data of this part.
    pub content: AnswerContent,
}

/// The data of an answer's body, by service. Its JSON is the body alone; the answer has the service's name in another member.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AnswerContent {
    /// The statement of an account.
    Statement(Statement),
    /// The agency's own data.
    Profile(Profile),
    /// The new certificate of an office whose former certificate is about to end.
    Renewed(IssuedCertificate),
    /// The certificate of a newly enrolled installation.
    Enrolled(IssuedCertificate),
}

impl AnswerContent {
    /// Returns the service that returns these data.
    pub fn service(&self) -> Service {
        match self {
            AnswerContent::Statement(_) => Service::Account,
            AnswerContent::Profile(_) => Service::Profile,
            AnswerContent::Renewed(_) => Service::Renew,
            AnswerContent::Enrolled(_) => Service::Enrol,
        }
    }
}
