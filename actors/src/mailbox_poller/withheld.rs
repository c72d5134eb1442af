//! Letters that wait although they are sound: a table of theirs takes no rows now, or they meet a fault that is not theirs. They
//! stay in the mailbox, and must not be fetched before everybody else's at every poll: ten thousand of them, on the eve of an
//! election, would fill each session.
//!
//! So an office's letters that wait are left alone for a while, longer each time. Then, behind all other mail, its first letter is
//! tried, of a few offices in each session; once one is settled, all of its office are fetched again, in their order. Where the
//! first still waits another is tried, since that may wait for something else.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use mail::pop3::{Listed, Session};
use sdc::letter::Matricule;
use tokio::time::timeout_at;

use super::memory::{Memory, hint};
use super::session::{Poll, PollError};
use crate::delivery::Fate;

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
    mails: HashMap<Box<str>, (u64, Option<Matricule>)>,
    offices: HashMap<Option<Matricule>, Wait>,
}

#[derive(Debug)]
struct Wait {
    mails: usize,
    pause: Duration,
    until: Instant,
    /// Later mail of the office must not overtake these, and so waits: the office has its turn before others.
    is_urgent: bool,
    /// The mail that was tried beside the first.
    other_tried: Option<Box<str>>,
}

impl Withheld {
    /// Remembers that a mail waits, or waits still. One without an id is fetched as if it were new.
    pub fn add(&mut self, listed: &Listed, claim: Option<Matricule>, now: Instant) {
        let Some(uidl) = &listed.uidl else { return };
        self.forget(uidl);
        self.mails.insert(uidl.clone(), (listed.size_bytes, claim));
        let first = Wait { mails: 0, pause: PAUSE_MIN, until: now, is_urgent: false, other_tried: None };
        let wait = self.offices.entry(claim).or_insert(first);
        wait.mails += 1;
        // Once for all that are tried together.
        if now >= wait.until {
            wait.until = now + wait.pause;
            wait.pause = (wait.pause * 2).min(PAUSE_MAX);
            wait.is_urgent = false;
        }
    }

    /// Says whether a mail waits.
    pub fn has(&self, listed: &Listed) -> bool {
        self.claim(listed).is_some()
    }

    fn claim(&self, listed: &Listed) -> Option<Option<Matricule>> {
        let (size_bytes, claim) = self.mails.get(listed.uidl.as_ref()?)?;
        (*size_bytes == listed.size_bytes).then_some(*claim)
    }

    /// Says whether letters of an office wait that are about to be tried: later ones must not overtake them. Before that
    /// their table takes no letter of anybody, and later ones are perhaps for another.
    pub fn is_due(&self, claim: Option<Matricule>, now: Instant) -> bool {
        self.offices.get(&claim).is_some_and(|wait| now >= wait.until)
    }

    /// Lets an office have its turn soon.
    pub fn hurry(&mut self, claim: Option<Matricule>) {
        if let Some(wait) = self.offices.get_mut(&claim) {
            wait.is_urgent = true;
        }
    }

    /// Has an office's letters fetched again, since one of them is settled.
    fn release(&mut self, claim: Option<Matricule>) {
        self.offices.remove(&claim);
        self.mails.retain(|_, (_, of)| *of != claim);
    }

    /// Forgets a mail: whatever it waits for, it is fetched as others are.
    pub fn forget(&mut self, uidl: &str) {
        let Some((_, claim)) = self.mails.remove(uidl) else { return };
        // An office's pause is forgotten with it, not when its only mail is tried again.
        if let Some(wait) = self.offices.get_mut(&claim) {
            wait.mails -= 1;
        }
    }

    /// Forgets whatever is no longer in the mailbox.
    pub fn forget_all_but(&mut self, mails: &[Listed]) {
        if self.mails.is_empty() {
            return;
        }
        let listed: HashSet<&str> = mails.iter().filter_map(|listed| listed.uidl.as_deref()).collect();
        let gone: Vec<Box<str>> = self.mails.keys().filter(|uidl| !listed.contains(&***uidl)).cloned().collect();
        gone.iter().for_each(|uidl| self.forget(uidl));
        self.offices.retain(|_, wait| wait.mails > 0);
    }

    /// Returns the first mail that may be tried of each of some offices that are due: those in haste, then those that are due
    /// for longest. An office of which none may be tried now waits on, and keeps nothing from being fetched meanwhile.
    fn firsts(
        &mut self,
        mails: &[Listed],
        now: Instant,
        may_be_tried: impl Fn(&Listed) -> bool,
    ) -> Vec<(Option<Matricule>, Listed)> {
        let mut due: Vec<_> = self.offices.iter().filter(|(_, wait)| now >= wait.until).collect();
        due.sort_by_key(|(_, wait)| (!wait.is_urgent, wait.until));
        let due: HashSet<Option<Matricule>> = due.into_iter().take(OFFICES_TRIED).map(|(claim, _)| *claim).collect();
        let mut firsts = Vec::new();
        let mut found = HashSet::new();
        for listed in mails {
            let Some(claim) = self.claim(listed).filter(|claim| due.contains(claim)) else { continue };
            if may_be_tried(listed) && found.insert(claim) {
                firsts.push((claim, listed.clone()));
            }
        }
        for claim in due.difference(&found) {
            if let Some(wait) = self.offices.get_mut(claim) {
                wait.until = now + wait.pause;
            }
        }
        firsts
    }

