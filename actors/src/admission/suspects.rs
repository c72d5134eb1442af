//! Mail that was in hand when something died: each is tried with nothing else in hand, and set aside after some failures.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::transport::{Candidate, Outcome, Session};
use store::letters::in_hand::{ATTEMPTS_MAX, Suspect};
use store::planted::point;
use tokio::time::{timeout, timeout_at};

use super::lanes::Lane;
use super::memory::{Memory, hint};
use super::poll::{MailState, Poll, PollError};
use crate::custody::Fate;

/// Longest waits of a suspect: for its turn among those of all mailboxes, and until nothing else is in hand.
pub const TURN_WAIT_MAX: Duration = Duration::from_secs(1);
pub const ALONE_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long the others go on undisturbed when that was not long enough.
const SUSPECTS_PAUSE: Duration = Duration::from_secs(60);

/// What a suspect's fate means, once it was tried alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterAlone {
    /// It is innocent, or done with.
    Absolved,
    /// It made the centre fail: the attempt counts.
    Failed,
    /// A fault or a stop ended it, which is not the letter's doing: the attempt does not count.
    TakenBack,
    /// It is not known yet.
    Unknown,
}

impl AfterAlone {
    /// Judges a fate.
    pub fn of(fate: Option<Fate>, is_poison: bool) -> AfterAlone {
        match fate {
            Some(Fate::Settled | Fate::Left) => AfterAlone::Absolved,
            // It went through all hands, and nothing failed but the database.
            Some(Fate::Withheld) if !is_poison => AfterAlone::Absolved,
            Some(Fate::Suspect) => AfterAlone::Failed,
            Some(Fate::Returned | Fate::Deferred) if !is_poison => AfterAlone::TakenBack,
            Some(Fate::Returned | Fate::Deferred | Fate::Withheld) | None => AfterAlone::Unknown,
        }
    }
}

impl Poll<'_> {
    /// Tries each suspect with nothing else in hand in the whole process, the attempt committed first.
    pub async fn try_suspects(
        &mut self,
        session: &mut dyn Session,
        mails: &[Candidate],
        suspects: Vec<Suspect>,
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        if suspects.is_empty() {
            return Ok(());
        }
        // Of mails that are remembered alike the first one is tried: if it is innocent it settles, and goes out of the way.
        let by_hint: HashMap<Box<str>, &Candidate> = mails.iter().rev().map(|listed| (hint(listed), listed)).collect();
        // A server that gave an id yesterday and gives none today has not lost the mail, nor a folder a file that it leaves alone.
        let has_every_id = self.is_listed_whole && mails.iter().all(|listed| listed.token.is_some());
        // Whatever becomes of them now, they are not fetched beside others.
        self.suspected = suspects.iter().map(|suspect| suspect.token.as_str().into()).collect();
        self.wait_for_own(memory).await;
        for suspect in suspects {
            let Some(listed) = by_hint.get(suspect.token.as_str()) else {
                if has_every_id {
                    memory.absolved.push(suspect.token);
                }
                continue;
            };
            if self.is_stopped() || memory.suspects_wait_until.is_some_and(|until| Instant::now() < until) {
                break;
            }
            self.renew_lease().await?;
            // Held until its fate is known. A server that hangs over one holds up the suspects of other mailboxes, not their mail.
            let Ok(_turn) = timeout(TURN_WAIT_MAX, self.parts.hands.take_suspect()).await else { break };
            if self.try_alone(session, listed, &suspect, memory).await? {
                memory.absolved.push(suspect.token);
            }
        }
        self.parts.clear(memory.absolved.clone()).await?;
        memory.absolved.clear();
        Ok(())
    }

    /// Waits for what earlier sessions of this mailbox have lent: it would be company. Others go on meanwhile.
    async fn wait_for_own(&mut self, memory: &mut Memory) {
        let deadline = tokio::time::Instant::now() + ALONE_WAIT_MAX;
        let may_try = memory.suspects_wait_until.is_none_or(|until| Instant::now() >= until);
        while may_try && !self.lending.is_empty() {
            if timeout_at(deadline, self.next_report()).await.is_err() {
                memory.suspects_wait_until = Some(Instant::now() + SUSPECTS_PAUSE);
                break;
            }
        }
        self.remember_given_back(memory);
    }

    /// Returns whether the suspect is settled.
    async fn try_alone(
        &mut self,
        session: &mut dyn Session,
        listed: &Candidate,
        suspect: &Suspect,
        memory: &mut Memory,
    ) -> Result<bool, PollError> {
        let is_poison = suspect.attempts >= ATTEMPTS_MAX;
        let listed = std::slice::from_ref(listed);
        // Everything else stops only when the mail is here, and not for a server that hangs with mail in hand.
        let mut fetching = session.fetch(listed, self.parts.mail_bytes_max).await?;
        let Some(taken) = self.next(&mut fetching, memory).await? else { return Ok(false) };
        // What is not given needs no room, and nobody waits for it.
        if let Outcome::Refused(words) = taken.outcome {
            self.refuse(words);
            return Ok(false);
        }
        let Ok(alone) = timeout(ALONE_WAIT_MAX, self.parts.hands.take_all()).await else {
            tracing::warn!(mailbox = &*self.parts.name, "a suspect waits: mail of others is in hand for too long");
            memory.suspects_wait_until = Some(Instant::now() + SUSPECTS_PAUSE);
            return Ok(false);
        };
        if self.lending.take_settled(&taken.listed, &taken.outcome) {
            // It had come through after all, when nobody waited for it any more.
            self.to_delete.push(taken.listed.number);
            return Ok(true);
        }
        // Only now: a connection that is cut before, or a server that does not give the mail, is not the letter's doing.
        if !is_poison {
            self.parts.attempt(suspect.token.clone(), memory.absolved.clone()).await?;
            memory.absolved.clear();
            point("mailbox_poller::alone");
        }
        // Nothing stands worse, so it is not given back whatever it claims.
        let state = if is_poison { MailState::Poison } else { memory.state(&taken.listed) };
        self.lend(taken, alone, Lane::Last, state);
        let fate = self.report_of(listed[0].number).await;
        match AfterAlone::of(fate, is_poison) {
            AfterAlone::Absolved => return Ok(true),
            AfterAlone::Failed => tracing::error!(
                mailbox = &*self.parts.name,
                attempts = suspect.attempts + 1,
                attempts_max = ATTEMPTS_MAX,
                "a letter made the centre fail, alone"
            ),
            AfterAlone::TakenBack => {
                memory.returned.push(suspect.token.clone());
                memory.take_attempts_back(self.parts).await?;
            }
            AfterAlone::Unknown => {}
        }
        Ok(false)
    }
}
