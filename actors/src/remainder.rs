//! The remainder is a whole mail with more documents than were read, together with the agency that signed one of its letters.
//!
//! Such a mail may contain letters of an office behind the first hundred documents, and is their only copy. So the whole mail is kept once
//! each letter that was read has an outcome. The mail is recorded as an agency's if one of these letters was signed with a registered key
//! that is not revoked. The claim proves nothing, and neither does a letter that can merely be opened: anybody can write both.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use sdc::letter::Matricule;

use crate::provenance::Settleable;

/// A mail of which not all documents were read. Once each letter that was read has an outcome, the whole mail is kept. If this value is
/// dropped before that, the mail is withheld: it stays in its source and is fetched again.
pub struct Remainder {
    letters_without_outcome: AtomicUsize,
    signer: OnceLock<Matricule>,
    mail: Mutex<Option<Settleable>>,
}

impl Remainder {
    /// Keeps the mail until `letters` of its letters have an outcome.
    pub fn new(mail: Settleable, letters: usize) -> Remainder {
        let letters_without_outcome = AtomicUsize::new(letters);
        Remainder { letters_without_outcome, signer: OnceLock::new(), mail: Mutex::new(Some(mail)) }
    }

    /// Records the outcome of one letter: the agency that signed it, or `None` where no known agency did. Must be called once per letter.
    /// The call for the last letter returns the mail.
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
