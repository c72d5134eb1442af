//! Mail is fetched in windows, that is, in groups of mails that are requested together: first mail of a letter's ordinary size, then large
//! mail, then deferred mail. Withheld letters are fetched after all of these, in `withheld_tries`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use sdc::document;
use sdc::letter::Matricule;
use store::planted::point;
use tokio::time::timeout;

use super::memory::Memory;
use super::poll::Poll;
use super::polled::PollError;
use super::source::MailState;
use crate::claims::{BeingTried, Lane};
use crate::room::{Claimant, Permits};
use crate::transport::{Candidate, FetchOutcome, Session, Taken};

/// Mail above this size is fetched after all smaller mail. A letter of the default limit, 256 KB sealed (SPEC 3), is smaller in any
/// encoding, so no letter waits behind strangers' mail that takes a hundred times as long.
const LARGE_MAIL_BYTES: u64 = 512 << 10;

/// Permits for a mail are taken by its likely size, before it is fetched. The fetched mail may be larger by an eighth of that size plus
/// this number of bytes, before further permits are needed.
const SIZE_ERROR_BYTES: u64 = 1024;

/// Windows of deferred mail are smaller than windows of other mail by this factor: the fates of one window change which deferred mail is
/// best to fetch next.
const DEFERRED_PARTS: usize = 4;

/// Longest time that a poller waits for permits of the slow lane before it fetches a window of deferred mail. If it gets none, the window
/// is not fetched.
const SLOW_PLACES_WAIT_MAX: Duration = Duration::from_millis(200);

/// Longest time that a poller waits, before it fetches deferred mail of the last lane, until the mail of the slow lane is done. Mail of the
/// slow lane may come from the offices that it claims, so strangers' mail should not compete with it.
const LAST_LANE_WAIT_MAX: Duration = Duration::from_millis(500);
/// Pause between two checks whether the slow lane is still busy.
const LAST_LANE_WAIT_STEP: Duration = Duration::from_millis(20);

/// The permit and the mark that are taken for a deferred mail (a mail that was not opened because its claim is doubtful) before it is
/// fetched again.
struct Deferred {
    /// A permit of the slow lane.
    place: Option<Permits>,
    /// Marks that a mail with this claim is being processed, so that no other mail with the same claim is fetched meanwhile.
    tried: Option<BeingTried>,
}

