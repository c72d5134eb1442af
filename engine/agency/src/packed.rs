//! A sealed letter, ready to be sent by the office.

use std::fmt;

use sdc::digest::Digest;
use uuid::Uuid;

/// A sealed letter. It is kept until it is answered, and sent again unchanged.
#[derive(Clone)]
pub struct Packed {
    /// The letter's id.
    pub letter_id: Uuid,
    /// Sequence number of the letter.
    pub sequence: u64,
    /// SHA-256 of the letter's signed octets.
    pub digest: Digest,
    /// Octets of the document that is sent.
    pub document: Vec<u8>,
    /// Signed structure in the document's envelope.
    pub(crate) signed: Vec<u8>,
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packed({}, {} bytes)", self.letter_id, self.document.len())
    }
}
