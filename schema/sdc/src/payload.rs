//! The signed octets of a letter or an answer: JSON, or the same JSON in one zstd frame, whichever is smaller.
//!
//! Reading is strict, because two readers that differ on one octet differ on what was signed: one frame, one text
//! form, no member unknown or repeated, integers only, Unicode NFC. Every limit is in [`PayloadLimits`]; a refusal
//! says where and what was expected, never the value, which is personal data.

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

/// How a payload is packed. The answer to a letter is packed as the letter was: an office with stock tools alone reads JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadForm {
    /// JSON as it is.
    Json,
    /// One zstd frame.
    Frame {
        /// The number of its dictionary, whether it is published or not; 0 for none.
        dictionary: u32,
    },
}

/// What names a letter, read even where the rest of it is wrong, so that the office is told which letter it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterKey {
    /// The letter's id.
    pub id: Uuid,
    /// The sender as signed; whether the signer may say so is not known yet.
    pub from: Office,
    /// The server that it was meant for.
    pub to: String,
    /// The sequence number.
    pub sequence: u64,
    /// Rehearsal or in earnest.
    pub mode: Mode,
}

/// A letter that is refused for what it is, whatever the centre holds.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{refusal}")]
pub struct Unreadable {
    /// Why.
    pub refusal: Refusal,
    /// Its key, where every part of that could be read. Boxed, since it is rare.
    pub key: Option<Box<LetterKey>>,
}

/// Writes a letter as the octets to be signed. Those octets are what is kept and sent again.
///
/// # Errors
///
/// The refusal that the centre would answer with: what cannot be read is not written.
pub fn write_letter(letter: &Letter, limits: &PayloadLimits) -> Result<Vec<u8>, Refusal> {
    let json = to_json(letter);
    read_letter(&json, limits).map_err(|unreadable| unreadable.refusal)?;
    let octets = pack(&json);
    // One value in thousands of rows compresses beyond the ratio that a reader admits.
    if unpack(&octets, limits).is_ok() { Ok(octets) } else { Ok(json) }
}

/// Writes an answer as the octets to be signed, in the form of the letter that it answers.
pub fn write_answer(answer: &Answer, form: PayloadForm) -> Vec<u8> {
    compression::pack_as(to_json(answer), form)
}

/// Writes a part of an answer as the octets to be signed, in the form of the letter that it answers. `body` is the JSON of its body.
pub fn write_part(head: &PartHead, body: &[u8], form: PayloadForm) -> Vec<u8> {
    let mut json = to_json(head);
    // Every head is an object with members, and the body is the last of them.
    json.pop();
    json.reserve(body.len() + 16);
    json.extend_from_slice(b",\"body\":");
    json.extend_from_slice(body);
    json.push(b'}');
    compression::pack_as(json, form)
}

/// Reads a part of an answer from its signed octets.
///
/// # Errors
///
/// `compression_malformed`, `payload_malformed` or `version_unsupported`.
pub fn read_part(octets: &[u8], limits: &PayloadLimits) -> Result<Part, Refusal> {
    read::part(&unpack(octets, limits)?, limits)
}

/// Writes a notice as JSON. It is packed ([`pack_as`]) only when it leaves: in the form that its installation used last by then.
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
