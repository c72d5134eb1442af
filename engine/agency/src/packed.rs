//! A letter as it leaves the office.

use std::fmt;

use sdc::digest::Digest;
use uuid::Uuid;

/// A sealed letter: kept until it is answered, and resent unchanged.
#[derive(Clone)]
pub struct Packed {
    /// The letter's id.
    pub letter_id: Uuid,
    /// Its number.
    pub sequence: u64,
    /// SHA-256 of its signed octets.
    pub digest: Digest,
    /// The document that travels.
    pub document: Vec<u8>,
    /// The signed structure inside.
    pub(crate) signed: Vec<u8>,
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packed({}, {} bytes)", self.letter_id, self.document.len())
    }
}
