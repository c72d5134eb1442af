//! One session with a source, as far as it has come: what is tried, lent, come back and deleted. It drives the session by the
//! transport's own words alone (`mailbox_poller::session` opens and closes it).

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use sdc::document;
use sdc::letter::Matricule;
use store::database::fault::Fault;
use store::letters::in_hand::Suspect;
use store::planted::{self, Bug, point};
use tokio::time::timeout;
use uuid::Uuid;

use super::breakers::BREAKS_MAX;
use super::lanes::Lane;
use super::lending::{Lending, LentMail};
use super::memory::{Complaints, Memory, hint};
use super::records::LEASE_HOLD;
use super::reports::SETTLE_WAIT_MAX;
use super::windows::CLAIM_WAIT_MAX;
use super::{Admission, Turns};
use crate::custody::Fate;
use crate::metrics::ActorMetrics;
use crate::room::Permits;
use crate::transport::{Candidate, Fetching, Outcome, Session, Taken, TransportFault};

/// What is known of a mail that is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// Nothing: it is fetched as its source lists it.
    Listed,
    /// A letter of it waited when it was fetched before: its other letters are settled by now, and nobody sent them again.
    Waiting,
    /// It failed alone, too often.
    Poison,
}

/// What a poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polled {
    /// When the source is worth another look.
    pub next: NextPoll,
    /// Another process has the source's lease, so it was not looked into.
    pub is_elsewhere: bool,
}

/// When a source is worth another look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextPoll {
    /// It is evidently not empty.
    AtOnce,
    /// Mail in it is in hand, or found no room: nothing but time need pass.
    Soon,
    /// In its turn.
    InTurn,
}

/// Why a poll failed.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// The source or the way to it.
    #[error(transparent)]
    Source(#[from] TransportFault),
    /// The database.
    #[error(transparent)]
    Database(#[from] Fault),
    /// Letters in hand did not come back in time.
    #[error("{0} mails in hand were not settled within {seconds} s; they stay where they are and come again", seconds = SETTLE_WAIT_MAX.as_secs())]
    Unsettled(usize),
}

impl PollError {
    /// Names the step that failed, as on metrics.
    pub fn step(&self) -> &'static str {
        match self {
            PollError::Source(fault) => fault.step,
            PollError::Database(_) => "database",
            PollError::Unsettled(_) => "settle",
        }
    }
}

/// Which mails a session fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// All but those over which sessions broke.
    Others,
    /// One of those.
    Breaker,
}

/// One session of a poller, as far as it has come.
pub struct Poll<'a> {
    /// What the poller was built with.
    pub parts: &'a Admission,
    /// How much is taken at a time.
    pub turns: Turns,
    /// Counts what is lent.
    metrics: &'a ActorMetrics,
    /// This life of the poller.
    pub life: Uuid,
    /// When the session began.
    pub started: Instant,
    lease_taken: Instant,
    /// Mails lent and not reported yet, by this session and those before.
    pub lending: &'a mut Lending,
    /// Settled and not deleted yet.
    pub to_delete: Vec<u32>,
    deleted: usize,
    /// Nothing was left out of the listing: what is not listed is gone.
    pub is_listed_whole: bool,
    /// Suspects when the session began.
    pub suspected: HashSet<Box<str>>,
    /// Mails that stay in the mailbox by its rule.
    pub left: Vec<Candidate>,
    /// Mails given back unopened.
    pub given_back: Vec<LentMail>,
    /// Mails given back because a letter in them has to wait.
    pub withheld: Vec<LentMail>,
    /// What became of the mails that this session lent last, by their numbers.
    pub tried: HashMap<u32, Fate>,
    /// Agencies of which a mail was left for want of room in this session: what came later must not overtake it.
    pub held_up: HashSet<Matricule>,
    /// Mails that were fetched and left because of that.
    pub mails_held_up: usize,
    /// There was no room for a single mail: none is fetched any more in this session.
    pub is_full: bool,
    /// Until when this session may wait for room that a claim's own mail gives back.
    pub room_wait_left: Duration,
    /// A mail was lent.
    has_lent: bool,
    /// A mail is in the mailbox still and can be fetched at once.
    pub has_given_back: bool,
    /// What is wrong with the source.
    pub complaints: Complaints,
}

