//! What of a source is taken next, and what is not taken at all: lanes, windows, suspects, what waits and what breaks. It knows no
//! protocol: what a transport lists goes in, and which mail to fetch next comes out.
//!
//! [`Admission`] is what all mail of one source passes, polled or pushed. A `poll::Poll` admits what a source lists.

pub(crate) mod breakers;
pub mod lanes;
mod lender;
pub(crate) mod lending;
pub(crate) mod memory;
pub(crate) mod poll;
pub(crate) mod records;
mod reports;
mod suspects;
mod windows;
mod withheld;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use sdc::letter::Matricule;
use store::database::Database;
use store::settle::{Claimed, Source};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::at_work::MailName;
use crate::custody::Share;
use crate::intake::Intake;
use crate::messages::{Fetched, NoContainer};
use crate::metrics::Metrics;
use crate::room::{Claimant, Hands};
use crate::sdc_decoder::SdcDecoder;
use crate::stop::Stop;
use crate::supervision::Link;
use crate::transport::Facts;
use lanes::{Claims, Lane};
pub use lender::{Lender, PushedMail};
use poll::MailState;
pub(crate) use reports::{CARRIED_AFTER, SETTLE_WAIT_MAX};

/// What all mail of one source passes.
#[derive(Clone)]
pub struct Admission {
    /// The source's configured name, in one space of names for mailboxes and folders.
    pub name: Arc<str>,
    /// By what leases, mail in hand and suspects know it: its name, and the process beside it where each has mail of its own.
    pub key: Arc<str>,
    /// What its transport is.
    pub facts: Facts,
    /// Largest mail taken whole.
    pub mail_bytes_max: u64,
    /// What to do with mail that holds no container.
    pub no_container: NoContainer,
    /// Leases and mail in hand.
    pub database: Database,
    /// The runtime of the database's connections.
    pub database_runtime: Handle,
    /// This process, by the name that it keeps across restarts: its lease is its own again at once.
    pub process: Uuid,
    /// Where mail goes.
    pub desk: Desk,
    /// How much may be in hand.
    pub hands: Hands,
    /// Known and failed claims.
    pub claims: Arc<Claims>,
    /// Whether mail may be taken.
    pub intake: Intake,
    /// Told when the process is to drain.
    pub drain: Stop,
    /// Where mail is counted.
    pub metrics: Arc<Metrics>,
}

/// How much of a listing source is taken at a time.
#[derive(Clone, Copy, Debug)]
pub struct Turns {
    /// Pause between looks at an empty source.
    pub interval: Duration,
    /// When in each interval its turn is.
    pub phase: Duration,
    /// Mails asked for at a time.
    pub window_mails: usize,
    /// Bytes asked for at a time, where it is more than one mail.
    pub window_bytes_max: u64,
    /// Mails after which a session ends, so that their deletion takes effect.
    pub session_mails_max: usize,
    /// Time after which a session ends, so that mail that came since is seen.
    pub session_time_max: Duration,
}

impl Admission {
    /// Says whether mail may be taken now.
    pub fn may_fetch(&self) -> bool {
        !self.drain.is_told() && self.intake.is_open()
    }

    /// Returns for whom the room of a mail with this claim is counted.
    pub(crate) fn claimant(&self, claim: Option<Matricule>) -> Claimant {
        claim.filter(|matricule| self.claims.knows(*matricule))
    }

    /// Makes a mail what is handed on: its octets, or the head of one that is over-size with its size, and the duty to settle it.
    pub(crate) fn fetched(
        &self,
        token: &str,
        (mail, over_size_bytes): (Vec<u8>, Option<u64>),
        (claim, lane): (Option<Matricule>, Lane),
        state: MailState,
        share: Share,
    ) -> Fetched {
        self.metrics.mails_fetched.with_label_values(&[&*self.name]).inc();
        Fetched {
            mail,
            over_size_bytes,
            form: self.facts.form,
            name: MailName { mailbox: self.key.clone(), uidl: token.into() },
            source: Source {
                transport: self.facts.answers_by,
                mailbox: self.name.clone(),
                sender_domain: String::new(),
                claimed: Claimed { agency: claim, ..Claimed::default() },
                is_fetched_again: state == MailState::Waiting,
            },
            received_at: Utc::now(),
            taken_at: Instant::now(),
            claim,
            lane,
            trial: None,
            no_container: self.no_container,
            is_poison: state == MailState::Poison,
            share,
        }
    }
}

/// Where mail in hand goes: to decoders, one per core, or to whatever a test puts in their place.
#[derive(Clone)]
pub enum Desk {
    /// The decoders of this process.
    Decoders(Arc<[Link<SdcDecoder>]>),
    /// Somebody else, who takes the duty with the mail.
    Other(Arc<dyn Fn(Fetched) + Send + Sync>),
}

impl Desk {
    /// Hands a mail on. The same agency always goes the same way, so that its letters keep their order; mail that claims none is
    /// spread.
    pub fn hand_on(&self, fetched: Fetched, spread: u32) {
        match self {
            Desk::Decoders(decoders) => {
                let way = fetched.claim.map_or(spread, u32::from) as usize;
                if let Some(decoder) = decoders.get(way % decoders.len().max(1)) {
                    decoder.hand_on(fetched);
                }
            }
            Desk::Other(take) => take(fetched),
        }
    }
}
