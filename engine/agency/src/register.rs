//! The data that an office must store: the number of its next letter, the letters that it has sent with their answers, the notices that
//! have arrived, and the centre's certificates that it accepts in addition to those of its setup.
//!
//! [`crate::office::Office`] itself stores nothing. If an office is to survive a crash, its register must write to disk before a method
//! returns.

use std::collections::BTreeSet;
use std::error::Error;

use sdc::answer::receipt::Verdict;
use sdc::digest::Digest;
use uuid::Uuid;

use crate::packed::Packed;

/// Storage of the data that one installation must not lose.
pub trait Register {
    /// Takes the sequence number of the next letter. No number is given twice; a number may stay unused.
    ///
    /// # Errors
    /// The register cannot be written.
    fn next_sequence(&mut self) -> Result<u64, RegisterError>;

    /// Stores a sealed letter before it is sent. An answer is accepted only if the register has its letter.
    ///
    /// # Errors
    /// The register cannot be written.
    fn remember(&mut self, packed: &Packed) -> Result<(), RegisterError>;

    /// Finds a letter by the text of its digest, which receipts state. Returns `None` where the office has not sent the letter.
    ///
    /// # Errors
    /// The register cannot be read.
    fn find_sent(&mut self, digest: &str) -> Result<Option<Sent>, RegisterError>;

    /// Replaces what is known about a letter: its attempt, verdict and parts.
    ///
    /// # Errors
    /// The register cannot be written.
    fn mark(&mut self, sent: &Sent) -> Result<(), RegisterError>;

    /// Returns the largest number up to which every notice has arrived, or 0 if the first has not. Each letter states this number, and the
    /// centre sends the notices with larger numbers again.
    ///
    /// # Errors
    /// The register cannot be read.
    fn seen(&mut self) -> Result<u64, RegisterError>;

    /// Records that the notice with this number has arrived. Returns whether the notice is new.
    ///
    /// # Errors
    /// The register cannot be written.
    fn note(&mut self, number: u64) -> Result<bool, RegisterError>;

    /// Returns the certificates, in DER, that the centre has announced and the office therefore accepts.
    ///
    /// # Errors
    /// The register cannot be read.
    fn pinned(&mut self) -> Result<Vec<Vec<u8>>, RegisterError>;

    /// Records that a certificate, in DER, is accepted. If it is accepted already, nothing changes.
    ///
    /// # Errors
    /// The register cannot be written.
    fn pin(&mut self, certificate: &[u8]) -> Result<(), RegisterError>;
}

/// The stored state of a letter that was sent: its number, and the answers that have arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// SHA-256 of the letter's signed octets.
    pub digest: Digest,
    /// Id of the letter, a UUIDv7.
    pub letter_id: Uuid,
    /// Sequence number of the letter within the installation.
    pub sequence: u64,
    /// Epoch of the centre's database and attempt of the highest answer that has arrived; `None` before the first answer. A higher epoch
    /// replaces a lower one, and within an epoch a higher attempt replaces a lower one.
    pub answered: Option<(u32, u16)>,
    /// Verdict of the receipt with the highest attempt number. While the verdict is `held`, the centre has not decided the letter yet and
    /// will send a further receipt; until then the office does not change the state of the letter's records.
    pub verdict: Option<Verdict>,
    /// Numbers of the parts of the highest attempt's answer that have arrived.
    pub parts: BTreeSet<u16>,
}

impl Sent {
    /// Returns the entry of a letter that has just been sealed.
    pub fn of(packed: &Packed) -> Sent {
        let Packed { digest, letter_id, sequence, .. } = *packed;
        Sent { digest, letter_id, sequence, answered: None, verdict: None, parts: BTreeSet::new() }
    }

    /// Says whether the centre has decided the letter: the verdict is accepted or refused, not held.
    pub fn is_decided(&self) -> bool {
        self.verdict.is_some_and(|verdict| verdict != Verdict::Held)
    }
}

/// A register cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the office's register cannot be used: {0}")]
pub struct RegisterError(#[source] Box<dyn Error + Send + Sync>);

impl RegisterError {
    /// Makes an error with this cause.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> RegisterError {
        RegisterError(cause.into())
    }
}
