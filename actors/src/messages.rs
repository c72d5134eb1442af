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

use crate::claims::Lane;
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
    /// The whole size of an over-size mail, of which only the first part was fetched.
    pub over_size_bytes: Option<u64>,
    /// Whether it is a mail, or a document alone.
    pub form: Form,
    /// Where it came from.
    pub provenance: Provenance,
    /// Which lane its claim had when it was fetched.
    pub lane: Lane,
    /// The trial, if this is the mail of its claim that is being tried.
    pub trial: Option<Trial>,
    /// What to do with a mail that holds no container.
    pub no_container: NoContainer,
    /// Whether the mail has failed three times alone, and is not opened again.
    pub is_poison: bool,
    /// The duty to settle it.
    pub share: Share,
}

impl Letters for Fetched {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.share.enter(actor);
    }
}

impl Fetched {
    /// Says that the mail has an outcome, so that its trial is not void.
    pub fn conclude(&self) {
        self.trial.iter().for_each(Trial::conclude);
    }
}

/// One container of a mail, with the duty to settle it.
pub struct Carried {
    /// Where its mail came from.
    pub provenance: Provenance,
    /// What the containers of its mail prove together; given up once it is known who signed this one.
    pub proof: Option<Arc<Proof>>,
    /// The whole mail, where not all of it was looked into.
    pub remainder: Option<Arc<Remainder>>,
    /// The container's original bytes.
    pub container: Vec<u8>,
    /// The duty.
    pub share: Share,
}

impl Carried {
    /// Says which agency has signed the container, or that no known one has. With the last container of a mail, the mail's claim is judged.
    /// A mail that was not looked into as a whole is then returned, where it is to be kept: it goes to a writer.
    pub fn conclude(&mut self, signer: Option<Matricule>) -> Option<Rejected> {
        if let Some(proof) = self.proof.take() {
            proof.conclude(signer);
        }
        self.remainder.take().and_then(|remainder| remainder.conclude(signer)).map(Rejected)
    }
}

/// A container has been decrypted; its signer is named, not proven.
#[derive(Message)]
#[rtype(result = "()")]
pub struct OpenedContainer {
    /// What was inside the envelope.
    pub opened: sdc::cms::Opened,
    /// Size of the document in bytes as this program would render it, however it was wrapped on the way.
    pub rendered_bytes: usize,
    /// The container.
    pub carried: Carried,
}

impl Letters for OpenedContainer {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.carried.share.enter(actor);
    }
}

/// Registered keys signed the letters: their payloads have been read.
#[derive(Message)]
#[rtype(result = "()")]
pub struct VerifiedLetters(pub Vec<Settleable>);

impl Letters for VerifiedLetters {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.0.iter_mut().for_each(|letter| letter.duty.share.enter(actor));
    }
}

/// A container, or a mail as a whole, that no registered key has signed: nothing of it has been parsed, and its sender is not told.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Rejected(pub Settleable);

impl Letters for Rejected {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.0.duty.share.enter(actor);
    }
}

/// A batch is decided and its rows are written, in a transaction that is open.
#[derive(Message)]
#[rtype(result = "()")]
pub struct WrittenBatch {
    /// The open transaction.
    pub written: Written,
    /// One duty per arrival of the batch, in its order.
    pub duties: Vec<Duty>,
    /// Where the time of the batch is booked.
    pub booking: Booking,
}

impl Letters for WrittenBatch {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.duties.iter_mut().for_each(|duty| duty.share.enter(actor));
    }
}

/// A batch that met a fault of its own has been taken apart: the letters that could be settled are committed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct TakenApart {
    /// What became of each arrival.
    pub apart: Apart,
    /// One duty per arrival of the batch, in its order.
    pub duties: Vec<Duty>,
}

impl Letters for TakenApart {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.duties.iter_mut().for_each(|duty| duty.share.enter(actor));
    }
}

/// A batch is committed: answers wait in the outbox.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct Posted;
