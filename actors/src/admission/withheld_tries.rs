//! Withheld letters are tried again after all other mail of a session. One letter of each of a few offices is tried. As long as at least
//! one of these letters is settled, letters of further offices are tried.

use std::time::{Duration, Instant};

use sdc::letter::Matricule;
use tokio::time::timeout_at;

use super::memory::Memory;
use super::poll::Poll;
use super::polled::PollError;
use super::withheld::Places;
use crate::custody::Fate;
use crate::transport::{Candidate, Session};

/// Longest wait for the fates of the letters that are tried together.
const FATES_WAIT_MAX: Duration = Duration::from_secs(10);

impl Poll<'_> {
    /// Tries withheld letters of the offices that are due. Ends when no office is due, or when none of the tried letters was settled.
    pub async fn try_withheld(
        &mut self,
        session: &mut dyn Session,
        mails: &[Candidate],
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        let places = Places::of(mails);
        while !self.is_stopped() {
            let firsts = memory.withheld.firsts(&places, Instant::now(), |listed| self.may_try(listed));
            if firsts.is_empty() {
                return Ok(());
            }
            let waiting = self.try_some(session, &firsts, memory).await?;
            let others: Vec<_> = waiting
                .iter()
                .filter_map(|claim| Some((*claim, memory.withheld.another(&places, *claim)?)))
                .filter(|(_, listed)| self.may_try(listed))
                .collect();
            let others_waiting =
                if others.is_empty() { 0 } else { self.try_some(session, &others, memory).await?.len() };
            if waiting.len() == firsts.len() && others_waiting == others.len() || self.must_end(1, true) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Says whether a mail may be tried together with others: it is not lent, not about to be deleted, and no suspect.
    fn may_try(&self, listed: &Candidate) -> bool {
        let is_taken = self.lending.has(listed) || self.to_delete.contains(&listed.number);
        !is_taken && !self.suspected.contains(&listed.hint())
    }

    /// Tries one letter of each of some offices, and waits for the fates. Returns the offices whose letter is still withheld.
    async fn try_some(
        &mut self,
        session: &mut dyn Session,
        tried: &[(Option<Matricule>, Candidate)],
        memory: &mut Memory,
    ) -> Result<Vec<Option<Matricule>>, PollError> {
        let window: Vec<Candidate> = tried.iter().map(|(_, listed)| listed.clone()).collect();
        self.tried.clear();
        let fetched = self.fetch_window(session, &window, false, memory).await?;
        let deadline = tokio::time::Instant::now() + FATES_WAIT_MAX;
        while window.iter().any(|listed| self.lending.is_lent(listed.number)) {
            match timeout_at(deadline, self.next_report()).await {
                Ok(true) => {}
                Ok(false) | Err(_) => break,
            }
        }
        self.remember_given_back(memory);
        self.delete_settled(session).await?;
        let now = Instant::now();
        let mut waiting = Vec::new();
        for (at, (claim, listed)) in tried.iter().enumerate() {
            match self.tried.get(&listed.number) {
                Some(Fate::Settled) => {
                    memory.withheld.release(*claim);
                    self.has_given_back = true;
                    continue;
                }
                // No permits were free for this mail, so it was not fetched and not tried. Its pause stays as it is.
                None if at >= fetched || !self.lending.is_lent(listed.number) => {}
                Some(_) | None => memory.withheld.add(listed, *claim, now),
            }
            waiting.push(*claim);
        }
        Ok(waiting)
    }
}
