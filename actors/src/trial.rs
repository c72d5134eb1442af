//! A trial opens and verifies one of several mails that claim the same agency. Meanwhile the decoder keeps later mails with this claim
//! waiting, because the result decides their lane.
//!
//! The message [`Concluded`] is the only one that runs against the flow: the actor that drops the last part of the tried mail sends it to
//! the decoder.

use std::sync::atomic::{AtomicBool, Ordering};

use actix::{Message, Recipient};
use sdc::letter::Matricule;

/// Makes the other mails of a claim wait in their decoder, until this value is dropped.
///
/// A trial is void unless every letter of its mail got an outcome. A letter gets none after a panic, after a fault, or when a verifier is
/// rebuilt. The mail then returns to its mailbox. The mails that waited for the trial return too, so that none of them overtakes it.
pub struct Trial {
    claim: Matricule,
    decoder: Recipient<Concluded>,
    has_outcome: AtomicBool,
}

impl Trial {
    /// Begins a trial of a mail in a decoder.
    pub fn new(claim: Matricule, decoder: Recipient<Concluded>) -> Trial {
        Trial { claim, decoder, has_outcome: AtomicBool::new(false) }
    }

    /// Records that every letter of the mail has an outcome.
    pub fn conclude(&self) {
        self.has_outcome.store(true, Ordering::Relaxed);
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let is_void = !*self.has_outcome.get_mut();
        // A decoder that has ended keeps no mail waiting, so a failed send does not matter.
        #[allow(
            clippy::disallowed_methods,
            reason = "bounded by the permits of the mails; a full mailbox must not lose it"
        )]
        self.decoder.do_send(Concluded { claim: self.claim, is_void });
    }
}

/// The trial of a mail has ended. The next mail of its claim may be tried, unless the trial was void.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Concluded {
    /// Claim whose mail was tried.
    pub claim: Matricule,
    /// Whether the trial was void: some letter of the mail got no outcome.
    pub is_void: bool,
}
