//! Mail is fetched in windows: what may be a letter of ordinary size first, then large mail, then what may wait, then some of what
//! has waited for its table.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use mail::pop3::{Listed, Outcome, Retrieved, Session};
use sdc::document;
use store::failure::point;

use super::memory::{Memory, hint};
use super::session::{MailState, Poll, PollError};
use crate::delivery::Permits;
use crate::lanes::{Lane, Tried};

/// Size of a mail above which it is fetched after all others: a letter of the default limit, 256 KB sealed (SPEC 3), is
/// smaller in any encoding, so that no letter waits behind mail of strangers that takes a hundred times as long.
const LARGE_MAIL_BYTES: u64 = 512 << 10;

/// Difference between the size of a mail as listed and as found that needs no room of its own.
const SIZE_ERROR_BYTES: u64 = 1024;

/// Deferred mail is fetched in windows of a part of the usual number: one in this many.
const DEFERRED_PARTS: usize = 4;

/// Longest wait of a session for places in the slow lane.
const SLOW_PLACES_WAIT_MAX: Duration = Duration::from_millis(200);

/// Longest wait of a window of the last lane for the slow lane, and the time between two looks.
const LAST_LANE_WAIT_MAX: Duration = Duration::from_millis(500);
const LAST_LANE_WAIT_STEP: Duration = Duration::from_millis(20);

/// What a mail that waited brings along.
struct Deferred {
    /// Its place in the slow lane.
    place: Option<Permits>,
    /// The mark that its agency's claim is being tried.
    tried: Option<Tried>,
}

