//! The state of one session with a source: which mails were lent, which came back, and which are to be deleted. It knows of the
//! protocol no more than [`Session`] says. `mailbox_poller::session` opens and closes the session.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use sdc::document;
use sdc::letter::Matricule;
use store::planted::{self, Bug, point};
use tokio::time::timeout;
use uuid::Uuid;

use super::breakers::BREAKS_MAX;
use super::lending::{Lending, LentMail};
use super::memory::{Complaints, Memory};
use super::polled::{NextPoll, PollError};
use super::records::LEASE_HOLD;
use super::source::{Admission, MailState, Turns};
use crate::claims::Lane;
use crate::custody::Fate;
use crate::metrics::ActorMetrics;
use crate::room::Permits;
use crate::transport::{Candidate, FetchOutcome, Fetching, Session, Taken, TransportFault};

/// Longest time that a session waits, all in all, for room that settled mail of the same claim gives back. An office that alone sends much
/// thus has its mail taken as fast as it is settled. Of a flood that is settled slowly, the rest is left once this time is used up.
const CLAIM_WAIT_MAX: Duration = Duration::from_millis(500);

/// Which mails a session fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// All mails but the breakers.
    Others,
    /// One breaker alone.
    Breaker,
}

/// One session of a poller.
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
    /// Mails that are lent, by this session and those before.
    pub lending: &'a mut Lending,
    /// Numbers of mails that are settled and not deleted yet.
    pub to_delete: Vec<u32>,
    deleted: usize,
    /// Whether nothing was left out of the listing, so that a mail which is not listed is gone.
    pub is_listed_whole: bool,
    /// Tokens of the suspects, as of the session's begin.
    pub suspected: HashSet<Box<str>>,
    /// Mails with the fate `Left`, to be remembered.
    pub left: Vec<Candidate>,
    /// Mails with the fate `Deferred`, to be remembered.
    pub given_back: Vec<LentMail>,
    /// Mails with the fate `Withheld`, to be remembered.
    pub withheld: Vec<LentMail>,
    /// Fates of the mails that this session lent last, by their numbers.
    pub tried: HashMap<u32, Fate>,
    /// Agencies of which this session left a mail for want of room: their later mail must not overtake it.
    pub held_up: HashSet<Matricule>,
    /// How many mails of such agencies were fetched, and then left in the source.
    pub mails_held_up: usize,
    /// Whether there was no room for a single mail, so that this session fetches none any more.
    pub is_full: bool,
    /// How long this session may still wait for room that settled mail of the same claim gives back.
    pub room_wait_left: Duration,
    /// Whether a mail was lent.
    has_lent: bool,
    /// Whether a mail that this session left in its source can be fetched at once.
    pub has_given_back: bool,
    /// What is wrong with the source.
    pub complaints: Complaints,
}

impl<'a> Poll<'a> {
    /// Begins a session. Each session numbers its mails anew.
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

    /// Waits for the next mail. If the session breaks over it, the mail is remembered as a breaker.
    pub async fn next(&self, fetching: &mut Fetching<'_>, memory: &mut Memory) -> Result<Option<Taken>, PollError> {
        let under_way = fetching.under_way();
        // Only a breaker has a patience, and only the session of a breaker asks for one.
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
                let (mailbox, mail) = (&*self.parts.name, listed.hint());
                // A breaker's session does not look at `withheld`, so a withheld mail that becomes a breaker is forgotten there.
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

    /// Deletes settled mail and closes the session. Nothing is deleted before the close has been answered.
    pub async fn delete_and_close(&mut self, mut session: Box<dyn Session>) -> Result<(), PollError> {
        self.delete_settled(&mut *session).await?;
        point("mailbox_poller::quit");
        session.close().await?;
        point("mailbox_poller::after_quit");
        Ok(())
    }

    /// Says when the source is worth another look: at once where a mail was deleted, is in hand, or can be fetched again. A poll that
    /// deleted nothing gained nothing, so mail that returns each time must not bring the next poll at once. Deferred mail may: each time
    /// that a mail is deferred, its lane has become worse.
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
            FetchOutcome::Mail(octets) | FetchOutcome::OverSize { head: octets, .. } => document::claim(octets),
            FetchOutcome::Refused(words) => return self.refuse(words.clone()),
        };
        self.has_lent = true;
        let (number, token) = (listed.number, listed.hint());
        let (ticket, reports) = self.lending.lend(listed, claim, lane, &outcome);
        let content = match outcome {
            FetchOutcome::Mail(mail) => (mail, None),
            FetchOutcome::OverSize { head, size_bytes } => (head, Some(size_bytes)),
            FetchOutcome::Refused(_) => return,
        };
        let share = self.parts.hands.lend(ticket, permits, reports, self.metrics);
        let fetched = self.parts.fetched(&token, content, (claim, lane), state, share);
        self.parts.decoders.hand_on(fetched, number);
    }

    /// Counts a mail that its source lists and does not give. The mail stays where it is.
    pub fn refuse(&mut self, words: String) {
        self.complaints.refused += 1;
        self.complaints.refused_words.get_or_insert(words);
    }

    /// Logs what is wrong with the source, where that has changed, and shows how many mails cannot be fetched or deleted.
    pub fn tell(&mut self, memory: &mut Memory, turn: Turn) {
        if turn == Turn::Others {
            self.complaints.tell(&memory.told, self.parts);
            memory.told = std::mem::take(&mut self.complaints);
        }
        let unfetchable = memory.told.refused + memory.told.undeleted + memory.breakers.unfetchable();
        let gauge = self.parts.metrics.unfetchable.with_label_values(&[&*self.parts.name]);
        gauge.set(i64::try_from(unfetchable).unwrap_or(i64::MAX));
    }

    /// Deletes the mails that are settled by now.
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
            // A lost lease is harmless: settling recognises a letter that another poller fetches as well.
            self.parts.take_lease().await?;
            self.lease_taken = Instant::now();
        }
        Ok(())
    }

    /// Says whether nothing more may be fetched.
    pub fn is_stopped(&self) -> bool {
        !self.parts.may_fetch()
    }

    /// Says whether the session must end, after it has asked for so many mails; sooner where only mail is left that may wait.
    pub fn must_end(&self, asked: usize, may_wait: bool) -> bool {
        let turns = self.turns;
        // Mail that may wait gets a fifth of a session's time: the next session is needed to see new mail of the offices.
        let time_max = if may_wait { turns.session_time_max / 5 } else { turns.session_time_max };
        let is_over_time = asked > 0 && self.started.elapsed() > time_max;
        self.is_stopped() || asked >= turns.session_mails_max || is_over_time
    }
}
