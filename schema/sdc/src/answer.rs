//! A letter from the centre. Nearly every one is the answer to a letter of an office: a receipt and, where the service gives something,
//! a body, each kind of which is a type in a file of its own. What the centre writes first is a notice.

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

/// A letter from the centre to an office.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one is read at a time, and taken apart at once")]
pub enum CentreLetter {
    /// The answer to a letter of the office.
    Answer(Answer),
    /// A part of what was read for it.
    Part(Part),
    /// What the centre writes first.
    Notice(Notice),
}

/// The answer to a letter. Read and written by `payload`.
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
    /// What the service gives beside it, or a part of that.
    pub body: Option<AnswerBody>,
}

/// What an answer gives beside its receipt: all of it, or one of its parts, each of which comes in a container of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerBody {
    /// Which part this is, from 1.
    pub part: u16,
    /// How many parts there are.
    pub parts: u16,
    /// What it gives.
    pub content: AnswerContent,
}

/// The body by service. As JSON it is the body alone; the service stands beside it in the answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AnswerContent {
    /// The statement of an account.
    Statement(Statement),
    /// The agency's own data.
    Profile(Profile),
    /// The certificate that takes the place of one that ends.
    Renewed(IssuedCertificate),
    /// The certificate of an installation that is enrolled.
    Enrolled(IssuedCertificate),
}

impl AnswerContent {
    /// Returns the service that gives it.
    pub fn service(&self) -> Service {
        match self {
            AnswerContent::Statement(_) => Service::Account,
            AnswerContent::Profile(_) => Service::Profile,
            AnswerContent::Renewed(_) => Service::Renew,
            AnswerContent::Enrolled(_) => Service::Enrol,
        }
    }
}
