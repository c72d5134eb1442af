//! One session: sign in, list, try the suspects alone, fetch the rest in windows, delete what is settled, QUIT.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::Utc;
use mail::MailError;
use mail::pop3::{Listed, Outcome, Retrieved, Session};
use sdc::document;
use sdc::letter::Matricule;
use store::failure::{self, Bug, point};
use store::fault::Fault;
use store::in_hand::Suspect;
use store::settle::Source;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use uuid::Uuid;

use super::MailboxPollerParts;
use super::database_calls::LEASE_HOLD;
use crate::delivery::{Fate, Permits, Report, Share};
use crate::lanes::Lane;
use crate::messages::Fetched;

/// Failures alone after which a letter is poison.
const ATTEMPTS_MAX: i16 = 3;
/// Longest wait for mail in hand at the end of a session; what is late then comes again.
const SETTLE_WAIT_MAX: Duration = Duration::from_secs(120);

/// Longest wait of a session for places in the slow lane.
const SLOW_PLACES_WAIT_MAX: Duration = Duration::from_millis(200);

/// What a poller remembers between sessions. Only an optimisation: forgetting it costs a second fetch.
#[derive(Default)]
pub struct Memory {
    /// Mails that stay in the mailbox by its rule.
    left: HashSet<Box<str>>,
    /// Mails of the slow lane that found it full or may wait, with the agencies that they claim.
    deferred: HashMap<Box<str>, Option<Matricule>>,
    /// Suspects settled alone whose lines are not cleared yet.
    absolved: Vec<String>,
    /// Suspects whose last attempt a fault or a stop ended, and does not count.
    returned: Vec<String>,
    /// Number of the next line written down in this life.
    next_batch: i64,
}

/// What a poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polled {
    /// The mailbox is evidently not empty: poll again at once.
    pub is_worth_another: bool,
}

/// Why a poll failed.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// The mailbox or the way to it.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The database.
    #[error(transparent)]
    Database(#[from] Fault),
    /// Letters in hand did not come back in time.
    #[error("{0} mails in hand were not settled within {seconds} s; they stay in the mailbox and come again", seconds = SETTLE_WAIT_MAX.as_secs())]
    Unsettled(usize),
}

impl PollError {
    /// Names the step that failed, as on metrics.
    pub fn step(&self) -> &'static str {
        match self {
            PollError::Mail(error) => error.step.as_str(),
            PollError::Database(_) => "database",
            PollError::Unsettled(_) => "settle",
        }
    }
}

/// Polls once.
pub async fn poll(parts: &MailboxPollerParts, life: Uuid, memory: &mut Memory) -> Result<Polled, PollError> {
    if !parts.take_lease().await? {
        return Ok(Polled { is_worth_another: false });
    }
    memory.take_attempts_back(parts).await?;
    let suspects = parts.suspects(life).await?;
    let mut session = parts.mailbox.open().await?;
    let listing = session.listing().await?;
    parts
        .metrics
        .mailbox_mails
        .with_label_values(&[&*parts.name])
        .set(i64::try_from(listing.len()).unwrap_or(i64::MAX));
    point("mailbox_poller::listed");
    memory.forget_all_but(&listing);
    let mut poll = Poll::new(parts, life);
    let fetched = poll.fetch(&mut session, &listing, suspects, memory).await;
    // Whatever became of the session, what was handed on comes back first; only then is the line struck out.
    let unsettled = poll.wait_for_all().await;
    let ended = match fetched {
        Ok(()) => poll.delete_and_quit(session).await,
        Err(error) => Err(error),
    };
    poll.finish(memory).await?;
    ended?;
    if parts.drain.is_told() {
        parts.release_lease().await?;
    }
    if unsettled > 0 {
        return Err(PollError::Unsettled(unsettled));
    }
    // A mailbox that was not empty is looked into again at once. Where nothing was deleted nothing was gained either: mail
    // that all comes back must not be polled in a tight loop.
    Ok(Polled { is_worth_another: poll.deleted > 0 })
}

impl Memory {
    /// The database may be what failed: what cannot be taken back now is taken back before the next attempt.
    async fn take_attempts_back(&mut self, parts: &MailboxPollerParts) -> Result<(), PollError> {
        if !self.returned.is_empty() {
            parts.take_attempts_back(self.returned.clone()).await?;
            self.returned.clear();
        }
        Ok(())
    }

