//! One typed message per arrow of the flow, in the order of the flow. The type says what has been proven.
//!
//! ```text
//! MailboxPoller ──Fetched──▶ SdcDecoder ──OpenedContainer──▶ SignatureVerifier ──VerifiedLetters──▶ TableWriter
//!                              ▲   └───────────Rejected──────────────┴──────────────Rejected──────────▶ │
//!                              │                                                                        │ WrittenBatch
//!                              │                                                                        │ TakenApart
//!                          Concluded                                                                    ▼
//!                   (upstream: see `trial`)                                  Exporter ◀──Posted── BillingLedger
//! ```

use std::sync::Arc;

use actix::Message;
use sdc::letter::Matricule;
use store::settle::{Apart, Written};

use crate::claims::{Claims, Lane};
use crate::custody::{Letters, Share};
use crate::metrics::ActorMetrics;
use crate::proof::Proof;
use crate::provenance::{Duty, Provenance, Settleable};
use crate::remainder::Remainder;
use crate::transport::{Form, NoContainer};
use crate::trial::Trial;
use crate::writer_time::Booking;

/// A mail has been fetched; nothing in it is believed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Fetched {
    /// The mail as it came; the first part of an over-size one.
    pub mail: Vec<u8>,
    /// Whole size in bytes of an over-size mail, of which only the first part was fetched; `None` for other mail.
    pub over_size_bytes: Option<u64>,
    /// Whether the octets are a mail or a single document.
    pub form: Form,
    /// Source of the mail, and its time of arrival.
    pub provenance: Provenance,
    /// Lane of the mail's claim when the mail was fetched.
    pub lane: Lane,
    /// Whether the mail was posted, so that its sender sees how it is answered and when. Its lane then does not depend on whether the
    /// agency is known.
    pub is_posted: bool,
    /// The trial, if this mail is the one that is being tried for its claim; otherwise `None`.
    pub trial: Option<Trial>,
    /// What to do with a mail that holds no container.
    pub no_container: NoContainer,
    /// Whether the mail has failed three times when tried alone. If so, it is not opened again.
    pub is_poison: bool,
    /// The duty to settle the mail.
    pub share: Share,
}

impl Letters for Fetched {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.share.enter(actor);
    }
}

impl Fetched {
    /// Reports that the mail has an outcome, so that its trial has a result.
    pub fn conclude(&self) {
        self.trial.iter().for_each(Trial::conclude);
    }

    /// Returns the lane that a claim of this mail has now.
    pub fn lane_now(&self, claims: &Claims, claim: Matricule) -> Lane {
        if self.is_posted { claims.lane_of_posted(Some(claim)) } else { claims.lane(Some(claim)) }
    }
}

/// One container of a mail, and the duty to settle it.
pub struct Carried {
    /// Source of the container's mail, and its time of arrival.
    pub provenance: Provenance,
    /// What the containers of the mail prove together. It becomes `None` as soon as the signer of this container is known.
    pub proof: Option<Arc<Proof>>,
    /// The whole mail, if not all of it was searched for containers: the rest may hold letters of which there is no other copy.
    pub remainder: Option<Arc<Remainder>>,
    /// The container's original bytes.
    pub container: Vec<u8>,
    /// The duty to settle the container.
    pub share: Share,
}

impl Carried {
    /// Records which known agency has signed the container, or that none has. The call for the last container of the mail judges the mail's
    /// claim. If the mail was not searched to its end and must be kept whole, this call also returns the mail, to be sent to a writer.
    pub fn conclude(&mut self, signer: Option<Matricule>) -> Option<Rejected> {
        if let Some(proof) = self.proof.take() {
            proof.conclude(signer);
        }
        self.remainder.take().and_then(|remainder| remainder.conclude(signer)).map(Rejected)
    }
}

/// A container has been decrypted. The name of its signer is known but not proven.
#[derive(Message)]
#[rtype(result = "()")]
pub struct OpenedContainer {
    /// Decrypted contents of the envelope.
    pub opened: sdc::cms::Opened,
    /// Size of the document in bytes as this program would render it, independent of the encoding in which it was sent.
    pub rendered_bytes: usize,
    /// The container, with its provenance and its share.
    pub carried: Carried,
}

impl Letters for OpenedContainer {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.carried.share.enter(actor);
    }
}

/// Letters whose signatures by registered keys are verified and whose payloads have been read.
#[derive(Message)]
#[rtype(result = "()")]
pub struct VerifiedLetters(pub Vec<Settleable>);

impl Letters for VerifiedLetters {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.0.iter_mut().for_each(|letter| letter.duty.share.enter(actor));
    }
}

/// A container, or a whole mail, that no registered key has signed. None of its contents has been parsed, and its sender gets no answer.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Rejected(pub Settleable);

impl Letters for Rejected {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.0.duty.share.enter(actor);
    }
}

/// A batch that is decided and whose rows are written, in a transaction that is still open.
#[derive(Message)]
#[rtype(result = "()")]
pub struct WrittenBatch {
    /// The open transaction.
    pub written: Written,
    /// One duty per arrival of the batch, in its order.
    pub duties: Vec<Duty>,
    /// Divides the time that is spent on the batch among the agencies of its letters: each agency has only a part of a writer's time.
    pub booking: Booking,
}

impl Letters for WrittenBatch {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.duties.iter_mut().for_each(|duty| duty.share.enter(actor));
    }
}

/// A batch that caused a fault and was therefore divided. The letters that could be settled are committed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct TakenApart {
    /// Result of each arrival (a container, or a mail that is kept whole).
    pub apart: Apart,
    /// One duty per arrival of the batch, in its order.
    pub duties: Vec<Duty>,
}

impl Letters for TakenApart {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.duties.iter_mut().for_each(|duty| duty.share.enter(actor));
    }
}

/// A batch was committed, so answers wait in the outbox.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct Posted;
