//! The remainder: a mail of more documents than are looked into, kept whole, and the agency that vouches for it.
//!
//! Such a mail may hold letters of an office behind the first hundred documents, and is their only copy. So the mail is kept with its
//! bytes, once each letter taken out of it has an outcome. It is kept as an agency's if one of these letters was signed with a registered
//! key that is not revoked. The claim, and letters that merely open, vouch for nothing: anybody can write both.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use sdc::letter::Matricule;

use crate::provenance::Settleable;

/// A mail that was not looked into as a whole. Where this is dropped before each letter has an outcome, the mail's fate is that of the
/// letters.
pub struct Remainder {
    letters_without_outcome: AtomicUsize,
    signer: OnceLock<Matricule>,
    mail: Mutex<Option<Settleable>>,
}

impl Remainder {
    /// Holds a mail until so many of its letters have an outcome.
    pub fn new(mail: Settleable, letters: usize) -> Remainder {
        let letters_without_outcome = AtomicUsize::new(letters);
        Remainder { letters_without_outcome, signer: OnceLock::new(), mail: Mutex::new(Some(mail)) }
    }

    /// Says of one letter, once, which agency has signed it, or that no known one has. With the last letter, returns the mail.
    pub fn conclude(&self, signer: Option<Matricule>) -> Option<Settleable> {
        if let Some(signer) = signer {
            self.signer.get_or_init(|| signer);
        }
        if self.letters_without_outcome.fetch_sub(1, Ordering::AcqRel) > 1 {
            return None;
        }
        let mut mail = self.mail.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        mail.arrival.source.claimed.signer_beside = self.signer.get().copied();
        Some(mail)
    }
}

impl Drop for Remainder {
    fn drop(&mut self) {
        if let Some(mail) = self.mail.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            mail.duty.share.withhold();
        }
    }
}
