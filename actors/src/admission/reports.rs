//! The fates of lent mails. They are reported to the session that is open, even if an earlier session has lent the mail.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::lending::Returned;
use super::memory::Memory;
use super::poll::Poll;
use super::polled::{PollError, SETTLE_WAIT_MAX};
use super::records::LEASE_HOLD;
use crate::custody::{Fate, Report};
use crate::transport::{Candidate, Session, Taken};

impl Poll<'_> {
    /// Handles the reports that have arrived, and remembers which mails stay in the source.
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
            (Fate::Suspect, _) => self.lending.suspects.push(mail.listed.hint().into()),
        }
    }

    /// Moves the mails that stay in the source to the poller's memory, as left, deferred or withheld.
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

    /// Waits for the next report. Returns whether one has arrived.
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

    /// Waits for the next report, for `wait_max` at most, and renews the source's lease meanwhile: without the lease, another process would
    /// take the source over and treat the lent mail as suspect. Nothing is returned: the caller looks at the mails that are still lent.
    async fn next_report_within(&mut self, wait_max: Duration) {
        drop(timeout(wait_max.min(LEASE_HOLD / 3), self.next_report()).await);
        if let Err(error) = self.renew_lease().await {
            tracing::debug!(mailbox = &*self.parts.name, %error, "the lease is renewed later");
        }
    }

    /// Waits until the lent mails are reported, for `wait_max` at most, or up to [`SETTLE_WAIT_MAX`] for mails that a later session could
    /// not recognise. Returns how many unrecognisable mails were not reported in time. These are forgotten, and fetched again as new.
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

    /// Fetches again the mails that were settled after their session had ended, and deletes those that have not changed. Returns the
    /// numbers of the deleted mails. Each mail is dropped before the next is fetched, so no permits are needed. Several windows (groups of
    /// mails) are fetched one after another. The first is fetched however long the session has lasted; after a fifth of the session's time,
    /// the rest is left to the next session, so that this one also has time for mail that is not settled.
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

    /// Deletes the rows of `xm.in_hand` whose mails have all been reported. The rows with mails that are still lent stay, with the
    /// identifier of this life of the poller.
    pub async fn finish(&mut self, memory: &mut Memory) -> Result<(), PollError> {
        self.remember_given_back(memory);
        let suspects = self.lending.suspects.clone();
        // A row with a mail that is still lent stays. If the program dies now, the next life finds the row and treats its mails as
        // suspects.
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
