//! What all mail of one source passes, polled or pushed: the source's rules, the room, the lanes and the gate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use sdc::letter::Matricule;
use store::settle::{Claimed, Source};
use uuid::Uuid;

use super::decoders::Decoders;
use crate::at_work::MailName;
use crate::claims::{Claims, Lane};
use crate::custody::Share;
use crate::database_tasks::DatabaseTasks;
use crate::gate::Gate;
use crate::messages::Fetched;
use crate::metrics::Metrics;
use crate::provenance::Provenance;
use crate::room::{Claimant, Hands};
use crate::stop::Stop;
use crate::transport::{NoContainer, TransportFacts};

/// What is known of a mail before it is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// Nothing but what the source lists.
    Listed,
    /// An earlier fetch of the mail withheld one of its letters. The mail's other letters are settled; found again now, they count as
    /// settled before, not as duplicates that an office sent.
    Withheld,
    /// The mail has failed alone too often.
    Poison,
}

/// What all mail of one source passes.
#[derive(Clone)]
pub struct Admission {
    /// The source's configured name, in one space of names for mailboxes and folders.
    pub name: Arc<str>,
    /// The source's name in leases, lines of mail in hand and suspects: `name`, and the process too where each process has mail of its own.
    pub key: Arc<str>,
    /// What its transport is.
    pub facts: TransportFacts,
    /// Largest mail taken whole.
    pub mail_bytes_max: u64,
    /// What to do with mail that holds no container.
    pub no_container: NoContainer,
    /// The database, with leases, mail in hand and suspects.
    pub tasks: DatabaseTasks,
    /// This process, by the name that it keeps across restarts, so that after a restart it has its lease again at once.
    pub process: Uuid,
    /// Where mail goes.
    pub decoders: Decoders,
    /// How much may be in hand.
    pub hands: Hands,
    /// Known and failed claims.
    pub claims: Arc<Claims>,
    /// Whether mail may be taken.
    pub gate: Gate,
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
    /// The moment of each interval at which this source is polled.
    pub phase: Duration,
    /// Mails asked for at a time.
    pub window_mails: usize,
    /// Bytes asked for at a time; a single mail may be larger.
    pub window_bytes_max: u64,
    /// A session ends after so many mails, so that their deletion takes effect.
    pub session_mails_max: usize,
    /// A session ends after this time, so that mail that came since is listed.
    pub session_time_max: Duration,
}

impl Admission {
    /// Says whether mail may be taken now.
    pub fn may_fetch(&self) -> bool {
        !self.drain.is_told() && self.gate.is_open()
    }

    /// Returns the agency with which a mail's room is counted: the one that the mail claims, if it is known. Other mail is counted
    /// together, as none.
    pub(crate) fn claimant(&self, claim: Option<Matricule>) -> Claimant {
        claim.filter(|matricule| self.claims.knows(*matricule))
    }

    /// Makes the message for a decoder: the mail's octets, or the head of an over-size mail and its size, and the duty to settle it.
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
            provenance: Provenance {
                name: MailName { mailbox: self.key.clone(), uidl: token.into() },
                source: Source {
                    transport: self.facts.answers_by,
                    mailbox: self.name.clone(),
                    sender_domain: String::new(),
                    claimed: Claimed { agency: claim, ..Claimed::default() },
                    is_fetched_again: state == MailState::Withheld,
                },
                received_at: Utc::now(),
                taken_at: Instant::now(),
            },
            lane,
            trial: None,
            no_container: self.no_container,
            is_poison: state == MailState::Poison,
            share,
        }
    }
}
