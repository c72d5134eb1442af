//! The signed octets of a letter or an answer: JSON, or the same JSON in one zstd frame. An office sends the smaller of the two.
//!
//! Reading is strict, because readers that differ about one octet differ about what was signed. There is one frame, one form of text,
//! integers only and Unicode NFC; no member may be unknown or repeated. [`PayloadLimits`] has every limit. A refusal says where the fault
//! is and what was expected, never the value, which is personal data.

use thiserror::Error;
use uuid::Uuid;

use crate::answer::notice::Notice;
use crate::answer::part::{Part, PartHead};
use crate::answer::{Answer, CentreLetter};
use crate::letter::{Letter, Mode, Office};
use crate::refusal::Refusal;

mod compression;
mod dictionary;
mod read;
mod write;

pub use crate::limits::PayloadLimits;
pub use compression::{form, pack, pack_as, unpack, unpacked_bytes};

/// How a payload is packed. An answer is packed as its letter was, because an office that has only common tools can read only JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadForm {
    /// Plain JSON.
    Json,
    /// One zstd frame.
    Frame {
        /// Number of the frame's dictionary, whether that dictionary is published or not; 0 where the frame has none.
        dictionary: u32,
    },
}

/// The members that identify a letter. They are read even where the rest of the letter is wrong, so that the refusal can say which letter
/// it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterKey {
    /// The letter's id.
    pub id: Uuid,
    /// The sender as the letter states it; whether the signer may write for this sender has not been checked yet.
    pub from: Office,
    /// Name of the server that the letter is addressed to.
    pub to: String,
    /// The sequence number.
    pub sequence: u64,
    /// Whether the letter is a rehearsal or is meant to take effect.
    pub mode: Mode,
}

/// An error: the letter's form is wrong, so the letter is refused whatever records the centre has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{refusal}")]
pub struct Unreadable {
    /// The refusal, with the place of the fault in the letter.
    pub refusal: Refusal,
    /// Key of the letter; `None` where one of its members could not be read. It is boxed to keep this rare error small.
    pub key: Option<Box<LetterKey>>,
}

/// Writes a letter as the octets to be signed. An office keeps the sealed octets and sends them again unchanged.
///
/// # Errors
///
/// The centre would refuse the letter; the error is the centre's refusal.
pub fn write_letter(letter: &Letter, limits: &PayloadLimits) -> Result<Vec<u8>, Refusal> {
    let json = to_json(letter);
    read_letter(&json, limits).map_err(|unreadable| unreadable.refusal)?;
    let octets = pack(&json);
    // The centre refuses a frame that unpacks to too many times its own size. A letter whose rows all repeat one value compresses that far,
    // so it is written as JSON.
    if unpack(&octets, limits).is_ok() { Ok(octets) } else { Ok(json) }
}

/// Writes an answer as the octets to be signed, in the form of the letter that it answers.
pub fn write_answer(answer: &Answer, form: PayloadForm) -> Vec<u8> {
    compression::pack_as(to_json(answer), form)
}

/// Writes a part of an answer as the octets to be signed, in the form of the letter that the part answers. `body` is the JSON of the part's
/// body.
pub fn write_part(head: &PartHead, body: &[u8], form: PayloadForm) -> Vec<u8> {
    let mut json = to_json(head);
    // The head's JSON is an object that has members, so the body is appended as its last member.
    json.pop();
    json.reserve(body.len() + 16);
    json.extend_from_slice(b",\"body\":");
    json.extend_from_slice(body);
    json.push(b'}');
    compression::pack_part(json, form, head.part)
}

/// Reads a part of an answer from its signed octets.
///
/// # Errors
///
/// `compression_malformed`, `payload_malformed` or `version_unsupported`.
pub fn read_part(octets: &[u8], limits: &PayloadLimits) -> Result<Part, Refusal> {
    read::part(&unpack(octets, limits)?, limits)
}

/// Writes a notice as JSON. The notice is packed ([`pack_as`]) only when it is sent, in the form that its installation used last.
pub fn write_notice(notice: &Notice) -> Vec<u8> {
    to_json(notice)
}

/// Reads a letter from its signed octets.
///
/// # Errors
///
/// `compression_malformed`, `payload_malformed`, `version_unsupported` or `service_unknown`.
pub fn read_letter(octets: &[u8], limits: &PayloadLimits) -> Result<Letter, Unreadable> {
    match unpack(octets, limits) {
        Ok(json) => read::letter(&json, limits),
        Err(refusal) => Err(Unreadable { refusal, key: None }),
    }
}

/// Reads an answer from its signed octets.
///
/// # Errors
///
/// `compression_malformed`, `payload_malformed` or `version_unsupported`.
pub fn read_answer(octets: &[u8], limits: &PayloadLimits) -> Result<Answer, Refusal> {
    read::answer(&unpack(octets, limits)?, limits)
}

/// Reads a letter of the centre from its signed octets: an answer, a part of one, or a notice.
///
/// # Errors
///
/// `compression_malformed`, `payload_malformed` or `version_unsupported`.
pub fn read_centre_letter(octets: &[u8], limits: &PayloadLimits) -> Result<CentreLetter, Refusal> {
    read::centre_letter(&unpack(octets, limits)?, limits)
}

#[expect(clippy::expect_used, reason = "these types have text keys and finite numbers only, and memory has no errors")]
fn to_json(document: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("letters and answers have a JSON form")
}

#[cfg(test)]
mod tests;
