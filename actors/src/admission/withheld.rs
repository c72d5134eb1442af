//! A withheld letter is a sound letter that has to wait, because one of its tables takes no rows now, or because of a fault that the letter
//! did not cause. Its mail stays in the mailbox. If every poll fetched the withheld letters again before all other mail, ten thousand of
//! them on the eve of an election would fill each session.
//!
//! Therefore an office's withheld letters are not fetched during a pause, which grows each time. After the pause, and after all other mail,
//! the office's first withheld letter is tried (`withheld_tries`). Each session tries the letters of a few offices. Once one letter is
//! settled, all letters of its office are fetched again, in their order. If the first letter is withheld again, another letter of the
//! office is tried, because it may wait for something else.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sdc::letter::Matricule;

use crate::transport::Candidate;

/// First pause of an office's withheld letters. The pause doubles each time a letter of the office is tried and withheld again.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longest pause of an office's withheld letters.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Number of offices that are tried together, with one letter each. If at least one of these letters is settled, the next offices are
/// tried.
const OFFICES_TRIED: usize = 16;
/// Withheld letters by the claims of their mails: the letters of one office are tried in their order.
#[derive(Debug, Default)]
pub struct Withheld {
    /// Sizes in bytes and claims of withheld mails, by token. A changed size shows that the server has given the token to another mail.
    mails: HashMap<Arc<str>, (u64, Option<Matricule>)>,
    /// Offices that have withheld letters.
    offices: HashMap<Option<Matricule>, Wait>,
    /// The keys of `offices`, sorted by the end of their pauses, so that a session looks only at the offices that are due.
    turns: BTreeSet<(Instant, Option<Matricule>)>,
    /// Offices that this session tries before other due offices, since the session has found later mail of these offices.
    chosen: BTreeSet<Option<Matricule>>,
    /// In tests: how many mails and offices the methods have visited, to check that the work does not grow with all withheld letters.
    #[cfg(test)]
    looked_at: usize,
}

#[derive(Debug)]
struct Wait {
    mails: HashSet<Arc<str>>,
    pause: Duration,
    until: Instant,
    /// Token of the last withheld mail that was tried in addition to the office's first.
    other_tried: Option<Box<str>>,
}

/// The mails that a session lists, by token.
pub(super) struct Places<'l>(HashMap<&'l str, &'l Candidate>);

impl<'l> Places<'l> {
    /// Puts a session's mails into a map by token.
    pub(super) fn of(mails: &'l [Candidate]) -> Places<'l> {
        // Where several mails have the same token, the first is kept.
        Places(mails.iter().rev().filter_map(|listed| Some((listed.token.as_deref()?, listed))).collect())
    }
}

impl Withheld {
    /// Remembers that a mail is withheld, even if it was withheld before. A mail without a token is not remembered: it is fetched as new.
    pub fn add(&mut self, listed: &Candidate, claim: Option<Matricule>, now: Instant) {
        let Some(token) = &listed.token else { return };
        let token: Arc<str> = Arc::from(&**token);
        // If the last mail of an office is forgotten, the office's pause is forgotten with it. So a mail that is already in the map is
        // removed only if its claim has changed.
        if self.mails.get(&token).is_some_and(|(_, before)| *before != claim) {
            self.forget(&token);
        }
        self.mails.insert(Arc::clone(&token), (listed.size_bytes, claim));
        let first = Wait { mails: HashSet::new(), pause: PAUSE_MIN, until: now, other_tried: None };
        let wait = self.offices.entry(claim).or_insert(first);
        wait.mails.insert(token);
        // Several letters of one office may be withheld in the same session. Only the first lengthens the pause: after it, `until` is in
        // the future.
        if now >= wait.until {
            let pause = wait.pause;
            wait.pause = (pause * 2).min(PAUSE_MAX);
            self.wait_until(claim, now + pause);
        }
    }

    /// Sets when an office's pause ends.
    fn wait_until(&mut self, claim: Option<Matricule>, until: Instant) {
        if let Some(wait) = self.offices.get_mut(&claim) {
            self.turns.remove(&(wait.until, claim));
            wait.until = until;
            self.turns.insert((until, claim));
        }
    }

    /// Says whether a mail is withheld.
    pub fn has(&self, listed: &Candidate) -> bool {
        self.claim(listed).is_some()
    }

    fn claim(&self, listed: &Candidate) -> Option<Option<Matricule>> {
        let (size_bytes, claim) = self.mails.get(listed.token.as_deref()?)?;
        (*size_bytes == listed.size_bytes).then_some(*claim)
    }

    /// Begins a session: no office is chosen yet.
    pub fn begin(&mut self) {
        self.chosen.clear();
    }

    /// Says whether a mail of an office must wait because this session tries the office's withheld letters first. Only as many due offices
    /// are chosen as one session can try. Mail of other due offices does not wait: it may be for a table that takes rows, and if it waited,
    /// each session would fetch it in vain until its office is chosen. Mail without a claim belongs to no single office.
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

    /// Allows all letters of an office to be fetched again, since one of them is settled.
    pub(super) fn release(&mut self, claim: Option<Matricule>) {
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

    /// Forgets that a mail is withheld, so that it is fetched like any other mail.
    pub fn forget(&mut self, token: &str) {
        let Some((_, claim)) = self.mails.remove(token) else { return };
        let Some(wait) = self.offices.get_mut(&claim) else { return };
        wait.mails.remove(token);
        if wait.mails.is_empty() {
            self.turns.remove(&(wait.until, claim));
            self.offices.remove(&claim);
        }
    }

    /// Forgets mails that are no longer listed.
    pub fn forget_all_but(&mut self, mails: &[Candidate]) {
        if self.mails.is_empty() {
            return;
        }
        let listed: HashSet<&str> = mails.iter().filter_map(|listed| listed.token.as_deref()).collect();
        let gone: Vec<Arc<str>> = self.mails.keys().filter(|token| !listed.contains(&***token)).cloned().collect();
        gone.iter().for_each(|token| self.forget(token));
    }

    /// Returns the first withheld mail of some due offices. Offices in `chosen` are first, then those that have been due for longest. An
    /// office of which no mail may be tried now gets another pause, so that it does not hold up other mail.
    pub(super) fn firsts(
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

    /// Returns an office's withheld mails, in the order of the mailbox.
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

    /// Returns a withheld mail of an office other than its first. Each call returns the next one.
    pub(super) fn another(&mut self, places: &Places<'_>, claim: Option<Matricule>) -> Option<Candidate> {
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