    fn forget_all_but(&mut self, listing: &[Listed]) {
        if self.left.is_empty() && self.deferred.is_empty() {
            return;
        }
        let listed: HashSet<&str> = listing.iter().map(|listed| &*listed.uidl).collect();
        self.left.retain(|uidl| listed.contains(&**uidl));
        self.deferred.retain(|uidl, _| listed.contains(&**uidl));
    }
}

struct Poll<'a> {
    parts: &'a MailboxPollerParts,
    life: Uuid,
    started: Instant,
    lease_taken: Instant,
    sender: UnboundedSender<Report>,
    reports: UnboundedReceiver<Report>,
    /// Mails lent and not reported yet.
    lent: HashMap<u32, Box<str>>,
    /// Settled and not deleted yet.
    to_delete: Vec<u32>,
    deleted: usize,
    batches: Vec<i64>,
    suspects: Vec<String>,
    /// Suspects when the session began.
    suspected: HashSet<Box<str>>,
    left: Vec<Box<str>>,
}

impl<'a> Poll<'a> {
    fn new(parts: &'a MailboxPollerParts, life: Uuid) -> Poll<'a> {
        let (sender, reports) = unbounded_channel();
        Poll {
            parts,
            life,
            started: Instant::now(),
            lease_taken: Instant::now(),
            sender,
            reports,
            lent: HashMap::new(),
            to_delete: Vec::new(),
            deleted: 0,
            batches: Vec::new(),
            suspects: Vec::new(),
            suspected: HashSet::new(),
            left: Vec::new(),
        }
    }

    /// Fetches what this session may.
    async fn fetch(
        &mut self,
        session: &mut Session,
        listing: &[Listed],
        suspects: Vec<Suspect>,
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        self.try_suspects(session, listing, suspects, memory).await?;
        self.fetch_rest(session, listing, memory).await
    }

    /// Only a QUIT that was answered has deleted anything.
    async fn delete_and_quit(&mut self, mut session: Session) -> Result<(), PollError> {
        self.delete_settled(&mut session).await?;
        point("mailbox_poller::quit");
        session.quit().await?;
        point("mailbox_poller::after_quit");
        Ok(())
    }

    /// Tries each suspect with nothing else in hand in the whole process, the attempt committed first.
    async fn try_suspects(
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
        let alone = self.parts.hands.take_all().await;
        let is_poison = suspect.attempts >= ATTEMPTS_MAX;
        let listed = std::slice::from_ref(listed);
        let mut retrieval = session.retrieve(listed, self.parts.mail_bytes_max).await?;
        if let Some(retrieved) = retrieval.next().await? {
            // Only now: a connection that is cut before is not the letter's doing.
            if !is_poison {
                self.parts.attempt(suspect.uidl.clone(), memory.absolved.clone()).await?;
                memory.absolved.clear();
                point("mailbox_poller::alone");
            }
            self.lend(retrieved, alone, Lane::Fast, is_poison);
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
            Some(Fate::Returned) if !is_poison => {
                memory.returned.push(suspect.uidl.clone());
                memory.take_attempts_back(self.parts).await?;
            }
            Some(Fate::Returned) | None => {}
        }
        Ok(false)
    }

    /// Fetches everything else, what is not deferred first.
    async fn fetch_rest(
        &mut self,
        session: &mut Session,
        listing: &[Listed],
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        let fetched_alone: HashSet<u32> = self.lent.keys().copied().chain(self.to_delete.iter().copied()).collect();
        let wanted = |listed: &&Listed| {
            !fetched_alone.contains(&listed.number)
                && !memory.left.contains(&listed.uidl)
                && !self.suspects.iter().any(|uidl| **uidl == *listed.uidl)
                && !self.suspected.contains(&listed.uidl)
        };
        let (mut deferred, fresh): (Vec<Listed>, Vec<Listed>) =
            listing.iter().filter(wanted).cloned().partition(|listed| memory.deferred.contains_key(&listed.uidl));
        let mut fresh = fresh.as_slice();
        let mut asked = 0;
        while !fresh.is_empty() {
            if self.must_end(asked, false) {
                return Ok(());
            }
            let (window, rest) = fresh.split_at(self.window(fresh));
            fresh = rest;
            asked += window.len();
            self.fetch_window(session, window, false, memory).await?;
        }
        while !deferred.is_empty() && !self.must_end(asked, true) {
            // In the order of what is known by now.
            let claim = |listed: &Listed| memory.deferred.get(&listed.uidl).copied().flatten();
            self.parts.claims.what_may_wait_last(&mut deferred, claim);
            let window: Vec<Listed> = deferred.drain(..self.window(&deferred)).collect();
            asked += window.len();
            if !self.fetch_window(session, &window, true, memory).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn must_end(&self, asked: usize, is_deferred: bool) -> bool {
        let parts = self.parts;
        // Mail of the slow lane waits at any rate: it must not keep new mail of the offices from being seen.
        let time_max = if is_deferred { parts.session_time_max / 10 } else { parts.session_time_max };
        let is_over_time = asked > 0 && self.started.elapsed() > time_max;
        parts.drain.is_told() || !parts.intake.is_open() || asked >= parts.session_mails_max || is_over_time
    }

    /// Fetches mails; deferred ones only where the slow lane has places for them all. Returns whether it has.
    async fn fetch_window(
        &mut self,
        session: &mut Session,
        window: &[Listed],
        is_deferred: bool,
        memory: &mut Memory,
    ) -> Result<bool, PollError> {
        self.renew_lease().await?;
        let bytes: u64 = window.iter().map(|listed| self.bytes_in_hand(listed)).sum();
        let mails = u32::try_from(window.len()).unwrap_or(u32::MAX);
        let mut permits = self.parts.hands.take(mails, bytes).await;
        let mut slow = None;
        if is_deferred {
            // Else they would be fetched only to be put back. After the other permits, as whoever wants to be alone does.
            let places = self.parts.hands.take_slow(mails);
            slow = tokio::time::timeout(SLOW_PLACES_WAIT_MAX, places).await.ok();
            if slow.is_none() {
                return Ok(false);
            }
        }
        let batch = memory.next_batch;
        memory.next_batch += 1;
        let uidls = window.iter().map(|listed| listed.uidl.to_string()).collect();
        self.parts.record(self.life, batch, uidls).await?;
        self.batches.push(batch);
        point("mailbox_poller::recorded");
        let mut retrieval = session.retrieve(window, self.parts.mail_bytes_max).await?;
        while let Some(retrieved) = retrieval.next().await? {
            point("mailbox_poller::retrieved");
            let own = permits.split(self.bytes_in_hand(&retrieved.listed));
            self.place(retrieved, own, slow.as_mut(), memory);
        }
        self.parts.metrics.in_hand.set(i64::from(self.parts.hands.in_hand()));
        self.collect_reports();
        self.delete_settled(session).await?;
        Ok(true)
    }

    /// Returns how many of these mails to ask for at a time: at least one, else no more bytes than there is room for.
    fn window(&self, listed: &[Listed]) -> usize {
        let mut bytes = 0;
        let fits = |listed: &&Listed| {
            bytes += self.bytes_in_hand(listed);
            bytes <= self.parts.window_bytes_max
        };
        listed.iter().take(self.parts.window_mails).take_while(fits).count().max(1)
    }

    fn bytes_in_hand(&self, listed: &Listed) -> u64 {
        // A server may tell less than it sends; the poller's own limit stands in both cases.
        listed.size_bytes.min(self.parts.mail_bytes_max).max(1)
    }

    /// Picks the lane of a mail that has just arrived.
    fn place(&mut self, retrieved: Retrieved, permits: Permits, slow: Option<&mut Permits>, memory: &mut Memory) {
        let uidl = retrieved.listed.uidl.clone();
        let (lane, claim) = match &retrieved.outcome {
            Outcome::Mail(mail) => {
                let claim = document::claim(mail);
                (self.parts.claims.lane(claim), claim)
            }
            Outcome::OverSize { .. } | Outcome::Refused(_) => (Lane::Slow, None),
        };
        if lane == Lane::Fast {
            memory.deferred.remove(&uidl);
            return self.lend(retrieved, permits, lane, false);
        }
        let place = match slow {
            Some(slow) => slow.split_slow(),
            None if claim.is_some() && self.parts.claims.may_wait(claim) => None,
            None => self.parts.hands.try_take_slow(),
        };
        match place {
            Some(place) => {
                memory.deferred.remove(&uidl);
                self.lend(retrieved, permits.into_slow(place), lane, false);
            }
            // The mailbox keeps it meanwhile.
            None => {
                memory.deferred.insert(uidl, claim);
            }
        }
    }

    fn lend(&mut self, retrieved: Retrieved, permits: Permits, lane: Lane, is_poison: bool) {
        let Retrieved { listed, outcome } = retrieved;
        let (mail, over_size_bytes) = match outcome {
            Outcome::Mail(mail) => (mail, None),
            Outcome::OverSize { head, size_bytes } => (head, Some(size_bytes)),
            Outcome::Refused(words) => {
                tracing::warn!(mailbox = &*self.parts.name, words, "the mailbox does not give a mail that it lists");
                return;
            }
        };
        self.parts.metrics.mails_fetched.with_label_values(&[&*self.parts.name]).inc();
        let claim = document::claim(&mail);
        let share = Share::lend(listed.number, permits, self.sender.clone());
        self.lent.insert(listed.number, listed.uidl);
        let fetched = Fetched {
            mail,
            over_size_bytes,
            source: Source { transport: "mail", mailbox: self.parts.name.clone(), sender_domain: String::new() },
            received_at: Utc::now(),
            taken_at: Instant::now(),
            claim,
            lane,
            no_container: self.parts.no_container,
            is_poison,
            share,
        };
        // The same agency always goes the same way, so that its letters keep their order.
        let spread = claim.map_or(listed.number, u32::from) as usize;
        if let Some(decoder) = self.parts.decoders.get(spread % self.parts.decoders.len().max(1)) {
            decoder.send(fetched);
        }
    }

    fn collect_reports(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            self.take_report(report);
        }
    }

    fn take_report(&mut self, report: Report) {
        let Some(uidl) = self.lent.remove(&report.number) else { return };
        match report.fate {
            Fate::Settled => self.to_delete.push(report.number),
            Fate::Left => self.left.push(uidl),
            Fate::Returned => {}
            Fate::Suspect => self.suspects.push(uidl.into()),
        }
    }

    /// Waits for the report of a mail that is in hand alone.
    async fn reports_of_one(&mut self, number: u32) -> Option<Fate> {
        if !self.lent.contains_key(&number) {
            return None;
        }
        let report = tokio::time::timeout(SETTLE_WAIT_MAX, self.reports.recv()).await.ok().flatten()?;
        self.take_report(report);
        Some(report.fate)
    }

    /// Waits for every mail in hand; returns how many did not come back.
    async fn wait_for_all(&mut self) -> usize {
        let deadline = tokio::time::Instant::now() + SETTLE_WAIT_MAX;
        while !self.lent.is_empty() {
            match tokio::time::timeout_at(deadline, self.reports.recv()).await {
                Ok(Some(report)) => self.take_report(report),
                Ok(None) | Err(_) => break,
            }
        }
        self.lent.len()
    }

    async fn delete_settled(&mut self, session: &mut Session) -> Result<(), PollError> {
        if failure::has(Bug::DeleteBeforeCommit) {
            self.to_delete.extend(self.lent.drain().map(|(number, _)| number));
        }
        if self.to_delete.is_empty() {
            return Ok(());
        }
        point("mailbox_poller::delete");
        let refused = session.delete(&self.to_delete).await?;
        if !refused.is_empty() {
            tracing::warn!(
                mailbox = &*self.parts.name,
                mails = refused.len(),
                "the mailbox refuses to delete settled mail"
            );
        }
        self.deleted += self.to_delete.len() - refused.len();
        self.to_delete.clear();
        point("mailbox_poller::deleted");
        Ok(())
    }

    async fn renew_lease(&mut self) -> Result<(), PollError> {
        if self.lease_taken.elapsed() > LEASE_HOLD / 3 {
            // Losing it is harmless: settling knows what another poller fetches too.
            self.parts.take_lease().await?;
            self.lease_taken = Instant::now();
        }
        Ok(())
    }

    /// Strikes out what came back. Mail that did not stays written down, under this life's name.
    async fn finish(&mut self, memory: &mut Memory) -> Result<(), PollError> {
        memory.left.extend(self.left.drain(..));
        let suspects = std::mem::take(&mut self.suspects);
        // With mail still in hand the lines stay: they name what to suspect if the program dies now.
        let batches = if self.lent.is_empty() { std::mem::take(&mut self.batches) } else { Vec::new() };
        if batches.is_empty() && suspects.is_empty() {
            return Ok(());
        }
        Ok(self.parts.strike_out(self.life, batches, suspects).await?)
    }
}
