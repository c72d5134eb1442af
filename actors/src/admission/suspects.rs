//! A suspect is a mail that was being processed when code panicked, hung or was killed. Each suspect is tried while the process works on no
//! other mail, and becomes poison after three failures.

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

/// Pause of all suspects after one of them waited in vain to be alone. A suspect that waits keeps all other mail from being fetched. During
/// the pause, that mail is fetched and processed.
const SUSPECTS_PAUSE: Duration = Duration::from_secs(60);

impl Poll<'_> {
    /// Tries each suspect while the whole process works on no other mail. The attempt is committed to the database first.
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
        // Where several mails have the same hint, the first is tried. If it is harmless, it is settled and deleted, and the next mail
        // becomes the first.
        let by_hint: HashMap<Box<str>, &Candidate> = mails.iter().rev().map(|listed| (listed.hint(), listed)).collect();
        // A suspect that is not listed counts as deleted only if the listing is whole and gives a token for every mail. A server may give a
        // mail a token on one day and none on the next, and a folder does not list a file that is still being written.
        let has_every_id = self.is_listed_whole && mails.iter().all(|listed| listed.token.is_some());
        // Suspects that are not tried in this session must not be fetched with the other mail either: after a crash, all mail that was in
        // hand with a suspect would be suspected too.
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
            // This lock is kept until the suspect's fate is known. So a server that hangs over a suspect delays suspects of other
            // mailboxes, but no other mail.
            let Ok(_turn) = timeout(TURN_WAIT_MAX, self.parts.hands.take_suspect()).await else { break };
            if self.try_alone(session, listed, &suspect, memory).await? {
                memory.absolved.push(suspect.token);
            }
        }
        self.parts.clear(memory.absolved.clone()).await?;
        memory.absolved.clear();
        Ok(())
    }

    /// Waits until the mails that earlier sessions of this mailbox have lent are reported, since a suspect must be alone. The pollers of
    /// other mailboxes keep fetching meanwhile.
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
        // The suspect is fetched before all other mail is stopped, because a server that hangs over the suspect must not stop the other
        // mail.
        let mut fetching = session.fetch(listed, self.parts.mail_bytes_max).await?;
        let Some(taken) = self.next(&mut fetching, memory).await? else { return Ok(false) };
        // A mail that its source refuses to send is not processed, so the process need not be emptied of other mail for it.
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
            // The suspect was settled after its session had ended, so it only has to be deleted.
            self.to_delete.push(taken.listed.number);
            return Ok(true);
        }
        // The attempt is counted only after the mail has been fetched. If the connection is cut or the server refuses the mail, the mail
        // was not opened, and nothing is known about its harm.
        if !is_poison {
            self.parts.attempt(suspect.token.clone(), memory.absolved.clone()).await?;
            memory.absolved.clear();
            point("mailbox_poller::alone");
        }
        // The decoder returns a mail unopened if its lane has become worse since it was fetched. No lane is worse than the last one, so a
        // suspect in the last lane is always opened.
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
