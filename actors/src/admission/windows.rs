//! Mail is fetched in windows: what may be a letter of ordinary size first, then large mail, then what may wait, then some of what
//! has waited for its table.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::transport::{Candidate, Outcome, Session, Taken};
use sdc::document;
use sdc::letter::Matricule;
use store::planted::point;
use tokio::time::timeout;

use super::lanes::{Lane, Tried};
use super::memory::{Memory, hint};
use super::poll::{MailState, Poll, PollError};
use crate::room::{Claimant, Permits};

/// Size of a mail above which it is fetched after all others: a letter of the default limit, 256 KB sealed (SPEC 3), is
/// smaller in any encoding, so that no letter waits behind mail of strangers that takes a hundred times as long.
const LARGE_MAIL_BYTES: u64 = 512 << 10;

/// Difference between the size of a mail as listed and as found that needs no room of its own.
const SIZE_ERROR_BYTES: u64 = 1024;

/// Deferred mail is fetched in windows of a part of the usual number: one in this many.
const DEFERRED_PARTS: usize = 4;

/// Longest wait of a session, all in all, for room that a claim's own mail gives back. One office that sends much alone has its mail
/// taken as fast as it is settled; one that floods and is settled slowly is passed by after that.
pub const CLAIM_WAIT_MAX: Duration = Duration::from_millis(500);

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
        session: &mut dyn Session,
        mails: &[Candidate],
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        let fetched_alone: HashSet<u32> = self.to_delete.iter().copied().collect();
        let is_suspected = |listed: &Candidate| {
            let (new, known) = (&self.lending.suspects, &self.suspected);
            let anybody = !new.is_empty() || !known.is_empty();
            let of = |hint: &str| new.iter().any(|suspect| suspect == hint) || known.contains(hint);
            anybody && of(&hint(listed))
        };
        let stays =
            |listed: &Candidate| memory.has_left(listed) || memory.withheld.has(listed) || self.lending.has(listed);
        let wanted =
            |listed: &&Candidate| !fetched_alone.contains(&listed.number) && !stays(listed) && !is_suspected(listed);
        // What stands well again needs no place in the slow lane.
        let waits = |listed: &Candidate| {
            memory.deferred_claim(listed).is_some_and(|claim| self.parts.claims.lane(claim) != Lane::Fast)
        };
        let (deferred, fresh): (Vec<Candidate>, Vec<Candidate>) = mails.iter().filter(wanted).cloned().partition(waits);
        let (mut large, mut small): (Vec<Candidate>, VecDeque<Candidate>) = (Vec::new(), VecDeque::new());
        for listed in fresh {
            let is_large = memory.likely_bytes(&listed) > LARGE_MAIL_BYTES;
            if is_large { large.push(listed) } else { small.push_back(listed) }
        }
        // What takes least from the others goes before them.
        large.sort_by_key(|listed| memory.likely_bytes(listed));
        let mut large = VecDeque::from(large);
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
        session: &mut dyn Session,
        deferred: Vec<Candidate>,
        mut asked: usize,
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        let mut deferred = self.in_order(deferred, memory);
        let mut until_sorted = self.turns.window_mails;
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
                until_sorted = self.turns.window_mails;
            }
            // Few at a time, because the next ones show more.
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

    /// Puts deferred mail in the order in which it is tried.
    fn in_order(&self, deferred: impl Into<VecDeque<Candidate>>, memory: &Memory) -> VecDeque<Candidate> {
        let deferred = deferred.into();
        let ranks = self.parts.claims.ranks(deferred.iter().map(|listed| memory.claim(listed)));
        let mut ranked: Vec<_> = ranks.into_iter().zip(deferred).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, listed)| listed).collect()
    }

    /// Lets a mail of the last lane wait while all mailboxes together have enough of the slow lane for the processors to do.
    /// Returns whether it has waited.
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

    /// Fetches the first of these mails and takes them off; returns how many. Where there is no room for any it takes all off: they
    /// have their turn in the next session.
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
        // Without room, or where nothing comes but mail of those who hold their part, the rest has its turn in the next session, which
        // knows whose that mail is and does not fetch it only to leave it.
        if self.mails_held_up - held_up_before == fetched {
            mails.clear();
            return Ok(fetched);
        }
        window.drain(fetched..).rev().for_each(|listed| mails.push_front(listed));
        Ok(fetched)
    }

    /// Takes a window off these mails: at least one, else no more bytes than there is room for. Passes by mail of a claim that is known
    /// to hold its part of the room: it would be fetched only to be left.
    fn next_window(&mut self, mails: &mut VecDeque<Candidate>, mails_max: usize, memory: &Memory) -> Vec<Candidate> {
        let mut window = Vec::new();
        let mut window_bytes = 0;
        let mut claimed: HashMap<Claimant, (usize, u64)> = HashMap::new();
        while window.len() < mails_max
            && let Some(listed) = mails.pop_front()
        {
            // Room is counted in kilobytes.
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

    pub fn is_stopped(&self) -> bool {
        !self.parts.may_fetch()
    }

    pub fn must_end(&self, asked: usize, may_wait: bool) -> bool {
        let turns = self.turns;
        // What may wait must not keep new mail of the offices from being seen.
        let time_max = if may_wait { turns.session_time_max / 5 } else { turns.session_time_max };
        let is_over_time = asked > 0 && self.started.elapsed() > time_max;
        self.is_stopped() || asked >= turns.session_mails_max || is_over_time
    }

    /// Fetches as many of these mails as there is room for, the first ones; deferred ones only where the slow lane has places
    /// for them all. Returns how many.
    pub async fn fetch_window(
        &mut self,
        session: &mut dyn Session,
        window: &[Candidate],
        is_deferred: bool,
        memory: &mut Memory,
    ) -> Result<usize, PollError> {
        // Before any wait, so that other mailboxes try the mail of others meanwhile.
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
            // One that is large waits for its room alone.
            self.is_full = !self.parts.hands.has_room();
            return Ok(0);
        }
        let mut slow = None;
        if is_deferred {
            // Else they would be fetched only to be put back. After the other permits, as whoever wants to be alone does.
            let places = self.parts.hands.take_slow(u32::try_from(fetched).unwrap_or(u32::MAX));
            slow = timeout(SLOW_PLACES_WAIT_MAX, places).await.ok();
            if slow.is_none() {
                return Ok(0);
            }
        }
        let batch = memory.next_batch;
        memory.next_batch += 1;
        let hints = window.iter().map(|listed| hint(listed).into()).collect();
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

    /// A server may say less than it sends: what is beyond needs room of its own. Where there is none the mail stays in
    /// its mailbox, and its true size is known from now on. Nothing waits here, since whoever waits holds room already.
    fn with_room(&mut self, taken: &Taken, own: Permits, memory: &mut Memory) -> Option<Permits> {
        let Outcome::Mail(mail) = &taken.outcome else { return Some(own) };
        let (bytes, likely) = (mail.len() as u64, self.bytes_in_hand(&taken.listed, memory));
        // Some servers count the end of a line as one octet.
        if bytes <= likely + likely / 8 + SIZE_ERROR_BYTES {
            return Some(own);
        }
        if let Some(more) = self.parts.hands.try_take_bytes(bytes - likely) {
            return Some(own.with(more));
        }
        memory.true_bytes.insert(hint(&taken.listed), bytes);
        self.has_given_back = true;
        None
    }

    /// Picks the lane of a mail that has just arrived, with its own permits.
    async fn place(&mut self, taken: Taken, own: Permits, deferred: Option<Deferred>, memory: &mut Memory) {
        let listed = taken.listed.clone();
        let (lane, claim) = match taken.outcome {
            Outcome::Mail(ref mail) => {
                let claim = document::claim(mail);
                (self.parts.claims.lane(claim), claim)
            }
            Outcome::OverSize { .. } => (Lane::Last, None),
            Outcome::Refused(words) => return self.refuse(words),
        };
        let (claimant, state) = (self.parts.claimant(claim), memory.state(&listed));
        // What came before it with the same claim goes first: it is deferred already, or about to be given back. What waits for its
        // table came before all of that.
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
            // Those that wait are tried in this session, and it is fetched again behind them.
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
            // The mailbox keeps it meanwhile, and what comes behind it.
            None if state == MailState::Listed => {
                self.mails_held_up += usize::from(lane == Lane::Fast);
                self.held_up.extend(claimant.filter(|_| lane == Lane::Fast));
                memory.defer(&listed, claim);
            }
            None => {}
        }
    }

    /// Counts a mail's room with its claim, and waits a little for mail with the same claim to be settled where there is none.
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

    /// Moves a mail into the slow lane if there is a place.
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
            // There will be time for it when the agency's other mail has been tried.
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
