//! The state of one session with a source: which mails were lent, which of them have been reported, and which are to be deleted. The state
//! knows no more about the protocol than [`Session`] offers. `mailbox_poller::session` opens and closes the session.

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

/// An agency may use only a part of the permits for mail in processing. A session may wait until mail of such an agency is settled and
/// gives permits back; this is the longest time, in total, that it waits. With this wait, the mail of an office that alone sends much is
/// fetched as fast as it is settled. When a flood is settled slowly and this time is used up, the rest of the flood stays in the source.
const CLAIM_WAIT_MAX: Duration = Duration::from_millis(500);

/// Which mails a session fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// All mails but the breakers.
    Others,
    /// A single breaker (a mail over which sessions break).
    Breaker,
}

/// One session of a poller.
pub struct Poll<'a> {
    /// The source's settings, and what this poller shares with other actors.
    pub parts: &'a Admission,
    /// Limits of a window and of a session: number of mails, bytes, and time.
    pub turns: Turns,
    /// Metrics of the poller, which count the mail that is lent.
    metrics: &'a ActorMetrics,
    /// Identifier of this life of the poller.
    pub life: Uuid,
    /// When the session began.
    pub started: Instant,
    lease_taken: Instant,
    /// Mails lent by this session and by earlier ones.
    pub lending: &'a mut Lending,
    /// Numbers of mails that are settled and not deleted yet.
    pub to_delete: Vec<u32>,
    deleted: usize,
    /// Whether the listing is complete, so that a mail that is not listed no longer exists.
    pub is_listed_whole: bool,
    /// Tokens of the suspects when the session began.
    pub suspected: HashSet<Box<str>>,
    /// Mails with the fate `Left`. `remember_given_back` moves them into the poller's memory, which lasts beyond this session.
    pub left: Vec<Candidate>,
    /// Mails with the fate `Deferred`. `remember_given_back` moves them into the poller's memory, which lasts beyond this session.
    pub given_back: Vec<LentMail>,
    /// Mails with the fate `Withheld`. `remember_given_back` moves them into the poller's memory, which lasts beyond this session.
    pub withheld: Vec<LentMail>,
    /// Fates reported for mails of this session, by mail number. The map is emptied before a withheld letter is tried, so that it then
    /// shows the result of this try.
    pub tried: HashMap<u32, Fate>,
    /// Agencies of which this session left a mail in the source, because no permits were free for it. Mail of these agencies that arrived
    /// after it must not overtake it.
    pub held_up: HashSet<Matricule>,
    /// Number of mails that were fetched and then left in the source, because an earlier mail of their agency has to wait.
    pub mails_held_up: usize,
    /// Whether no permits were free even for one small mail. If so, this session fetches no more mail.
    pub is_full: bool,
    /// How much longer this session may wait until mail of an agency that uses its whole part of the permits is settled and gives permits
    /// back.
    pub room_wait_left: Duration,
    /// Whether a mail was lent.
    has_lent: bool,
    /// Whether the session left a mail in its source that can be fetched again without a pause.
    pub has_given_back: bool,
    /// Faults of the source that this session has seen.
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
        // `patience` returns a value only for a breaker (a mail over which an earlier session broke). A breaker is fetched only in a
        // session of its own, so all other sessions use the source's own deadlines.
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
                // Withheld mails are tried only in sessions for ordinary mail, and a breaker is fetched in a session of its own. So a
                // withheld mail that has become a breaker is removed from `withheld`: otherwise it would be fetched in neither kind of
                // session.
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

    /// Marks settled mail for deletion and closes the session. The server deletes nothing before it has answered the close.
    pub async fn delete_and_close(&mut self, mut session: Box<dyn Session>) -> Result<(), PollError> {
        self.delete_settled(&mut *session).await?;
        point("mailbox_poller::quit");
        session.close().await?;
        point("mailbox_poller::after_quit");
        Ok(())
    }

    /// Returns when to poll the source next. The next poll follows without a pause if a mail was deleted, is still lent, or can be fetched
    /// again. Mail that is returned every time must not cause an immediate poll, because a poll that deleted nothing made no progress. A
    /// deferred mail may cause an immediate poll: each time a mail is deferred, its lane has become worse, and there are only three lanes.
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

    /// Counts a mail that its source lists and refuses to send. The mail stays in the source.
    pub fn refuse(&mut self, words: String) {
        self.complaints.refused += 1;
        self.complaints.refused_words.get_or_insert(words);
    }

    /// Logs the faults of the source that have changed, and sets the metric of mails that cannot be fetched or deleted.
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

    /// Renews the source's lease when a third of its time has passed.
    pub async fn renew_lease(&mut self) -> Result<(), PollError> {
        if self.lease_taken.elapsed() > LEASE_HOLD / 3 {
            // The loss of the lease is harmless: if another poller fetches a letter as well, settling recognises it.
            self.parts.take_lease().await?;
            self.lease_taken = Instant::now();
        }
        Ok(())
    }

    /// Says whether the process may not fetch any more mail, because it drains or the gate is closed.
    pub fn is_stopped(&self) -> bool {
        !self.parts.may_fetch()
    }

    /// Says whether the session must end after it has requested `asked` mails. `may_wait` says that the next mail to fetch is large or
    /// deferred; the session then ends after a shorter time.
    pub fn must_end(&self, asked: usize, may_wait: bool) -> bool {
        let turns = self.turns;
        // Mail that offices send during a session is listed only by the next session, and it must not wait long for large or deferred mail.
        // So a session that has come to such mail ends after a fifth of its usual time.
        let time_max = if may_wait { turns.session_time_max / 5 } else { turns.session_time_max };
        let is_over_time = asked > 0 && self.started.elapsed() > time_max;
        self.is_stopped() || asked >= turns.session_mails_max || is_over_time
    }
}
