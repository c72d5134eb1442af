//! All mail of one source, polled or pushed, passes the structure [`Admission`]. It holds the source's rules, the limits of the mail in
//! processing, the claims that decide the lanes, and the gate that stops fetching.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
use crate::replicas::Replicas;
use crate::room::{Claimant, Hands};
use crate::stop::Stop;
use crate::transport::{NoContainer, TransportFacts};

/// What is known of a mail before it is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// Only what the source lists is known.
    Listed,
    /// An earlier fetch of this mail settled all of its letters but one, which was withheld. When the settled letters are found again, they
    /// count as settled before, not as duplicates that an office sent.
    Withheld,
    /// The mail has failed too often when it was tried alone.
    Poison,
}

/// What admission needs for the mail of one source.
#[derive(Clone)]
pub struct Admission {
    /// Configured name of the source. No two mailboxes or folders have the same name.
    pub name: Arc<str>,
    /// Name of the source in leases and in `xm.in_hand`. For a pushed source it is `name` with the process appended, because each process
    /// takes its own mail. Suspects are recorded under `name` alone: a mail that made one replica panic is a suspect for all replicas.
    pub key: Arc<str>,
    /// Facts about the source's transport.
    pub facts: TransportFacts,
    /// Size in bytes of the largest mail that is fetched whole.
    pub mail_bytes_max: u64,
    /// What to do with mail that contains no SDC container, and so no letter: leave it in the source, put it into quarantine, or delete it.
    pub no_container: NoContainer,
    /// The database, with the leases, `xm.in_hand` and the suspects.
    pub tasks: DatabaseTasks,
    /// Identifier of this process. It is kept across restarts, so that a restarted process owns its leases again without waiting.
    pub process: Uuid,
    /// The replicas of the centre, which share the leases.
    pub replicas: Replicas,
    /// Whether this process is giving up the source's lease, because the lease falls to another replica. It fetches no more mail then.
    pub gives_up: Arc<AtomicBool>,
    /// The decoders that get the mail.
    pub decoders: Decoders,
    /// Limits of the mail that the actors process at a time.
    pub hands: Hands,
    /// The known agencies, and the agencies that mail claimed falsely in the last minute.
    pub claims: Arc<Claims>,
    /// The gate. While it is closed, for example because the database cannot be reached, no mail is fetched.
    pub gate: Gate,
    /// The signal that the process drains.
    pub drain: Stop,
    /// Metrics that count the mail.
    pub metrics: Arc<Metrics>,
}

/// How much of a polled source is fetched at a time.
#[derive(Clone, Copy, Debug)]
pub struct Turns {
    /// Pause between two polls of an empty source.
    pub interval: Duration,
    /// Moment within the polling interval at which this source is polled, so that not all sources are polled at the same time.
    pub phase: Duration,
    /// Largest number of mails in one window. The mails of a window are requested from the source together.
    pub window_mails: usize,
    /// Largest number of bytes in one window. A single mail may be larger.
    pub window_bytes_max: u64,
    /// Largest number of mails per session. The session then ends, so that the deletion of its mails takes effect.
    pub session_mails_max: usize,
    /// Longest time of a session. The next session lists the mail that has arrived since.
    pub session_time_max: Duration,
}

impl Admission {
    /// Says whether mail may be fetched now: the gate is open, the process does not drain, and the lease is not being given up.
    pub fn may_fetch(&self) -> bool {
        !self.drain.is_told() && self.gate.is_open() && !self.gives_up()
    }

    /// Says whether this process is giving the source's lease up.
    pub fn gives_up(&self) -> bool {
        self.gives_up.load(Ordering::Relaxed)
    }

    /// Returns the agency to which a mail's permits are booked: the agency that the mail claims, if it is known. All other mail is booked
    /// together, under `None`.
    pub(crate) fn claimant(&self, claim: Option<Matricule>) -> Claimant {
        claim.filter(|matricule| self.claims.knows(*matricule))
    }

    /// Makes the message for a decoder. It contains the mail's octets, or the head of an over-size mail and its size; and the mail's share,
    /// which is the duty to report its fate.
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
                name: MailName { mailbox: self.name.clone(), uidl: token.into() },
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
            is_posted: false,
            trial: None,
            no_container: self.no_container,
            is_poison: state == MailState::Poison,
            share,
        }
    }
}
