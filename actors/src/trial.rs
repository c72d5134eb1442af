//! One mail of a claim is tried at a time: while it is, its decoder keeps the later mails with the same claim waiting.
//!
//! This is the one arrow of the flow that runs upstream: whoever drops the last part of the tried mail, wherever that is, sends
//! [`Concluded`] back to the decoder.

use std::sync::atomic::{AtomicBool, Ordering};

use actix::{Message, Recipient};
use sdc::letter::Matricule;

/// Makes the other mails of a claim wait in their decoder until it is dropped.
///
/// A trial is void unless every letter of its mail got an outcome. If one got none (a panic, a fault, a verifier that is rebuilt), the
/// mail returns to its mailbox, and the mails that waited behind it return too, so that none overtakes it.
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

    /// Says that every letter of the mail has an outcome.
    pub fn conclude(&self) {
        self.has_outcome.store(true, Ordering::Relaxed);
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let is_void = !*self.has_outcome.get_mut();
        // A decoder that has ended keeps no mail waiting, so it need not be told.
        #[allow(
            clippy::disallowed_methods,
            reason = "bounded by the permits of the mails; a full mailbox must not lose it"
        )]
        self.decoder.do_send(Concluded { claim: self.claim, is_void });
    }
}

/// The trial of a mail has ended: the next mail of its claim may be tried, unless the trial was void.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Concluded {
    /// The claim.
    pub claim: Matricule,
    /// Whether the trial was void: some letter of the mail got no outcome.
    pub is_void: bool,
}
