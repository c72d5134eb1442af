//! Suspects: mails that were in hand when code panicked, hung or was killed. Each is tried with nothing else in hand, and becomes poison
//! after three failures.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use store::letters::in_hand::{ATTEMPTS_MAX, Suspect};
use store::planted::point;
use tokio::time::{timeout, timeout_at};

use super::alone::{ALONE_WAIT_MAX, AfterAlone, TURN_WAIT_MAX};
use super::memory::Memory;
use super::poll::Poll;
use super::polled::PollError;
use super::source::MailState;
use crate::claims::Lane;
use crate::transport::{Candidate, FetchOutcome, Session};

/// Pause before the next try of a suspect, where other mail was in hand for too long, so that other mail goes on undisturbed.
const SUSPECTS_PAUSE: Duration = Duration::from_secs(60);

impl Poll<'_> {
    /// Tries each suspect with nothing else in hand in the whole process. The attempt is committed to the database first.
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
        // Of several mails with one hint the first is tried: an innocent one is settled and deleted, and the next is then the first.
        let by_hint: HashMap<Box<str>, &Candidate> = mails.iter().rev().map(|listed| (listed.hint(), listed)).collect();
        // Only a whole listing with a token for every mail shows that a suspect is gone: a server may have given a token yesterday and
        // none today, and a folder lists no file that is still being written.
        let has_every_id = self.is_listed_whole && mails.iter().all(|listed| listed.token.is_some());
        // Also suspects that are not tried now are not fetched beside other mail.
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
            // The turn is held until the suspect's fate is known. So a server that hangs over a suspect holds up suspects of other
            // mailboxes, and no other mail.
            let Ok(_turn) = timeout(TURN_WAIT_MAX, self.parts.hands.take_suspect()).await else { break };
            if self.try_alone(session, listed, &suspect, memory).await? {
                memory.absolved.push(suspect.token);
            }
        }
        self.parts.clear(memory.absolved.clone()).await?;
        memory.absolved.clear();
        Ok(())
    }

    /// Waits for the mails that earlier sessions of this mailbox have lent: a suspect must be alone. Other mailboxes go on meanwhile.
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

    /// Tries one suspect alone. Returns whether it is absolved.
    async fn try_alone(
        &mut self,
        session: &mut dyn Session,
        listed: &Candidate,
        suspect: &Suspect,
        memory: &mut Memory,
    ) -> Result<bool, PollError> {
        let is_poison = suspect.attempts >= ATTEMPTS_MAX;
        let listed = std::slice::from_ref(listed);
        // The suspect is fetched before all other mail is stopped: a server that hangs over it must not stop the others.
        let mut fetching = session.fetch(listed, self.parts.mail_bytes_max).await?;
        let Some(taken) = self.next(&mut fetching, memory).await? else { return Ok(false) };
        // A mail that its source refuses needs no room.
        if let FetchOutcome::Refused(words) = taken.outcome {
            self.refuse(words);
            return Ok(false);
        }
        let Ok(alone) = timeout(ALONE_WAIT_MAX, self.parts.hands.take_all()).await else {
            tracing::warn!(mailbox = &*self.parts.name, "a suspect waits: mail of others is in hand for too long");
            memory.suspects_wait_until = Some(Instant::now() + SUSPECTS_PAUSE);
            return Ok(false);
        };
        if self.lending.take_settled(&taken.listed, &taken.outcome) {
            // The suspect was settled after its session had ended.
            self.to_delete.push(taken.listed.number);
            return Ok(true);
        }
        // The attempt is counted only now: a connection that is cut before, or a mail that is refused, is not the letter's fault.
        if !is_poison {
            self.parts.attempt(suspect.token.clone(), memory.absolved.clone()).await?;
            memory.absolved.clear();
            point("mailbox_poller::alone");
        }
        // The mail goes into the last lane: the decoder sends back a mail whose lane has become worse, and no lane is worse than this one.
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
