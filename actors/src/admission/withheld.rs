//! Letters that wait although they are sound: a table of theirs takes no rows now, or they meet a fault that is not theirs. They
//! stay in the mailbox, and must not be fetched before everybody else's at every poll: ten thousand of them, on the eve of an
//! election, would fill each session.
//!
//! So an office's letters that wait are left alone for a while, longer each time. Then, behind all other mail, its first letter is
//! tried, of a few offices in each session; once one is settled, all of its office are fetched again, in their order. Where the
//! first still waits another is tried, since that may wait for something else.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::transport::{Candidate, Session};
use sdc::letter::Matricule;
use tokio::time::timeout_at;

use super::memory::{Memory, hint};
use super::poll::{Poll, PollError};
use crate::custody::Fate;

/// How long the letters of an office are left alone: at first, and at most.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Offices of which a letter is tried at a time; as long as one of these is settled, the next have their turn.
const OFFICES_TRIED: usize = 16;
/// Longest wait for what becomes of them.
const FATES_WAIT_MAX: Duration = Duration::from_secs(10);

/// The letters that wait, by what their mails claim: an office's are tried in their order.
#[derive(Debug, Default)]
pub struct Withheld {
    /// The claims of mails, by id, with their sizes: a server may give an id to another mail.
    mails: HashMap<Arc<str>, (u64, Option<Matricule>)>,
    /// Offices of which a letter waits. Each has a turn, so that nobody looks at all of them for the sake of a few.
    offices: HashMap<Option<Matricule>, Wait>,
    turns: BTreeSet<(Instant, Option<Matricule>)>,
    /// Offices that are tried in this session whoever else is due, since later mail of theirs has come.
    chosen: BTreeSet<Option<Matricule>>,
    /// Mails and offices that were looked at.
    #[cfg(test)]
    looked_at: usize,
}

#[derive(Debug)]
struct Wait {
    mails: HashSet<Arc<str>>,
    pause: Duration,
    until: Instant,
    /// The mail that was tried beside the first.
    other_tried: Option<Box<str>>,
}

/// The mails of a session in their order, by id.
struct Places<'l>(HashMap<&'l str, &'l Candidate>);

impl<'l> Places<'l> {
    fn of(mails: &'l [Candidate]) -> Places<'l> {
        // Of several with one id the first.
        Places(mails.iter().rev().filter_map(|listed| Some((listed.token.as_deref()?, listed))).collect())
    }
}

impl Withheld {
    /// Remembers that a mail waits, or waits still. One without an id is fetched as if it were new.
    pub fn add(&mut self, listed: &Candidate, claim: Option<Matricule>, now: Instant) {
        let Some(token) = &listed.token else { return };
        let token: Arc<str> = Arc::from(&**token);
        // An office's pause is forgotten with its last mail, not when its only mail is tried again.
        if self.mails.get(&token).is_some_and(|(_, before)| *before != claim) {
            self.forget(&token);
        }
        self.mails.insert(Arc::clone(&token), (listed.size_bytes, claim));
        let first = Wait { mails: HashSet::new(), pause: PAUSE_MIN, until: now, other_tried: None };
        let wait = self.offices.entry(claim).or_insert(first);
        wait.mails.insert(token);
        // Once for all that are tried together.
        if now >= wait.until {
            let pause = wait.pause;
            wait.pause = (pause * 2).min(PAUSE_MAX);
            self.wait_until(claim, now + pause);
        }
    }

    /// Gives an office its next turn.
    fn wait_until(&mut self, claim: Option<Matricule>, until: Instant) {
        if let Some(wait) = self.offices.get_mut(&claim) {
            self.turns.remove(&(wait.until, claim));
            wait.until = until;
            self.turns.insert((until, claim));
        }
    }

    /// Says whether a mail waits.
    pub fn has(&self, listed: &Candidate) -> bool {
        self.claim(listed).is_some()
    }

