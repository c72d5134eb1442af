//! What becomes of the mails that are lent: reported to the session that is held, whichever has lent them.

use std::time::{Duration, Instant};

use mail::pop3::{Listed, Retrieved, Session};
use tokio::time::timeout_at;

use super::lending::Returned;
use super::memory::{Memory, hint};
use super::session::{Poll, PollError};
use crate::delivery::{Fate, Report};

/// Longest wait for mail in hand at the end of a session; what is late is carried over, so that mail that came since is seen.
const CARRIED_AFTER: Duration = Duration::from_secs(1);
/// The same where another session would not know the mail again, or there is none; what is late then comes again.
pub const SETTLE_WAIT_MAX: Duration = Duration::from_secs(120);

impl Poll<'_> {
    /// Takes the reports that have come.
    pub fn collect_reports(&mut self) {
        while let Some(report) = self.lending.try_report() {
            self.take_report(report);
        }
    }

    fn take_report(&mut self, report: Report) {
        let Some(Returned { mail, number }) = self.lending.take_back(report.number) else { return };
        if let Some(number) = number {
            self.tried.insert(number, report.fate);
        }
        match (report.fate, number) {
            (Fate::Settled, Some(number)) => self.to_delete.push(number),
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

    /// Puts what was given back among the deferred, or among what waits for its table.
    pub fn remember_given_back(&mut self, memory: &mut Memory) {
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
        let deadline = tokio::time::Instant::now() + SETTLE_WAIT_MAX;
        while self.lending.is_lent(number) {
            if !timeout_at(deadline, self.next_report()).await.unwrap_or_default() {
                return None;
            }
        }
        self.tried.get(&number).copied()
    }

    /// Waits for the mails in hand, not for long where a later session knows them again. Returns how many did not come back and
    /// were forgotten: their lines are struck out, and they come again.
    pub async fn wait_for_lent(&mut self) -> usize {
        let began = tokio::time::Instant::now();
        loop {
            let is_last = self.parts.drain.is_told() || self.lending.has_without_id();
            let wait_max = if is_last { SETTLE_WAIT_MAX } else { CARRIED_AFTER };
            if self.lending.is_empty() || began.elapsed() >= wait_max {
                return self.lending.forget_without_id();
            }
            // Whether a report has come or not: what is left of the time is judged anew.
            drop(timeout_at(began + wait_max, self.next_report()).await);
        }
    }

    /// Fetches what was settled after its session, and has it deleted if it is the same mail. Each is let go of before the next
    /// comes, so that none needs room.
    pub async fn delete_carried(
        &mut self,
        session: &mut Session,
        mails: &[Listed],
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        let settled: Vec<Listed> = mails.iter().filter(|listed| self.lending.is_settled(listed)).cloned().collect();
        for window in settled.chunks(self.parts.window_mails) {
            self.renew_lease().await?;
            let mut retrieval = session.retrieve(window, self.parts.mail_bytes_max).await?;
            while let Some(Retrieved { listed, outcome }) = self.next(&mut retrieval, memory).await? {
                if self.lending.take_settled(&listed, &outcome) {
                    self.to_delete.push(listed.number);
                } else {
                    // Another mail has its id now.
                    self.has_given_back = true;
                }
            }
            self.delete_settled(session).await?;
        }
        Ok(())
    }
}
