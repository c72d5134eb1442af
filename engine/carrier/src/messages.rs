//! What travels between processes. Members may be added: a process of the former version leaves out what it does not know.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A mail on its way from the process that received it to the one that settles it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// What must be known of the mail beside its octets.
    pub label: Label,
    /// The mail or the document; the first part of an over-size one.
    pub mail: Vec<u8>,
}

/// Transport by which the answer to a parcel's letter leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnsweredBy {
    /// By mail. The parcel is a mail that contains documents.
    Mail,
    /// Over HTTPS. The parcel is a single document.
    Http,
}

/// What must be known of a mail beside its octets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Name of the source that received the mail, as configured.
    pub source: String,
    /// Transport of the answer, and with it the form of the parcel.
    pub answered_by: AnsweredBy,
    /// Time of arrival at the source.
    pub received_at: DateTime<Utc>,
    /// Whole size in bytes of an over-size mail, of which the parcel is the first part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_size_bytes: Option<u64>,
    /// Whether the mail is put into quarantine if it holds no container. Otherwise it is dropped.
    pub is_kept_without_container: bool,
    /// Where the parcel's notice is awaited. `None` where the sender was answered when the parcel was put: then the carrier has the only
    /// copy that this centre knows of, and keeps it until the mail is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaited: Option<Await>,
}

/// Where the notice of a parcel is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Await {
    /// Life of the process that waits. It names the subject.
    pub life: Uuid,
    /// Number of the parcel in that life.
    pub number: u64,
}

/// The fate of a parcel whose sender waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Number of the parcel.
    pub number: u64,
    /// Whether everything in the mail is committed. Otherwise the sender keeps it and sends it again.
    pub is_settled: bool,
    /// The letter whose answer the sender waits for; `None` where there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letter: Option<Letter>,
}

/// A letter that has an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Matricule of the agency that signed the letter.
    pub agency: u32,
    /// The installation that sent the letter; empty if it is not known.
    pub installation: String,
    /// The id under which the letter's verdict is stored.
    pub letter_id: Uuid,
}

/// What a process without a database asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// The answer to a letter that was just settled, and whatever else waits for its installation.
    AnswersTo(Letter),
    /// The answer to a letter, asked for by its name.
    Answer {
        /// Matricule of the agency.
        agency: u32,
        /// Id of the letter.
        letter_id: Uuid,
        /// SHA-256 of the letter's signed octets, in hexadecimal digits.
        digest: String,
        /// Number of the attempt; the last one where it is `None`.
        attempt: Option<i16>,
        /// Number of the part; the first one where it is `None`.
        part: Option<i16>,
    },
}