    fn claim(&self, listed: &Candidate) -> Option<Option<Matricule>> {
        let (size_bytes, claim) = self.mails.get(listed.token.as_deref()?)?;
        (*size_bytes == listed.size_bytes).then_some(*claim)
    }

    /// Begins a session: nobody is chosen yet.
    pub fn begin(&mut self) {
        self.chosen.clear();
    }

    /// Says whether later mail of an office has to wait for its letters, which are tried in this session: it must not overtake
    /// them. Of the offices that are due only so many are chosen as can be tried. The mail of all others would be fetched again
    /// and again until their turn comes, and is perhaps for another table. Mail that claims nobody is not one office's.
    pub fn holds_up(&mut self, claim: Option<Matricule>, now: Instant) -> bool {
        if self.chosen.contains(&claim) {
            return true;
        }
        let is_due = claim.is_some() && self.offices.get(&claim).is_some_and(|wait| now >= wait.until);
        let is_chosen = is_due && self.chosen.len() < OFFICES_TRIED;
        if is_chosen {
            self.chosen.insert(claim);
        }
        is_chosen
    }

    /// Has an office's letters fetched again, since one of them is settled.
    fn release(&mut self, claim: Option<Matricule>) {
        let Some(wait) = self.offices.remove(&claim) else { return };
        self.turns.remove(&(wait.until, claim));
        for token in &wait.mails {
            self.mails.remove(token);
            #[cfg(test)]
            {
                self.looked_at += 1;
            }
        }
    }

    /// Forgets a mail: whatever it waits for, it is fetched as others are.
    pub fn forget(&mut self, token: &str) {
        let Some((_, claim)) = self.mails.remove(token) else { return };
        let Some(wait) = self.offices.get_mut(&claim) else { return };
        wait.mails.remove(token);
        if wait.mails.is_empty() {
            self.turns.remove(&(wait.until, claim));
            self.offices.remove(&claim);
        }
    }

    /// Forgets whatever is no longer in the mailbox.
    pub fn forget_all_but(&mut self, mails: &[Candidate]) {
        if self.mails.is_empty() {
            return;
        }
        let listed: HashSet<&str> = mails.iter().filter_map(|listed| listed.token.as_deref()).collect();
        let gone: Vec<Arc<str>> = self.mails.keys().filter(|token| !listed.contains(&***token)).cloned().collect();
        gone.iter().for_each(|token| self.forget(token));
    }

    /// Returns the first mail that may be tried of each of some offices that are due: those that were chosen, then those that
    /// are due for longest. An office of which none may be tried now waits on, and keeps nothing from being fetched meanwhile.
    fn firsts(
        &mut self,
        places: &Places<'_>,
        now: Instant,
        may_be_tried: impl Fn(&Candidate) -> bool,
    ) -> Vec<(Option<Matricule>, Candidate)> {
        let chosen = std::mem::take(&mut self.chosen);
        let longest = self.turns.iter().take_while(|(until, _)| *until <= now).map(|(_, claim)| *claim);
        let others = longest.filter(|claim| !chosen.contains(claim)).take(OFFICES_TRIED.saturating_sub(chosen.len()));
        let is_due = |claim: &Option<Matricule>| self.offices.get(claim).is_some_and(|wait| now >= wait.until);
        let due: Vec<Option<Matricule>> = others.chain(chosen.iter().copied().filter(is_due)).collect();
        let mut firsts = Vec::new();
        for claim in due {
            match self.own(places, claim).into_iter().find(|listed| may_be_tried(listed)) {
                Some(first) => firsts.push((claim, first.clone())),
                None => {
                    let pause = self.offices.get(&claim).map_or(PAUSE_MIN, |wait| wait.pause);
                    self.wait_until(claim, now + pause);
                }
            }
        }
        firsts.sort_by_key(|(_, listed)| listed.number);
        firsts
    }

