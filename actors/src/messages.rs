//! One typed message per arrow of the flow, in the order of the flow. The type says what has been proven.
//!
//! ```text
//! MailboxPoller ─Fetched─▶ SdcDecoder ─Opened─▶ SignatureVerifier ─Verified─▶ TableWriter ─Written─▶ BillingLedger ─Posted─▶ Exporter
//!                              └──────────Rejected────┴─────Rejected──────────────▲
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use actix::{Addr, Message};
use chrono::{DateTime, Utc};
use sdc::letter::Matricule;
use store::settle::{self, Arrival, Source};

use crate::delivery::{Share, Unpacked};
use crate::lanes::Lane;
use crate::sdc_decoder::SdcDecoder;

/// A mail has been fetched; nothing in it is believed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Fetched {
    /// The mail as it came; the first part of an over-size one.
    pub mail: Vec<u8>,
    /// Its size where only the first part was fetched.
    pub over_size_bytes: Option<u64>,
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

/// Makes the other mails of a claim wait in their decoder until it is dropped: with the outcome known, or with the mail that it
/// came with, when a verifier that is being rebuilt lets that go. Then the next is opened in vain, and goes back as well.
pub struct Trial {
    claim: Matricule,
    decoder: Addr<SdcDecoder>,
    is_void: AtomicBool,
}

impl Trial {
    /// Begins a trial in a decoder.
    pub fn new(claim: Matricule, decoder: Addr<SdcDecoder>) -> Trial {
        Trial { claim, decoder, is_void: AtomicBool::new(false) }
    }

    /// Says that there will be no outcome: whatever was in the way is in the way of the others too.
    pub fn void(&self) {
        self.is_void.store(true, Ordering::Relaxed);
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let is_void = self.is_void.load(Ordering::Relaxed) || std::thread::panicking();
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
    /// Where it came from.
    pub source: Source,
    /// When its mail was taken in hand.
    pub received_at: DateTime<Utc>,
    /// The same by the monotonic clock.
    pub taken_at: Instant,
    /// The agency that its mail mentions.
    pub claim: Option<Matricule>,
    /// Given up once it is known who signed.
    pub trial: Option<Arc<Trial>>,
    /// Its original bytes.
    pub container: Vec<u8>,
    /// The duty.
    pub share: Share,
}

/// A container has been decrypted; who signed it is only said, not proven.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Opened {
    /// What was inside.
    pub opened: sdc::cms::Opened,
    /// The container.
    pub carried: Carried,
}

/// A registered key signed the letter: its payload has been read.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Verified(pub Settleable);

/// No registered key signed it: nothing of it has been parsed, and nobody is told.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Rejected(pub Settleable);

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