    /// Returns another mail of an office whose first waits still, each time the next.
    fn another(&mut self, mails: &[Listed], claim: Option<Matricule>) -> Option<Listed> {
        let own: Vec<&Listed> = mails.iter().filter(|listed| self.claim(listed) == Some(claim)).skip(1).collect();
        let wait = self.offices.get_mut(&claim)?;
        let last = wait.other_tried.take();
        let after = own.iter().position(|listed| listed.uidl == last).map_or(0, |at| at + 1);
        let next = own.get(after).or(own.first())?;
        wait.other_tried.clone_from(&next.uidl);
        Some((*next).clone())
    }
}

impl Poll<'_> {
    /// Tries letters that waited for long enough: of a few offices, and of more while one of them is settled.
    pub async fn try_withheld(
        &mut self,
        session: &mut Session,
        mails: &[Listed],
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        while !self.is_stopped() {
            let firsts = memory.withheld.firsts(mails, Instant::now(), |listed| self.may_try(listed));
            if firsts.is_empty() {
                return Ok(());
            }
            let waiting = self.try_some(session, &firsts, memory).await?;
            let others: Vec<_> = waiting
                .iter()
                .filter_map(|claim| Some((*claim, memory.withheld.another(mails, *claim)?)))
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
    fn may_try(&self, listed: &Listed) -> bool {
        let is_taken = self.lent.contains_key(&listed.number) || self.to_delete.contains(&listed.number);
        !is_taken && !self.suspected.contains(&hint(listed))
    }

    /// Tries one letter of each of some offices, and waits for what becomes of it. Returns the offices whose letters wait still.
    async fn try_some(
        &mut self,
        session: &mut Session,
        tried: &[(Option<Matricule>, Listed)],
        memory: &mut Memory,
    ) -> Result<Vec<Option<Matricule>>, PollError> {
        let window: Vec<Listed> = tried.iter().map(|(_, listed)| listed.clone()).collect();
        self.tried.clear();
        self.fetch_window(session, &window, false, memory).await?;
        let deadline = tokio::time::Instant::now() + FATES_WAIT_MAX;
        while window.iter().any(|listed| self.lent.contains_key(&listed.number)) {
            match timeout_at(deadline, self.next_report()).await {
                Ok(true) => {}
                Ok(false) | Err(_) => break,
            }
        }
        self.remember_given_back(memory);
        self.delete_settled(session).await?;
        let now = Instant::now();
        let mut waiting = Vec::new();
        for (claim, listed) in tried {
            if self.tried.get(&listed.number) == Some(&Fate::Settled) {
                memory.withheld.release(*claim);
                self.has_given_back = true;
            } else {
                memory.withheld.add(listed, *claim, now);
                waiting.push(*claim);
            }
        }
        Ok(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(number: u32) -> Listed {
        Listed { number, uidl: Some(format!("m{number}").into()), size_bytes: 1 }
    }

    fn claim(number: u32) -> Option<Matricule> {
        Some(Matricule::try_from(number).unwrap())
    }

    fn numbers(firsts: &[(Option<Matricule>, Listed)]) -> Vec<u32> {
        firsts.iter().map(|(_, listed)| listed.number).collect()
    }

    #[test]
    fn the_first_of_each_office_is_tried_after_a_pause_that_grows() {
        let (mut withheld, start) = (Withheld::default(), Instant::now());
        let mails: Vec<Listed> = (1..=6).map(listed).collect();
        for (at, mail) in mails.iter().enumerate() {
            withheld.add(mail, claim(if at < 4 { 1 } else { 2 }), start);
        }
        assert!(withheld.firsts(&mails, start, |_| true).is_empty() && !withheld.is_due(claim(1), start));
        let mut now = start + PAUSE_MIN;
        assert_eq!(numbers(&withheld.firsts(&mails, now, |_| true)), [1, 5]);
        withheld.add(&mails[0], claim(1), now);
        assert_eq!(
            numbers(&withheld.firsts(&mails, now + PAUSE_MIN, |_| true)),
            [5],
            "the first office waits for twice as long"
        );
        for _ in 0..20 {
            now += PAUSE_MAX;
            assert_eq!(numbers(&withheld.firsts(&mails, now, |_| true)), [1, 5], "and for a minute at most");
            withheld.add(&mails[0], claim(1), now);
        }
        withheld.release(claim(1));
        assert!(!withheld.has(&mails[3]) && withheld.has(&mails[4]));
    }

    #[test]
    fn of_an_office_whose_first_waits_the_others_have_their_turn() {
        let (mut withheld, start) = (Withheld::default(), Instant::now());
        let mails: Vec<Listed> = (1..=4).map(listed).collect();
        mails.iter().for_each(|mail| withheld.add(mail, claim(1), start));
        let mut another = || withheld.another(&mails, claim(1)).map(|listed| listed.number);
        assert_eq!([another(), another(), another(), another()], [Some(2), Some(3), Some(4), Some(2)]);
        withheld.forget_all_but(&mails[..1]);
        assert_eq!(withheld.another(&mails, claim(1)), None);
        withheld.forget_all_but(&[]);
        assert!(withheld.offices.is_empty() && withheld.mails.is_empty());
    }

    #[test]
    fn few_offices_are_tried_at_a_time_and_who_keeps_others_waiting_first() {
        let (mut withheld, start) = (Withheld::default(), Instant::now());
        let mails: Vec<Listed> = (1..=100).map(listed).collect();
        for (number, mail) in (1..).zip(&mails) {
            withheld.add(mail, claim(number), start + Duration::from_millis(u64::from(number)));
        }
        let now = start + Duration::from_secs(2);
        let few: Vec<u32> = (1..=16).collect();
        assert_eq!(numbers(&withheld.firsts(&mails, now, |_| true)), few);
        assert!(withheld.firsts(&mails, now, |_| false).is_empty() && !withheld.is_due(claim(1), now));
        withheld.hurry(claim(77));
        assert!(numbers(&withheld.firsts(&mails, now, |_| true)).contains(&77));
    }
}