    /// Returns an office's mails that wait, in the order of the mailbox.
    fn own<'l>(&mut self, places: &Places<'l>, claim: Option<Matricule>) -> Vec<&'l Candidate> {
        let Some(wait) = self.offices.get(&claim) else { return Vec::new() };
        #[cfg(test)]
        {
            self.looked_at += wait.mails.len() + 1;
        }
        let listed = wait.mails.iter().filter_map(|token| places.0.get(&**token).copied());
        let mut own: Vec<&Candidate> = listed.filter(|listed| self.claim(listed) == Some(claim)).collect();
        own.sort_by_key(|listed| listed.number);
        own
    }

    /// Returns another mail of an office whose first waits still, each time the next.
    fn another(&mut self, places: &Places<'_>, claim: Option<Matricule>) -> Option<Candidate> {
        let own = self.own(places, claim);
        let own = own.get(1..)?;
        let wait = self.offices.get_mut(&claim)?;
        let last = wait.other_tried.take();
        let after = own.iter().position(|listed| listed.token == last).map_or(0, |at| at + 1);
        let next = own.get(after).or(own.first())?;
        wait.other_tried.clone_from(&next.token);
        Some((*next).clone())
    }
}

impl Poll<'_> {
    /// Tries letters that waited for long enough: of a few offices, and of more while one of them is settled.
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

    /// What is in hand, deleted or suspected is not tried beside others.
    fn may_try(&self, listed: &Candidate) -> bool {
        let is_taken = self.lending.has(listed) || self.to_delete.contains(&listed.number);
        !is_taken && !self.suspected.contains(&hint(listed))
    }

    /// Tries one letter of each of some offices, and waits for what becomes of it. Returns the offices whose letters wait still.
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
                // It had no turn: there was no room for it.
                None if at >= fetched || !self.lending.is_lent(listed.number) => {}
                Some(_) | None => memory.withheld.add(listed, *claim, now),
            }
            waiting.push(*claim);
        }
        Ok(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(number: u32) -> Candidate {
        Candidate { number, token: Some(format!("m{number}").into()), size_bytes: 1 }
    }

    fn claim(number: u32) -> Option<Matricule> {
        Some(Matricule::try_from(number).unwrap())
    }

    fn numbers(firsts: &[(Option<Matricule>, Candidate)]) -> Vec<u32> {
        firsts.iter().map(|(_, listed)| listed.number).collect()
    }

    #[test]
    fn the_first_of_each_office_is_tried_after_a_pause_that_grows() {
        let (mut withheld, start) = (Withheld::default(), Instant::now());
        let mails: Vec<Candidate> = (1..=6).map(listed).collect();
        for (at, mail) in mails.iter().enumerate() {
            withheld.add(mail, claim(if at < 4 { 1 } else { 2 }), start);
        }
        assert!(
            withheld.firsts(&Places::of(&mails), start, |_| true).is_empty() && !withheld.holds_up(claim(1), start)
        );
        let mut now = start + PAUSE_MIN;
        assert_eq!(numbers(&withheld.firsts(&Places::of(&mails), now, |_| true)), [1, 5]);
        withheld.add(&mails[0], claim(1), now);
        assert_eq!(
            numbers(&withheld.firsts(&Places::of(&mails), now + PAUSE_MIN, |_| true)),
            [5],
            "the first office waits for twice as long"
        );
        for _ in 0..20 {
            now += PAUSE_MAX;
            assert_eq!(
                numbers(&withheld.firsts(&Places::of(&mails), now, |_| true)),
                [1, 5],
                "and for a minute at most"
            );
            withheld.add(&mails[0], claim(1), now);
        }
        withheld.release(claim(1));
        assert!(!withheld.has(&mails[3]) && withheld.has(&mails[4]));
    }

    #[test]
    fn of_an_office_whose_first_waits_the_others_have_their_turn() {
        let (mut withheld, start) = (Withheld::default(), Instant::now());
        let mails: Vec<Candidate> = (1..=4).map(listed).collect();
        mails.iter().for_each(|mail| withheld.add(mail, claim(1), start));
        let mut another = || withheld.another(&Places::of(&mails), claim(1)).map(|listed| listed.number);
        assert_eq!([another(), another(), another(), another()], [Some(2), Some(3), Some(4), Some(2)]);
        withheld.forget_all_but(&mails[..1]);
        assert_eq!(withheld.another(&Places::of(&mails), claim(1)), None);
        withheld.forget_all_but(&[]);
        assert!(withheld.offices.is_empty() && withheld.mails.is_empty() && withheld.turns.is_empty());
    }

    #[test]
    fn few_offices_are_tried_at_a_time_and_who_keeps_others_waiting_first() {
        let (mut withheld, start) = (Withheld::default(), Instant::now());
        let mails: Vec<Candidate> = (1..=100).map(listed).collect();
        for (number, mail) in (1..).zip(&mails) {
            withheld.add(mail, claim(number), start + Duration::from_millis(u64::from(number)));
        }
        let now = start + Duration::from_secs(2);
        let few: Vec<u32> = (1..=16).collect();
        assert_eq!(numbers(&withheld.firsts(&Places::of(&mails), now, |_| true)), few);
        assert!(withheld.firsts(&Places::of(&mails), now, |_| false).is_empty() && !withheld.holds_up(claim(1), now));
        withheld.begin();
        assert!(withheld.holds_up(claim(77), now));
        assert!(numbers(&withheld.firsts(&Places::of(&mails), now, |_| true)).contains(&77));
    }

    #[test]
    fn later_mail_waits_for_no_more_offices_than_are_tried_and_for_none_that_is_nobody() {
        let (mut withheld, start) = (Withheld::default(), Instant::now());
        let mails: Vec<Candidate> = (1..=10_000).map(listed).collect();
        for (number, mail) in (1..).zip(&mails[1..]) {
            withheld.add(mail, claim(number), start);
        }
        withheld.add(&mails[0], None, start);
        let mut now = start + PAUSE_MIN;
        for _ in 0..3 {
            withheld.begin();
            let later = [None].into_iter().chain((1..10_000).map(claim));
            let held_up: Vec<_> = later.filter(|of| withheld.holds_up(*of, now)).collect();
            assert_eq!(held_up.len(), OFFICES_TRIED, "of each of 9 999 offices later mail has come");
            let tried = withheld.firsts(&Places::of(&mails), now, |_| true);
            assert!(tried.len() == OFFICES_TRIED && tried.iter().all(|(of, _)| held_up.contains(of)));
            tried.iter().for_each(|(of, mail)| withheld.add(mail, *of, now));
            now += Duration::from_millis(1);
        }
    }

    #[test]
    fn an_office_is_forgotten_with_the_last_of_its_mails() {
        let (mut withheld, start) = (Withheld::default(), Instant::now());
        let mails: Vec<Candidate> = (1..=2).map(listed).collect();
        mails.iter().for_each(|mail| withheld.add(mail, claim(1), start));
        withheld.forget("m1");
        assert!(withheld.holds_up(claim(1), start + PAUSE_MIN));
        withheld.begin();
        withheld.forget("m2");
        assert!(!withheld.holds_up(claim(1), start + PAUSE_MIN) && withheld.offices.is_empty());
        assert!(withheld.turns.is_empty());
    }

    #[test]
    fn the_work_when_a_table_is_mended_for_many_offices_grows_with_their_mails_alone() {
        const OFFICES: u32 = 100_000;
        let (mut withheld, start) = (Withheld::default(), Instant::now());
        let mails: Vec<Candidate> = (1..=OFFICES).map(listed).collect();
        for (number, mail) in (1..).zip(&mails) {
            withheld.add(mail, claim(number), start);
        }
        let (places, now) = (Places::of(&mails), start + PAUSE_MIN);
        let mut settled = 0;
        loop {
            let firsts = withheld.firsts(&places, now, |_| true);
            if firsts.is_empty() {
                break;
            }
            settled += firsts.len();
            firsts.iter().for_each(|(of, _)| withheld.release(*of));
        }
        assert_eq!(settled, mails.len());
        assert!(withheld.looked_at <= 4 * mails.len(), "{} looks at {} mails", withheld.looked_at, mails.len());
    }
}
