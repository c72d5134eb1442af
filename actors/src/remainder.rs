//! What the limits of a mail leave out of it, and whether an office vouches for that.
//!
//! A mail of more documents than are looked into may hold letters of an office behind the first hundred, and is their only copy. So it
//! is kept with its bytes once each letter taken out of it has an outcome, and as an agency's where one of these was signed
//! with a registered key that nobody has revoked. What it claims, and that its letters open, is within anybody's power.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use sdc::letter::Matricule;

use crate::messages::Settleable;

/// A mail that was not looked into as a whole. Dropped before each of its letters has an outcome it leaves the mail's fate to these.
pub struct Remainder {
    letters_without_outcome: AtomicUsize,
    signer: OnceLock<Matricule>,
    mail: Mutex<Option<Settleable>>,
}

impl Remainder {
    /// Holds a mail until so many letters have an outcome.
    pub fn new(mail: Settleable, letters: usize) -> Remainder {
        let letters_without_outcome = AtomicUsize::new(letters);
        Remainder { letters_without_outcome, signer: OnceLock::new(), mail: Mutex::new(Some(mail)) }
    }

    /// Says of one letter, once, that it is known whose it is: an agency's, or nobody's. Returns the mail with the last.
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
            mail.share.withhold();
        }
    }
}