impl<'a> Poll<'a> {
    /// Begins a session: the numbers of its mails are its own.
    pub fn new(
        (parts, turns): (&'a Admission, Turns),
        metrics: &'a ActorMetrics,
        life: Uuid,
        lending: &'a mut Lending,
    ) -> Poll<'a> {
        lending.begin_session();
        Poll {
            parts,
            turns,
            metrics,
            life,
            started: Instant::now(),
            lease_taken: Instant::now(),
            lending,
            to_delete: Vec::new(),
            deleted: 0,
            is_listed_whole: true,
            suspected: HashSet::new(),
            left: Vec::new(),
            given_back: Vec::new(),
            withheld: Vec::new(),
            tried: HashMap::new(),
            held_up: HashSet::new(),
            mails_held_up: 0,
            is_full: false,
            room_wait_left: CLAIM_WAIT_MAX,
            has_lent: false,
            has_given_back: false,
            complaints: Complaints::default(),
        }
    }

    /// Fetches what this session may. What earlier ones lent and was settled is deleted first, whatever becomes of the others.
    pub async fn fetch(
        &mut self,
        session: &mut dyn Session,
        mut mails: Vec<Candidate>,
        suspects: Vec<Suspect>,
        turn: Turn,
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        memory.withheld.begin();
        let gone = self.delete_carried(session, &mails, memory).await?;
        mails.retain(|listed| !gone.contains(&listed.number));
        self.try_suspects(session, &mails, suspects, memory).await?;
        self.fetch_rest(session, &mails, memory).await?;
        if turn == Turn::Others {
            self.try_withheld(session, &mails, memory).await?;
        }
        Ok(())
    }

    /// Waits for the next mail, and remembers the one over which the session breaks.
    pub async fn next(&self, fetching: &mut Fetching<'_>, memory: &mut Memory) -> Result<Option<Taken>, PollError> {
        let under_way = fetching.under_way();
        // Only the session of a mail over which sessions broke asks for one.
        let patience = under_way.and_then(|listed| memory.breakers.patience(listed));
        let next = match patience {
            None => fetching.next().await,
            Some(patience) => timeout(patience, fetching.next())
                .await
                .unwrap_or_else(|_elapsed| Err(TransportFault::timed_out(&self.parts.name, "retrieve", patience))),
        };
        match (next, under_way) {
            (Ok(Some(taken)), _) => {
                memory.breakers.forgive(&taken.listed);
                Ok(Some(taken))
            }
            (Err(error), Some(listed)) => {
                let breaks = memory.breakers.broke(listed, self.turns.interval, Instant::now());
                let (mailbox, mail) = (&*self.parts.name, hint(listed));
                // It has a session of its own now, in which it is not left alone.
                memory.withheld.forget(&mail);
                match breaks {
                    1 => {
                        tracing::warn!(mailbox, %mail, %error, "the session broke over a mail: it comes last from now on, and alone");
                    }
                    BREAKS_MAX => {
                        tracing::warn!(mailbox, %mail, breaks, %error, "a mail cannot be fetched, and is tried ever more seldom");
                    }
                    _ => tracing::debug!(mailbox, %mail, breaks, %error, "the session broke over a mail again"),
                }
                Err(error.into())
            }
            (outcome, _) => Ok(outcome?),
        }
    }

    /// Only a session that was closed has deleted anything.
    pub async fn delete_and_close(&mut self, mut session: Box<dyn Session>) -> Result<(), PollError> {
        self.delete_settled(&mut *session).await?;
        point("mailbox_poller::quit");
        session.close().await?;
        point("mailbox_poller::after_quit");
        Ok(())
    }