impl Poll<'_> {
    /// Fetches everything else: first what may be a letter of ordinary size, then large mail, then what is deferred.
    pub async fn fetch_rest(
        &mut self,
        session: &mut Session,
        mails: &[Listed],
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        let fetched_alone: HashSet<u32> = self.lent.keys().copied().chain(self.to_delete.iter().copied()).collect();
        let is_suspected = |listed: &Listed| {
            let anybody = !self.suspects.is_empty() || !self.suspected.is_empty();
            let of = |hint: &str| self.suspects.iter().any(|suspect| suspect == hint) || self.suspected.contains(hint);
            anybody && of(&hint(listed))
        };
        let stays = |listed: &Listed| memory.has_left(listed) || memory.withheld.has(listed);
        let wanted =
            |listed: &&Listed| !fetched_alone.contains(&listed.number) && !stays(listed) && !is_suspected(listed);
        // What stands well again needs no place in the slow lane.
        let waits = |listed: &Listed| {
            memory.deferred_claim(listed).is_some_and(|claim| self.parts.claims.lane(claim) != Lane::Fast)
        };
        let (deferred, fresh): (Vec<Listed>, Vec<Listed>) = mails.iter().filter(wanted).cloned().partition(waits);
        let (mut large, small): (Vec<Listed>, Vec<Listed>) =
            fresh.into_iter().partition(|listed| memory.likely_bytes(listed) > LARGE_MAIL_BYTES);
        // What takes least from the others goes before them.
        large.sort_by_key(|listed| memory.likely_bytes(listed));
        let (mut small, mut large) = (small.as_slice(), large.as_slice());
        let mut asked = 0;
        while !small.is_empty() && !self.must_end(asked, false) {
            asked += self.fetch_first(session, &mut small, memory).await?;
        }
        // A window of large mail has its turn in every session, however much of the other there is.
        let mut is_first = !self.is_stopped();
        while !large.is_empty() && (is_first || !self.must_end(asked, true)) {
            is_first = false;
            asked += self.fetch_first(session, &mut large, memory).await?;
        }
        self.fetch_deferred(session, deferred, asked, memory).await
    }

    /// Fetches what is deferred, in the order of what is known by now.
    async fn fetch_deferred(
        &mut self,
        session: &mut Session,
        deferred: Vec<Listed>,
        mut asked: usize,
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        let mut deferred = self.in_order(deferred, memory);
        let mut until_sorted = self.parts.window_mails;
        // A window has its turn in every session here too: a letter of an office may be in it.
        let mut is_first = true;
        while let Some(first) = deferred.front() {
            let has_waited = self.wait_for_slow_lane(first, memory).await;
            if self.is_stopped() || (!is_first && self.must_end(asked, true)) {
                return Ok(());
            }
            is_first = false;
            if has_waited || until_sorted == 0 {
                deferred = self.in_order(deferred, memory);
                until_sorted = self.parts.window_mails;
            }
            // Few at a time, because the next ones show more.
            let few = self.window(&deferred, memory).div_ceil(DEFERRED_PARTS);
            let window: Vec<Listed> = deferred.drain(..few).collect();
            until_sorted = until_sorted.saturating_sub(few);
            asked += few;
            if !self.fetch_window(session, &window, true, memory).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Puts deferred mail in the order in which it is tried.
    fn in_order(&self, deferred: impl Into<VecDeque<Listed>>, memory: &Memory) -> VecDeque<Listed> {
        let deferred = deferred.into();
        let ranks = self.parts.claims.ranks(deferred.iter().map(|listed| memory.claim(listed)));
        let mut ranked: Vec<_> = ranks.into_iter().zip(deferred).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, listed)| listed).collect()
    }

    /// Lets a mail of the last lane wait while all mailboxes together have enough of the slow lane for the processors to do.
    /// Returns whether it has waited.
    async fn wait_for_slow_lane(&self, first: &Listed, memory: &Memory) -> bool {
        let claims = &self.parts.claims;
        let is_last = claims.lane(memory.claim(first)) == Lane::Last;
        let began = Instant::now();
        let mut has_waited = false;
        while is_last && claims.is_slow_lane_busy() && began.elapsed() < LAST_LANE_WAIT_MAX && !self.is_stopped() {
            has_waited = true;
            tokio::time::sleep(LAST_LANE_WAIT_STEP).await;
        }
        has_waited
    }

    /// Fetches the first of these mails and takes them off; returns how many.
    async fn fetch_first(
        &mut self,
        session: &mut Session,
        mails: &mut &[Listed],
        memory: &mut Memory,
    ) -> Result<usize, PollError> {
        let (window, rest) = mails.split_at(self.window(*mails, memory));
        *mails = rest;
        self.fetch_window(session, window, false, memory).await?;
        Ok(window.len())
    }

    pub fn is_stopped(&self) -> bool {
        !self.parts.may_fetch()
    }

    pub fn must_end(&self, asked: usize, may_wait: bool) -> bool {
        let parts = self.parts;
        // What may wait must not keep new mail of the offices from being seen.
        let time_max = if may_wait { parts.session_time_max / 5 } else { parts.session_time_max };
        let is_over_time = asked > 0 && self.started.elapsed() > time_max;
        self.is_stopped() || asked >= parts.session_mails_max || is_over_time
    }

    /// Fetches mails; deferred ones only where the slow lane has places for them all. Returns whether it has.
    pub async fn fetch_window(
        &mut self,
        session: &mut Session,
        window: &[Listed],
        is_deferred: bool,
        memory: &mut Memory,
    ) -> Result<bool, PollError> {
        // Before any wait, so that other mailboxes try the mail of others meanwhile.
        let claims = window.iter().filter(|_| is_deferred).map(|listed| memory.claim(listed));
        let mut tried: VecDeque<_> = claims.map(|claim| Some(self.parts.claims.trying(claim?))).collect();
        self.renew_lease().await?;
        let bytes: u64 = window.iter().map(|listed| self.bytes_in_hand(listed, memory)).sum();
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
        let hints = window.iter().map(|listed| hint(listed).into()).collect();
        self.parts.record(self.life, batch, hints).await?;
        self.batches.push(batch);
        point("mailbox_poller::recorded");
        let mut retrieval = session.retrieve(window, self.parts.mail_bytes_max).await?;
        while let Some(retrieved) = self.next(&mut retrieval, memory).await? {
            point("mailbox_poller::retrieved");
            let own = permits.split(self.bytes_in_hand(&retrieved.listed, memory));
            let deferred =
                slow.as_mut().map(|slow| Deferred { place: slow.split_slow(), tried: tried.pop_front().flatten() });
            if let Some(own) = self.with_room(&retrieved, own, memory) {
                self.place(retrieved, own, deferred, memory);
            }
        }
        self.collect_reports();
        self.remember_given_back(memory);
        self.delete_settled(session).await?;
        Ok(true)
    }

    /// Returns how many of these mails to ask for at a time: at least one, else no more bytes than there is room for.
    fn window<'l>(&self, listed: impl IntoIterator<Item = &'l Listed>, memory: &Memory) -> usize {
        let mut bytes = 0;
        let fits = |listed: &&Listed| {
            bytes += self.bytes_in_hand(listed, memory);
            bytes <= self.parts.window_bytes_max
        };
        listed.into_iter().take(self.parts.window_mails).take_while(fits).count().max(1)
    }

    fn bytes_in_hand(&self, listed: &Listed, memory: &Memory) -> u64 {
        memory.likely_bytes(listed).min(self.parts.mail_bytes_max).max(1)
    }

    /// A server may say less than it sends: what is beyond needs room of its own. Where there is none the mail stays in
    /// its mailbox, and its true size is known from now on. Nothing waits here, since whoever waits holds room already.
    fn with_room(&mut self, retrieved: &Retrieved, own: Permits, memory: &mut Memory) -> Option<Permits> {
        let Outcome::Mail(mail) = &retrieved.outcome else { return Some(own) };
        let (bytes, likely) = (mail.len() as u64, self.bytes_in_hand(&retrieved.listed, memory));
        // Some servers count the end of a line as one octet.
        if bytes <= likely + likely / 8 + SIZE_ERROR_BYTES {
            return Some(own);
        }
        if let Some(more) = self.parts.hands.try_take_bytes(bytes - likely) {
            return Some(own.with(more));
        }
        memory.true_bytes.insert(hint(&retrieved.listed), bytes);
        self.has_given_back = true;
        None
    }

    /// Picks the lane of a mail that has just arrived.
    fn place(&mut self, retrieved: Retrieved, permits: Permits, deferred: Option<Deferred>, memory: &mut Memory) {
        let listed = retrieved.listed.clone();
        let (lane, claim) = match retrieved.outcome {
            Outcome::Mail(ref mail) => {
                let claim = document::claim(mail);
                (self.parts.claims.lane(claim), claim)
            }
            Outcome::OverSize { .. } => (Lane::Last, None),
            Outcome::Refused(words) => return self.refuse(words),
        };
        // What came before it with the same claim goes first: it is deferred already, or about to be given back.
        let is_overtaking = claim.is_some_and(|matricule| {
            let is_late = memory.has_deferred(matricule) && memory.deferred_claim(&listed).is_none();
            is_late || self.has_lent_better(matricule, lane)
        });
        if is_overtaking {
            return memory.defer(&listed, claim);
        }
        if memory.state(&listed) == MailState::Listed && memory.withheld.holds_up(claim, Instant::now()) {
            // Those that wait are tried in this session, and it is fetched again behind them.
            self.has_given_back = true;
            return;
        }
        let state = memory.state(&listed);
        if lane == Lane::Fast {
            memory.forget(&listed);
            return self.lend(retrieved, permits, lane, state);
        }
        let (place, tried) = match (deferred, claim.filter(|matricule| self.parts.claims.knows(*matricule))) {
            (Some(deferred), _) => (deferred.place, deferred.tried),
            // There will be time for it when the agency's other mail has been tried.
            (None, Some(matricule)) if lane == Lane::Last || self.parts.claims.is_tried(matricule) => (None, None),
            (None, known) => {
                let place = self.parts.hands.try_take_slow();
                let tried = place.as_ref().and(known).map(|matricule| self.parts.claims.trying(matricule));
                (place, tried)
            }
        };
        match place {
            Some(place) => {
                memory.forget(&listed);
                self.lend(retrieved, permits.into_slow(place, tried), lane, state);
            }
            // The mailbox keeps it meanwhile.
            None => memory.defer(&listed, claim),
        }
    }
}
