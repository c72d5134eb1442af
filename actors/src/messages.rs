//! One typed message per arrow of the flow, in the order of the flow. The type says what has been proven.
//!
//! ```text
//! MailboxPoller ─Fetched─▶ SdcDecoder ─Opened─▶ SignatureVerifier ─Verified─▶ TableWriter ─Written─▶ BillingLedger ─Posted─▶ Exporter
//!                              └──────────Rejected────┴─────Rejected──────────────▲
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use actix::{Message, Recipient};
use chrono::{DateTime, Utc};
use sdc::letter::Matricule;
use store::settle::{self, Arrival, Source};

use crate::admission::lanes::Lane;
use crate::at_work::MailName;
use crate::custody::Share;
use crate::metrics::ActorMetrics;
use crate::payload_room::Unpacked;
use crate::proof::Proof;
use crate::remainder::Remainder;
use crate::shares::Booking;
use crate::table_writer::TableWriters;
use crate::transport::Form;

/// A message that carries letters.
pub trait Letters {
    /// Counts them with an actor, and no longer with the one before it.
    fn enter(&mut self, actor: &ActorMetrics);
}

/// A mail has been fetched; nothing in it is believed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Fetched {
    /// The mail as it came; the first part of an over-size one.
    pub mail: Vec<u8>,
    /// Its size where only the first part was fetched.
    pub over_size_bytes: Option<u64>,
    /// Whether it is a mail, or a document alone.
    pub form: Form,
    /// Which mail it is.
    pub name: MailName,
    /// Where it came from.
    pub source: Source,
    /// When it was taken in hand, by the centre's clock.
    pub received_at: DateTime<Utc>,
    /// The same by the monotonic clock, for latencies.
    pub taken_at: Instant,
    /// The agency that it mentions.
    pub claim: Option<Matricule>,
    /// Which queue it waits in: how its claim stood when it was fetched.
    pub lane: Lane,
    /// Held by the one mail of a claim that is being tried.
    pub trial: Option<Trial>,
    /// What to do with a mail that holds no container.
    pub no_container: NoContainer,
    /// It was in hand at three failures, each time alone: it is not opened again.
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
    /// Says that it is known whether it is from whom it claims.
    pub fn conclude(&self) {
        self.trial.iter().for_each(Trial::conclude);
    }
}

/// Makes the other mails of a claim wait in their decoder until it is dropped. Void unless the mail has an outcome, with each of its
/// letters: one that a panic, a fault or a verifier being rebuilt let go of goes back, and the mails behind it must not overtake it.
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

    /// Says that it is known whether the mail was from whom it claims.
    pub fn conclude(&self) {
        self.has_outcome.store(true, Ordering::Relaxed);
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let is_void = !*self.has_outcome.get_mut();
        // A decoder that has ended holds nothing back. There is one of these at most for every mail in hand.
        #[allow(
            clippy::disallowed_methods,
            reason = "bounded by the permits of the mails; a full mailbox must not lose it"
        )]
        self.decoder.do_send(Concluded { claim: self.claim, is_void });
    }
}

/// A mail has been tried: the next of its claim may be, unless there was no outcome.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Concluded {
    /// The claim.
    pub claim: Matricule,
    /// Whether nothing came of it.
    pub is_void: bool,
}

/// What a mailbox does with mail that holds no container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoContainer {
    /// It stays in the mailbox.
    Leave,
    /// It goes to quarantine, bounded as everything of strangers is.
    #[default]
    Quarantine,
    /// It is deleted and counted.
    Drop,
}

impl NoContainer {
    /// Returns the rule's name, as in the configuration and on metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            NoContainer::Leave => "leave",
            NoContainer::Quarantine => "quarantine",
            NoContainer::Drop => "drop",
        }
    }
}

/// One container, with the duty to settle it.
pub struct Carried {
    /// Which mail it came in.
    pub name: MailName,
    /// Where it came from.
    pub source: Source,
    /// When its mail was taken in hand.
    pub received_at: DateTime<Utc>,
    /// The same by the monotonic clock.
    pub taken_at: Instant,
    /// The agency that its mail mentions.
    pub claim: Option<Matricule>,
    /// What the letters of its mail prove together; given up once it is known who signed.
    pub proof: Option<Arc<Proof>>,
    /// Its mail, where more of it is to be kept than its letters.
    pub remainder: Option<Arc<Remainder>>,
    /// Its original bytes.
    pub container: Vec<u8>,
    /// The duty.
    pub share: Share,
}

impl Carried {
    /// Says that it is known whose it is: an agency's, or nobody's. The last letter of a mail judges what that claims, and what is
    /// left of the mail goes to a writer.
    pub fn conclude(&mut self, signer: Option<Matricule>, writers: &TableWriters) {
        if let Some(proof) = self.proof.take() {
            proof.conclude(signer);
        }
        if let Some(mail) = self.remainder.take().and_then(|remainder| remainder.conclude(signer)) {
            writers.send_rejected(Rejected(mail));
        }
    }
}

/// A container has been decrypted; who signed it is only said, not proven.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Opened {
    /// What was inside.
    pub opened: sdc::cms::Opened,
    /// What the document measures, however it was wrapped on the way.
    pub rendered_bytes: usize,
    /// The container.
    pub carried: Carried,
}

impl Letters for Opened {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.carried.share.enter(actor);
    }
}

/// Registered keys signed the letters: their payloads have been read.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Verified(pub Vec<Settleable>);

impl Letters for Verified {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.0.iter_mut().for_each(|letter| letter.share.enter(actor));
    }
}

/// No registered key signed it: nothing of it has been parsed, and nobody is told.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Rejected(pub Settleable);

impl Letters for Rejected {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.0.share.enter(actor);
    }
}

/// What settling takes, with the duty that goes with it.
pub struct Settleable {
    /// What has been understood.
    pub arrival: Arrival,
    /// When its mail was taken in hand.
    pub taken_at: Instant,
    /// Room for what it says.
    pub unpacked: Unpacked,
    /// The duty.
    pub share: Share,
}

/// A batch is decided and its rows are written, in a transaction that is open.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Written {
    /// The open transaction.
    pub written: settle::Written,
    /// One duty per arrival of the batch, in its order.
    pub duties: Vec<Duty>,
    /// Where the time is booked that it takes.
    pub booking: Booking,
}

impl Letters for Written {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.duties.iter_mut().for_each(|duty| duty.share.enter(actor));
    }
}

/// A batch that met a fault of its own has been taken apart, and what could be settled is committed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct TakenApart {
    /// What became of each arrival.
    pub apart: settle::Apart,
    /// One duty per arrival of the batch, in its order.
    pub duties: Vec<Duty>,
}

impl Letters for TakenApart {
    fn enter(&mut self, actor: &ActorMetrics) {
        self.duties.iter_mut().for_each(|duty| duty.share.enter(actor));
    }
}

/// The duty of one arrival of a batch.
pub struct Duty {
    /// When its mail was taken in hand.
    pub taken_at: Instant,
    /// Room for what it says.
    pub unpacked: Unpacked,
    /// The duty.
    pub share: Share,
}

/// A batch is committed: answers wait in the outbox.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct Posted;