    /// Says when the source is worth another look. One that was not empty is looked into again at once. Where nothing was deleted
    /// nothing was gained either: mail that all comes back must not be polled in a tight loop. (Each time that a mail is deferred
    /// its claim has come to stand worse.)
    pub fn next_poll(&self) -> NextPoll {
        if self.deleted > 0 || self.has_given_back || (self.has_lent && !self.lending.is_empty()) {
            NextPoll::AtOnce
        } else if self.is_full || !self.lending.is_empty() {
            NextPoll::Soon
        } else {
            NextPoll::InTurn
        }
    }

    /// Lends a mail to the actors, with its permits.
    pub fn lend(&mut self, taken: Taken, permits: Permits, lane: Lane, state: MailState) {
        let Taken { listed, outcome } = taken;
        let claim = match &outcome {
            Outcome::Mail(octets) | Outcome::OverSize { head: octets, .. } => document::claim(octets),
            Outcome::Refused(words) => return self.refuse(words.clone()),
        };
        self.has_lent = true;
        let (number, token) = (listed.number, hint(&listed));
        let (ticket, reports) = self.lending.lend(listed, claim, lane, &outcome);
        let content = match outcome {
            Outcome::Mail(mail) => (mail, None),
            Outcome::OverSize { head, size_bytes } => (head, Some(size_bytes)),
            Outcome::Refused(_) => return,
        };
        let share = self.parts.hands.lend(ticket, permits, reports, self.metrics);
        let fetched = self.parts.fetched(&token, content, (claim, lane), state, share);
        self.parts.desk.hand_on(fetched, number);
    }

    /// Counts a mail that the server does not give. It stays where it is.
    pub fn refuse(&mut self, words: String) {
        self.complaints.refused += 1;
        self.complaints.refused_words.get_or_insert(words);
    }

    /// Tells what is wrong with the mailbox, where that has changed, and shows how many mails cannot be fetched or deleted.
    pub fn tell(&mut self, memory: &mut Memory, turn: Turn) {
        if turn == Turn::Others {
            self.complaints.tell(&memory.told, self.parts);
            memory.told = std::mem::take(&mut self.complaints);
        }
        let unfetchable = memory.told.refused + memory.told.undeleted + memory.breakers.unfetchable();
        let gauge = self.parts.metrics.unfetchable.with_label_values(&[&*self.parts.name]);
        gauge.set(i64::try_from(unfetchable).unwrap_or(i64::MAX));
    }

    /// Deletes what is settled by now.
    pub async fn delete_settled(&mut self, session: &mut dyn Session) -> Result<(), PollError> {
        if planted::has(Bug::DeleteBeforeCommit) {
            self.to_delete.extend(self.lending.forget_session());
        }
        if self.to_delete.is_empty() {
            return Ok(());
        }
        point("mailbox_poller::delete");
        let refused = session.delete(&self.to_delete).await?;
        self.complaints.undeleted += refused.len();
        self.lending.undeleted(&refused);
        self.deleted += self.to_delete.len() - refused.len();
        self.to_delete.clear();
        point("mailbox_poller::deleted");
        Ok(())
    }

    /// Keeps the source's lease.
    pub async fn renew_lease(&mut self) -> Result<(), PollError> {
        if self.lease_taken.elapsed() > LEASE_HOLD / 3 {
            // Losing it is harmless: settling knows what another poller fetches too.
            self.parts.take_lease().await?;
            self.lease_taken = Instant::now();
        }
        Ok(())
    }

    /// Strikes out what came back. Mail that did not stays written down, under this life's name.
    pub async fn finish(&mut self, memory: &mut Memory) -> Result<(), PollError> {
        self.remember_given_back(memory);
        let suspects = self.lending.suspects.clone();
        // With mail still in hand the lines stay: they name what to suspect if the program dies now.
        let batches = self.lending.batches_done();
        if batches.is_empty() && suspects.is_empty() {
            return Ok(());
        }
        let written = suspects.len();
        self.parts.strike_out(self.life, batches.clone(), suspects).await?;
        self.lending.struck_out(&batches, written);
        Ok(())
    }
}
