//! What becomes of the mails that are lent: reported to the session that is held, whichever has lent them.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::transport::{Candidate, Session, Taken};
use tokio::time::timeout;

use super::lending::Returned;
use super::memory::{Memory, hint};
use super::poll::{Poll, PollError};
use super::records::LEASE_HOLD;
use crate::custody::{Fate, Report};

/// Longest wait for mail in hand at the end of a session; what is late is carried over, so that mail that came since is seen.
pub const CARRIED_AFTER: Duration = Duration::from_secs(1);
/// The same where another session would not know the mail again, or there is none; what is late then comes again.
pub const SETTLE_WAIT_MAX: Duration = Duration::from_secs(120);

impl Poll<'_> {
    /// Takes the reports that have come, and remembers what is to stay.
    pub fn take_back(&mut self, memory: &mut Memory) {
        while let Some(report) = self.lending.try_report() {
            self.take_report(report);
        }
        self.remember_given_back(memory);
    }

    fn take_report(&mut self, report: Report) {
        let Some(Returned { mail, number }) = self.lending.take_back(report.number) else { return };
        if let Some(number) = number {
            self.tried.insert(number, report.fate);
        }
        match (report.fate, number) {
            (Fate::Settled, Some(number)) => {
                self.lending.mark(number, &mail);
                self.to_delete.push(number);
            }
            (Fate::Settled, None) => {
                self.has_given_back = true;
                self.lending.settled(&mail);
            }
            (Fate::Left, _) => self.left.push(mail.listed),
            (Fate::Deferred, _) => self.given_back.push(mail),
            (Fate::Withheld, _) => self.withheld.push(mail),
            (Fate::Returned, _) => {}
            (Fate::Suspect, _) => self.lending.suspects.push(hint(&mail.listed).into()),
        }
    }

    /// Puts what was given back among the deferred, among what waits for its table, or among what stays by the mailbox's rule.
    pub fn remember_given_back(&mut self, memory: &mut Memory) {
        self.left.drain(..).for_each(|listed| memory.leave(&listed));
        self.has_given_back |= !self.given_back.is_empty();
        for lent in self.given_back.drain(..) {
            memory.defer(&lent.listed, lent.claim);
        }
        for lent in self.withheld.drain(..) {
            memory.withheld.add(&lent.listed, lent.claim, Instant::now());
        }
    }

    /// Waits for the next report; says whether there was one.
    pub async fn next_report(&mut self) -> bool {
        let report = self.lending.next_report().await;
        report.map(|report| self.take_report(report)).is_some()
    }

    /// Waits for the report of a mail that this session has lent.
    pub async fn report_of(&mut self, number: u32) -> Option<Fate> {
        let began = Instant::now();
        while self.lending.is_lent(number) && began.elapsed() < SETTLE_WAIT_MAX {
            self.next_report_within(SETTLE_WAIT_MAX.saturating_sub(began.elapsed())).await;
        }
        self.tried.get(&number).copied()
    }

    /// Waits for the next report, for so long at most, and keeps the mailbox's lease meanwhile: who took it over would suspect what
    /// is in hand. Whether a report has come or not is judged by what is lent then.
    async fn next_report_within(&mut self, wait_max: Duration) {
        drop(timeout(wait_max.min(LEASE_HOLD / 3), self.next_report()).await);
        if let Err(error) = self.renew_lease().await {
            tracing::debug!(mailbox = &*self.parts.name, %error, "the lease is renewed later");
        }
    }

    /// Waits for the mails in hand, no longer than that where a later session knows them again. Returns how many did not come back
    /// and were forgotten: their lines are struck out, and they come again.
    pub async fn wait_for_lent(&mut self, wait_max: Duration) -> usize {
        let began = Instant::now();
        loop {
            let wait_max = if self.lending.has_without_id() { SETTLE_WAIT_MAX } else { wait_max };
            if self.lending.is_empty() || began.elapsed() >= wait_max {
                return self.lending.forget_without_id();
            }
            self.next_report_within(wait_max.saturating_sub(began.elapsed())).await;
        }
    }

    /// Fetches what was settled after its session, and has it deleted if it is the same mail; returns the numbers of those. Each is
    /// let go of before the next comes, so that none needs room. A window has its turn in every session, others while a fifth of its
    /// time is not over.
    pub async fn delete_carried(
        &mut self,
        session: &mut dyn Session,
        mails: &[Candidate],
        memory: &mut Memory,
    ) -> Result<HashSet<u32>, PollError> {
        let settled: Vec<Candidate> = mails.iter().filter(|listed| self.lending.is_settled(listed)).cloned().collect();
        let mut gone = HashSet::new();
        for window in settled.chunks(self.turns.window_mails) {
            if !gone.is_empty() && self.started.elapsed() > self.turns.session_time_max / 5 {
                break;
            }
            self.renew_lease().await?;
            let mut fetching = session.fetch(window, self.parts.mail_bytes_max).await?;
            while let Some(Taken { listed, outcome }) = self.next(&mut fetching, memory).await? {
                if self.lending.take_settled(&listed, &outcome) {
                    self.to_delete.push(listed.number);
                    gone.insert(listed.number);
                }
            }
            drop(fetching);
            self.delete_settled(session).await?;
        }
        Ok(gone)
    }
}
