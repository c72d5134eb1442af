//! What an office must not forget: the number of its next letter, the letters that it has sent with what is known of them, which
//! notices have come, and whose signatures it believes beside those that it was set up with.
//!
//! The office itself keeps nothing. What a register has said to be kept must be there after a crash as well, where it is to outlive one.

use std::collections::BTreeSet;
use std::error::Error;

use sdc::answer::receipt::Verdict;
use sdc::digest::Digest;
use uuid::Uuid;

use crate::packed::Packed;

/// Keeps the letters of one installation.
pub trait Register {
    /// Takes the number of the next letter. None is ever given twice; some may stay unused.
    ///
    /// # Errors
    /// It cannot be kept.
    fn next_sequence(&mut self) -> Result<u64, RegisterError>;

    /// Writes a sealed letter down, before it is sent: only letters that stand here can be answered.
    ///
    /// # Errors
    /// It cannot be kept.
    fn remember(&mut self, packed: &Packed) -> Result<(), RegisterError>;

    /// Finds a letter by its digest's text, as receipts name it.
    ///
    /// # Errors
    /// It cannot be looked up.
    fn find_sent(&mut self, digest: &str) -> Result<Option<Sent>, RegisterError>;

    /// Writes down what is known of a letter from now on.
    ///
    /// # Errors
    /// It cannot be kept.
    fn mark(&mut self, sent: &Sent) -> Result<(), RegisterError>;

    /// Returns the number up to which every notice has come; 0 where the first has not. Each letter tells it to the centre, which sends
    /// again what is not told of.
    ///
    /// # Errors
    /// It cannot be looked up.
    fn seen(&mut self) -> Result<u64, RegisterError>;

    /// Writes down that the notice of a number has come. Returns whether it had not come before.
    ///
    /// # Errors
    /// It cannot be kept.
    fn note(&mut self, number: u64) -> Result<bool, RegisterError>;

    /// Returns the certificates, in DER, that the centre announced and the office believes from then on.
    ///
    /// # Errors
    /// They cannot be looked up.
    fn pinned(&mut self) -> Result<Vec<Vec<u8>>, RegisterError>;

    /// Writes down that a certificate is believed. One that is believed already changes nothing.
    ///
    /// # Errors
    /// It cannot be kept.
    fn pin(&mut self, certificate: &[u8]) -> Result<(), RegisterError>;
}

/// A letter that waits for its answer, or has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// SHA-256 of its signed octets.
    pub digest: Digest,
    /// Its id.
    pub letter_id: Uuid,
    /// Its number.
    pub sequence: u64,
    /// The highest attempt that has been answered.
    pub attempt: Option<u16>,
    /// What it says of the letter: of one that is held a further attempt will say more, so its records stay as they are.
    pub verdict: Option<Verdict>,
    /// The parts of that answer which have come.
    pub parts: BTreeSet<u16>,
}

impl Sent {
    /// Returns what is known of a letter that has just been sealed.
    pub fn of(packed: &Packed) -> Sent {
        let Packed { digest, letter_id, sequence, .. } = *packed;
        Sent { digest, letter_id, sequence, attempt: None, verdict: None, parts: BTreeSet::new() }
    }

    /// Says whether the centre has decided of it: it is answered, and not held.
    pub fn is_decided(&self) -> bool {
        self.verdict.is_some_and(|verdict| verdict != Verdict::Held)
    }
}

/// A register cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the office's register cannot be used: {0}")]
pub struct RegisterError(#[source] Box<dyn Error + Send + Sync>);

impl RegisterError {
    /// Says why.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> RegisterError {
        RegisterError(cause.into())
    }
}
