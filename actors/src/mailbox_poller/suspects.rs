//! Mail that was in hand when something died: each is tried with nothing else in hand, and set aside after some failures.

use std::collections::HashMap;

use mail::pop3::{Listed, Session};
use store::failure::point;
use store::in_hand::Suspect;

use super::memory::Memory;
use super::session::{Poll, PollError};
use crate::delivery::Fate;
use crate::lanes::Lane;

/// Failures alone after which a letter is poison.
const ATTEMPTS_MAX: i16 = 3;

impl Poll<'_> {
    /// Tries each suspect with nothing else in hand in the whole process, the attempt committed first.
    pub async fn try_suspects(
        &mut self,
        session: &mut Session,
        listing: &[Listed],
        suspects: Vec<Suspect>,
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        if suspects.is_empty() {
            return Ok(());
        }
        let by_uidl: HashMap<&str, &Listed> = listing.iter().map(|listed| (&*listed.uidl, listed)).collect();
        // Whatever becomes of them now, they are not fetched beside others.
        self.suspected = suspects.iter().map(|suspect| suspect.uidl.as_str().into()).collect();
        for suspect in suspects {
            let Some(listed) = by_uidl.get(suspect.uidl.as_str()) else {
                memory.absolved.push(suspect.uidl);
                continue;
            };
            if self.parts.drain.is_told() || !self.parts.intake.is_open() {
                break;
            }
            self.renew_lease().await?;
            if self.try_alone(session, listed, &suspect, memory).await? {
                memory.absolved.push(suspect.uidl);
            }
        }
        self.parts.clear(memory.absolved.clone()).await?;
        memory.absolved.clear();
        Ok(())
    }

    /// Returns whether the suspect is settled.
    async fn try_alone(
        &mut self,
        session: &mut Session,
        listed: &Listed,
        suspect: &Suspect,
        memory: &mut Memory,
    ) -> Result<bool, PollError> {
        let is_poison = suspect.attempts >= ATTEMPTS_MAX;
        let listed = std::slice::from_ref(listed);
        // A server that hangs must not hold up the other mailboxes: everything else stops when the mail is here. So one mail of
        // each mailbox may be in hand beyond the room.
        let mut retrieval = session.retrieve(listed, self.parts.mail_bytes_max).await?;
        if let Some(retrieved) = retrieval.next().await? {
            let alone = self.parts.hands.take_all().await;
            // Only now: a connection that is cut before is not the letter's doing.
            if !is_poison {
                self.parts.attempt(suspect.uidl.clone(), memory.absolved.clone()).await?;
                memory.absolved.clear();
                point("mailbox_poller::alone");
            }
            // Nothing stands worse, so it is not given back whatever it claims.
            self.lend(retrieved, alone, Lane::Last, is_poison);
        }
        let fate = self.reports_of_one(listed[0].number).await;
        match fate {
            Some(Fate::Settled | Fate::Left) => return Ok(true),
            Some(Fate::Suspect) => tracing::error!(
                mailbox = &*self.parts.name,
                attempts = suspect.attempts + 1,
                attempts_max = ATTEMPTS_MAX,
                "a letter made the centre fail, alone"
            ),
            // A fault or a stop is not the letter's doing.
            Some(Fate::Returned | Fate::Deferred) if !is_poison => {
                memory.returned.push(suspect.uidl.clone());
                memory.take_attempts_back(self.parts).await?;
            }
            Some(Fate::Returned | Fate::Deferred) | None => {}
        }
        Ok(false)
    }
}