impl Poll<'_> {
    /// Fetches all mail except the suspects: first mail of a letter's ordinary size, then large mail, then deferred mail.
    pub async fn fetch_rest(
        &mut self,
        session: &mut dyn Session,
        mails: &[Candidate],
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        let fetched_alone: HashSet<u32> = self.to_delete.iter().copied().collect();
        let is_suspected = |listed: &Candidate| {
            let (new, known) = (&self.lending.suspects, &self.suspected);
            let anybody = !new.is_empty() || !known.is_empty();
            let of = |hint: &str| new.iter().any(|suspect| suspect == hint) || known.contains(hint);
            anybody && of(&listed.hint())
        };
        let stays =
            |listed: &Candidate| memory.has_left(listed) || memory.withheld.has(listed) || self.lending.has(listed);
        let wanted =
            |listed: &&Candidate| !fetched_alone.contains(&listed.number) && !stays(listed) && !is_suspected(listed);
        // A deferred mail whose claim is no longer doubtful is in the fast lane now, and is fetched together with mail that was never
        // deferred.
        let waits = |listed: &Candidate| {
            memory.deferred_claim(listed).is_some_and(|claim| self.parts.claims.lane(claim) != Lane::Fast)
        };
        let (deferred, fresh): (Vec<Candidate>, Vec<Candidate>) = mails.iter().filter(wanted).cloned().partition(waits);
        let (mut large, mut small): (Vec<Candidate>, VecDeque<Candidate>) = (Vec::new(), VecDeque::new());
        for listed in fresh {
            let is_large = memory.likely_bytes(&listed) > LARGE_MAIL_BYTES;
            if is_large { large.push(listed) } else { small.push_back(listed) }
        }
        // The smaller of the large mails are fetched first: this keeps the sum of all waiting times smallest.
        large.sort_by_key(|listed| memory.likely_bytes(listed));
        let mut large = VecDeque::from(large);
        let mut asked = 0;
        while !small.is_empty() && !self.must_end(asked, false) {
            asked += self.fetch_first(session, &mut small, memory).await?;
        }
        // One window of large mail is fetched in every session, however much small mail there is. Otherwise large mail would never be
        // fetched while small mail keeps coming.
        let mut is_first = !self.is_stopped();
        while !large.is_empty() && (is_first || !self.must_end(asked, true)) {
            is_first = false;
            asked += self.fetch_first(session, &mut large, memory).await?;
        }
        self.fetch_deferred(session, deferred, asked, memory).await
    }

    /// Fetches deferred mail, the claims of best rank ([`Claims::ranks`](crate::claims::Claims::ranks)) first. The ranks change as letters
    /// are verified or refused, so the mail that is left is sorted again from time to time.
    async fn fetch_deferred(
        &mut self,
        session: &mut dyn Session,
        deferred: Vec<Candidate>,
        mut asked: usize,
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        let mut deferred = self.in_order(deferred, memory);
        let mut until_sorted = self.turns.window_mails;
        // At least one window of deferred mail is fetched in every session, however short the time: a genuine letter of an office may be in
        // it.
        let mut is_first = true;
        while let Some(first) = deferred.front() {
            let has_waited = self.wait_for_slow_lane(first, memory).await;
            if self.is_stopped() || (!is_first && self.must_end(asked, true)) {
                return Ok(());
            }
            is_first = false;
            if has_waited || until_sorted == 0 {
                deferred = self.in_order(deferred, memory);
                until_sorted = self.turns.window_mails;
            }
            // Windows are small here, because the results of one window change which mail is best to fetch next.
            let before = deferred.len();
            let window = self.next_window(&mut deferred, self.turns.window_mails.div_ceil(DEFERRED_PARTS), memory);
            until_sorted = until_sorted.saturating_sub(before - deferred.len());
            if window.is_empty() {
                continue;
            }
            let fetched = self.fetch_window(session, &window, true, memory).await?;
            asked += fetched;
            if fetched < window.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sorts deferred mail by the ranks of its claims. Mails of one rank keep the order of their source.
    fn in_order(&self, deferred: impl Into<VecDeque<Candidate>>, memory: &Memory) -> VecDeque<Candidate> {
        let deferred = deferred.into();
        let ranks = self.parts.claims.ranks(deferred.iter().map(|listed| memory.claim(listed)));
        let mut ranked: Vec<_> = ranks.into_iter().zip(deferred).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, listed)| listed).collect()
    }

    /// If the next mail (`first`) is in the last lane, waits while the slow lane is busy with mail of any mailbox. Returns whether this
    /// function has waited.
    async fn wait_for_slow_lane(&self, first: &Candidate, memory: &Memory) -> bool {
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

    /// Fetches one window from the front of `mails` and removes its mails from `mails`. Returns the number of mails fetched. If no permits
    /// are free for a single mail, all of `mails` is removed: the next session lists the mails again.
    async fn fetch_first(
        &mut self,
        session: &mut dyn Session,
        mails: &mut VecDeque<Candidate>,
        memory: &mut Memory,
    ) -> Result<usize, PollError> {
        let mut window = self.next_window(mails, self.turns.window_mails, memory);
        if window.is_empty() {
            return Ok(0);
        }
        let held_up_before = self.mails_held_up;
        let fetched = self.fetch_window(session, &window, false, memory).await?;
        // Nothing could be lent: either no permits were free, or every fetched mail belongs to an agency of which an earlier mail already
        // waits. The remaining mails are dropped: the next session knows their claims, and does not fetch them in vain.
        if self.mails_held_up - held_up_before == fetched {
            mails.clear();
            return Ok(fetched);
        }
        window.drain(fetched..).rev().for_each(|listed| mails.push_front(listed));
        Ok(fetched)
    }

    /// Takes one window out of `mails`: at least one mail, and further mails up to the window's limit of bytes. A deferred mail is skipped
    /// if the agency that it claims already uses all permits that one agency may use: it could not be lent after the fetch.
    fn next_window(&mut self, mails: &mut VecDeque<Candidate>, mails_max: usize, memory: &Memory) -> Vec<Candidate> {
        let mut window = Vec::new();
        let mut window_bytes = 0;
        let mut claimed: HashMap<Claimant, (usize, u64)> = HashMap::new();
        while window.len() < mails_max
            && let Some(listed) = mails.pop_front()
        {
            // Permits are counted in whole kilobytes, so the size is rounded up.
            let bytes = self.bytes_in_hand(&listed, memory).next_multiple_of(1024);
            if !window.is_empty() && window_bytes + bytes > self.turns.window_bytes_max {
                mails.push_front(listed);
                break;
            }
            if let Some(claim) = memory.deferred_claim(&listed) {
                let claimant = self.parts.claimant(claim);
                let (mails, of_all) = claimed.entry(claimant).or_default();
                let is_held_up = claimant.is_some_and(|matricule| self.held_up.contains(&matricule));
                if is_held_up || !self.parts.hands.has_room_for(claimant, *mails + 1, *of_all + bytes) {
                    self.held_up.extend(claimant);
                    continue;
                }
                (*mails, *of_all) = (*mails + 1, *of_all + bytes);
            }
            window_bytes += bytes;
            window.push(listed);
        }
        window
    }

    /// Fetches as many of the first mails of `window` as permits are free for. Deferred mails are fetched only if permits of the slow lane
    /// are free for all of them. Returns the number of mails fetched.
    pub async fn fetch_window(
        &mut self,
        session: &mut dyn Session,
        window: &[Candidate],
        is_deferred: bool,
        memory: &mut Memory,
    ) -> Result<usize, PollError> {
        // The claims are marked first, so that pollers of other mailboxes choose other agencies while this poller waits for permits.
        let claims = window.iter().filter(|_| is_deferred).map(|listed| memory.claim(listed));
        let mut tried: VecDeque<_> = claims.map(|claim| Some(self.parts.claims.trying(claim?))).collect();
        self.renew_lease().await?;
        if self.is_full {
            return Ok(0);
        }
        let sizes: Vec<u64> = window.iter().map(|listed| self.bytes_in_hand(listed, memory)).collect();
        let (mut permits, fetched) = self.parts.hands.take(&sizes).await;
        let window = window.get(..fetched).unwrap_or(window);
        if window.is_empty() {
            // No permits were free for the first mail. If this is because the mail is large, a small mail may still be fetched: the session
            // is full only if there are no permits at all.
            self.is_full = !self.parts.hands.has_room();
            return Ok(0);
        }
        let mut slow = None;
        if is_deferred {
            // The permits of the slow lane are taken last. `Hands::take_all` takes all permits in the same order, so the two cannot
            // deadlock. The permits are taken before the mails are fetched, because a mail without a permit would be fetched in vain.
            let places = self.parts.hands.take_slow(u32::try_from(fetched).unwrap_or(u32::MAX));
            slow = timeout(SLOW_PLACES_WAIT_MAX, places).await.ok();
            if slow.is_none() {
                return Ok(0);
            }
        }
        let batch = memory.next_batch;
        memory.next_batch += 1;
        let hints = window.iter().map(|listed| listed.hint().into()).collect();
        self.parts.record(self.life, batch, hints).await?;
        self.lending.begin_batch(batch);
        point("mailbox_poller::recorded");
        let mut fetching = session.fetch(window, self.parts.mail_bytes_max).await?;
        while let Some(taken) = self.next(&mut fetching, memory).await? {
            point("mailbox_poller::retrieved");
            let own = permits.split(self.bytes_in_hand(&taken.listed, memory));
            let deferred =
                slow.as_mut().map(|slow| Deferred { place: slow.split_slow(), tried: tried.pop_front().flatten() });
            if let Some(own) = self.with_room(&taken, own, memory) {
                self.place(taken, own, deferred, memory).await;
            }
        }
        drop(fetching);
        self.take_back(memory);
        self.delete_settled(session).await?;
        Ok(fetched)
    }

    fn bytes_in_hand(&self, listed: &Candidate, memory: &Memory) -> u64 {
        memory.likely_bytes(listed).min(self.parts.mail_bytes_max).max(1)
    }

    /// Takes further permits for a mail that is larger than its server listed it. If none are free, the mail stays in its mailbox, and its
    /// true size is remembered. This function never waits, because the permits that the window already has would be blocked meanwhile.
    fn with_room(&mut self, taken: &Taken, own: Permits, memory: &mut Memory) -> Option<Permits> {
        let FetchOutcome::Mail(mail) = &taken.outcome else { return Some(own) };
        let (bytes, likely) = (mail.len() as u64, self.bytes_in_hand(&taken.listed, memory));
        // Some servers list a mail with one octet for each end of line, and send it with two (CR LF). This difference is tolerated.
        if bytes <= likely + likely / 8 + SIZE_ERROR_BYTES {
            return Some(own);
        }
        if let Some(more) = self.parts.hands.try_take_bytes(bytes - likely) {
            return Some(own.with(more));
        }
        memory.true_bytes.insert(taken.listed.hint(), bytes);
        self.has_given_back = true;
        None
    }

    /// Picks the lane of a mail that was just fetched. Then lends the mail, or leaves it in its source.
    async fn place(&mut self, taken: Taken, own: Permits, deferred: Option<Deferred>, memory: &mut Memory) {
        let listed = taken.listed.clone();
        let (lane, claim) = match taken.outcome {
            FetchOutcome::Mail(ref mail) => {
                let claim = document::claim(mail);
                (self.parts.claims.lane(claim), claim)
            }
            FetchOutcome::OverSize { .. } => (Lane::Last, None),
            FetchOutcome::Refused(words) => return self.refuse(words),
        };
        let (claimant, state) = (self.parts.claimant(claim), memory.state(&listed));
        // Letters of one agency keep their order. A mail must not be lent while an earlier mail with its claim is deferred, is held up, or
        // is lent in a better lane (from which the decoder may still defer it). A withheld mail arrived before all of these mails, so it
        // overtakes none of them.
        let is_overtaking = state == MailState::Listed
            && claim.is_some_and(|matricule| {
                let is_late = memory.has_deferred(matricule) && memory.deferred_claim(&listed).is_none();
                is_late || self.held_up.contains(&matricule) || self.lending.has_better(matricule, lane)
            });
        if is_overtaking {
            let is_held_up =
                claim.is_some_and(|matricule| self.held_up.contains(&matricule) || memory.has_deferred(matricule));
            self.mails_held_up += usize::from(is_held_up);
            return memory.defer(&listed, claim);
        }
        if state == MailState::Listed && memory.withheld.holds_up(claim, Instant::now()) {
            // This session will still try withheld letters of this agency, which arrived earlier. So this mail stays in the source and is
            // fetched again after them.
            self.has_given_back = true;
            return;
        }
        let own = if lane == Lane::Fast { Some(own) } else { self.slow_place(own, lane, claim, deferred) };
        let own = match own {
            Some(own) => self.claim(own, claimant, lane).await,
            None => None,
        };
        match own {
            Some(own) => {
                memory.forget(&listed);
                self.lend(taken, own, lane, state);
            }
            // There are no permits for this mail, so it stays in its mailbox. Mail of its agency that arrived after it must not overtake
            // it.
            None if state == MailState::Listed => {
                self.mails_held_up += usize::from(lane == Lane::Fast);
                self.held_up.extend(claimant.filter(|_| lane == Lane::Fast));
                memory.defer(&listed, claim);
            }
            None => {}
        }
    }

    /// Books a mail's permits to the agency that it claims. If mail of this agency already uses all permits that one agency may use, a mail
    /// of the fast lane waits a little until some of that mail is settled. Returns `None` if the agency's mail still uses all these
    /// permits.
    async fn claim(&mut self, own: Permits, claimant: Claimant, lane: Lane) -> Option<Permits> {
        let mut own = own;
        loop {
            own = match self.parts.hands.claim(own, claimant) {
                Ok(own) => return Some(own),
                Err(own) => own,
            };
            if lane != Lane::Fast || self.room_wait_left.is_zero() || self.is_stopped() {
                return None;
            }
            let began = Instant::now();
            drop(timeout(self.room_wait_left, self.next_report()).await);
            self.room_wait_left = self.room_wait_left.saturating_sub(began.elapsed());
        }
    }

    /// Exchanges a mail's permits for those of the slow lane. Returns `None` if no permit of the slow lane is free.
    fn slow_place(
        &self,
        own: Permits,
        lane: Lane,
        claim: Option<Matricule>,
        deferred: Option<Deferred>,
    ) -> Option<Permits> {
        let claims = &self.parts.claims;
        let (place, tried) = match (deferred, claim.filter(|matricule| claims.knows(*matricule))) {
            (Some(deferred), _) => (deferred.place, deferred.tried),
            // A mail of the last lane that claims a known agency is deferred. A mail is also deferred while another mail of its agency is
            // being tried, since only one mail of an agency is tried at a time.
            (None, Some(matricule)) if lane == Lane::Last || claims.is_tried(matricule) => (None, None),
            (None, known) => {
                let place = self.parts.hands.try_take_slow();
                let tried = place.as_ref().and(known).map(|matricule| claims.trying(matricule));
                (place, tried)
            }
        };
        Some(own.into_slow(place?, tried))
    }
}
