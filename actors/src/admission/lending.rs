//! Keeps the mails that are lent to the actors, from one session to the next. A session may end while some of its mails are still being
//! processed; these mails are carried over to the next session. Otherwise a flood that is settled slowly would keep all later mail of its
//! mailbox from being listed.
//!
//! A later session recognises a carried mail by its token (its unique id), and does not fetch it while it is lent. Once the mail is
//! settled, a later session fetches it again and deletes it if it is equal octet for octet. The token alone is not enough: a server may
//! have given it to another mail, and deleting that mail would lose it. A carried mail that is forgotten (by a crash, or because its token
//! has changed) is fetched as new, and settling recognises the letter.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher;

use sdc::letter::Matricule;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::claims::{LANES, Lane};
use crate::custody::Report;
use crate::tally::Tally;
use crate::transport::{Candidate, FetchOutcome};

/// A mail that is lent.
pub struct LentMail {
    /// The mail, as its session listed it.
    pub listed: Candidate,
    /// The agency that the mail claims.
    pub claim: Option<Matricule>,
    /// Lane in which the mail was lent.
    pub lane: Lane,
    /// Digest of the mail's octets; `None` where the source refused to give any of them.
    digest: Option<u64>,
    /// Number of the row in `xm.in_hand` that contains the mail's token; `None` for a suspect that is tried alone.
    batch: Option<i64>,
}

/// A mail that the actors have finished with, and its number.
pub struct Returned {
    /// The mail, as it was lent.
    pub mail: LentMail,
    /// Number of the mail in this session; `None` where an earlier session has lent the mail.
    pub number: Option<u32>,
}

/// The mails of one source that are lent. The value lives as long as one life of its poller.
pub struct Lending {
    /// Number of the session. A mail's ticket consists of this number and the mail's own number in the session.
    session: u32,
    sender: UnboundedSender<Report>,
    reports: UnboundedReceiver<Report>,
    lent: HashMap<u64, LentMail>,
    /// Number of lent mails, by claimed agency and lane.
    claims: Tally<(Matricule, Lane)>,
    /// Tokens of mails that are lent.
    ids: Tally<Box<str>>,
    /// Digests, by token, of mails that are settled and not deleted yet. Either they were settled after their session had ended, or their
    /// source refused to delete them.
    settled: HashMap<Box<str>, u64>,
    /// Token and digest, by mail number, of the mails that this session may delete.
    marked: HashMap<u32, (Box<str>, u64)>,
    /// Tokens of mails whose octets had changed when they were fetched a second time: some servers write into a mail once it has been read.
    /// A digest cannot show that such a mail, fetched again, is the settled one. So a session waits for its fate, as it does for a mail
    /// without a token.
    changing: HashSet<Box<str>>,
    /// For each row of `xm.in_hand`, by its batch number: how many of the row's mails are still lent.
    batches: BTreeMap<i64, usize>,
    /// Batch number of the row in `xm.in_hand` that lists the mails which are being fetched together now.
    batch: Option<i64>,
    /// Tokens of mails that became suspects and are not yet recorded as suspects in the database.
    pub suspects: Vec<String>,
    digests: RandomState,
}

impl Default for Lending {
    fn default() -> Lending {
        let (sender, reports) = unbounded_channel();
        Lending {
            session: 0,
            sender,
            reports,
            lent: HashMap::new(),
            claims: Tally::default(),
            ids: Tally::default(),
            settled: HashMap::new(),
            marked: HashMap::new(),
            changing: HashSet::new(),
            batches: BTreeMap::new(),
            batch: None,
            suspects: Vec::new(),
            digests: RandomState::new(),
        }
    }
}

impl Lending {
    /// Begins a session. Each session numbers its mails anew.
    pub fn begin_session(&mut self) {
        self.session = self.session.wrapping_add(1);
        self.batch = None;
        self.marked.clear();
    }

    /// Begins a window, that is, a group of mails that are fetched together. The row `batch` of `xm.in_hand` contains the tokens of these
    /// mails.
    pub fn begin_batch(&mut self, batch: i64) {
        self.batches.insert(batch, 0);
        self.batch = Some(batch);
    }

    fn ticket(&self, number: u32) -> u64 {
        (u64::from(self.session) << 32) | u64::from(number)
    }

    /// Returns the number of the mail with this ticket, or `None` where the ticket is of another session.
    fn number(&self, ticket: u64) -> Option<u32> {
        let number = ticket ^ (u64::from(self.session) << 32);
        u32::try_from(number).ok()
    }

    /// Notes that a mail is lent. Returns its ticket, and the channel for its report.
    pub fn lend(
        &mut self,
        listed: Candidate,
        claim: Option<Matricule>,
        lane: Lane,
        outcome: &FetchOutcome,
    ) -> (u64, UnboundedSender<Report>) {
        let ticket = self.ticket(listed.number);
        if let Some(matricule) = claim {
            self.claims.add((matricule, lane));
        }
        if let Some(token) = &listed.token {
            self.ids.add(token.clone());
        }
        if let Some(lent) = self.batch.and_then(|batch| self.batches.get_mut(&batch)) {
            *lent += 1;
        }
        let digest = self.digest(outcome);
        self.lent.insert(ticket, LentMail { listed, claim, lane, digest, batch: self.batch });
        (ticket, self.sender.clone())
    }

    /// Returns the digest of a mail's octets. For an over-size mail the digest is of its size and of the part that was fetched.
    fn digest(&self, outcome: &FetchOutcome) -> Option<u64> {
        match outcome {
            FetchOutcome::Mail(octets) => Some(self.digests.hash_one((octets, 0_u64))),
            FetchOutcome::OverSize { head, .. } if head.is_empty() => None,
            FetchOutcome::OverSize { head, size_bytes } => Some(self.digests.hash_one((head, *size_bytes))),
            FetchOutcome::Refused(_) => None,
        }
    }

    /// Waits for the next report. The channel never closes, since this structure keeps a sender.
    pub async fn next_report(&mut self) -> Option<Report> {
        self.reports.recv().await
    }

    /// Returns the next report if it has already arrived.
    pub fn try_report(&mut self) -> Option<Report> {
        self.reports.try_recv().ok()
    }

    /// Removes a mail whose fate was reported from the lent mails and returns it, or returns `None` if the mail has been forgotten.
    pub fn take_back(&mut self, ticket: u64) -> Option<Returned> {
        let mail = self.lent.remove(&ticket)?;
        if let Some(matricule) = mail.claim {
            self.claims.remove(&(matricule, mail.lane));
        }
        if let Some(token) = &mail.listed.token {
            self.ids.remove(token);
        }
        if let Some(lent) = mail.batch.and_then(|batch| self.batches.get_mut(&batch)) {
            *lent -= 1;
        }
        Some(Returned { number: self.number(ticket), mail })
    }

    /// Remembers that a mail of an earlier session is settled. That session is closed, so a later one has to delete the mail.
    pub fn settled(&mut self, mail: &LentMail) {
        let Some(token) = &mail.listed.token else { return };
        match mail.digest {
            Some(digest) => drop(self.settled.insert(token.clone(), digest)),
            // Without a digest a later session cannot recognise the mail: it is fetched as new, and its session waits for its fate.
            None => drop(self.changing.insert(token.clone())),
        }
    }

    /// Notes that a mail of this session is settled, and that the session is to delete it.
    pub fn mark(&mut self, number: u32, mail: &LentMail) {
        if let (Some(token), Some(digest)) = (&mail.listed.token, mail.digest) {
            self.marked.insert(number, (token.clone(), digest));
        }
    }

    /// Remembers mails that their source refuses to delete: later sessions do not lend them again, and only try to delete them.
    pub fn undeleted(&mut self, numbers: &[u32]) {
        let marked: Vec<(Box<str>, u64)> = numbers.iter().filter_map(|number| self.marked.remove(number)).collect();
        self.settled.extend(marked);
    }

    /// Says whether a mail with this token is settled and not deleted yet.
    pub fn is_settled(&self, listed: &Candidate) -> bool {
        !self.settled.is_empty() && listed.token.as_ref().is_some_and(|token| self.settled.contains_key(token))
    }

    /// Says whether a mail that was fetched again equals the settled mail octet for octet. Whether or not it does, the record of the
    /// settled mail is removed. If the mail is listed once more, it is fetched as new.
    pub fn take_settled(&mut self, listed: &Candidate, outcome: &FetchOutcome) -> bool {
        let Some((token, digest)) = listed.token.as_ref().and_then(|token| self.settled.remove_entry(token)) else {
            return false;
        };
        let is_same = self.digest(outcome) == Some(digest);
        if is_same {
            self.marked.insert(listed.number, (token, digest));
        } else {
            self.changing.insert(token);
        }
        is_same
    }

    /// Says whether a mail must not be fetched as new, because a mail with its token is lent, or is settled and not deleted yet.
    pub fn has(&self, listed: &Candidate) -> bool {
        let is_lent = listed.token.as_ref().is_some_and(|token| self.ids.has(token));
        is_lent || self.is_settled(listed) || self.is_lent(listed.number)
    }

    /// Says whether this session has lent a mail.
    pub fn is_lent(&self, number: u32) -> bool {
        self.lent.contains_key(&self.ticket(number))
    }

    /// Says whether no mail is lent.
    pub fn is_empty(&self) -> bool {
        self.lent.is_empty()
    }

    /// Returns the number of mails that are lent.
    pub fn lent_mails(&self) -> usize {
        self.lent.len()
    }

    /// Returns the number of mails that are settled and not deleted yet.
    pub fn settled_mails(&self) -> usize {
        self.settled.len()
    }

    /// Says whether mail that claims this agency is lent in a lane better than `lane`. The decoder may still defer that mail, and later
    /// mail of the agency must not overtake it.
    pub fn has_better(&self, matricule: Matricule, lane: Lane) -> bool {
        LANES.into_iter().take_while(|better| *better < lane).any(|better| self.claims.has(&(matricule, better)))
    }

    /// Says whether a mail is lent that no later session could recognise.
    pub fn has_without_id(&self) -> bool {
        self.lent.values().any(|mail| is_unknown_later(&mail.listed, &self.changing))
    }

    /// Forgets the lent mails that no later session could recognise. Returns their number.
    pub fn forget_without_id(&mut self) -> usize {
        let changing = std::mem::take(&mut self.changing);
        let forgotten = self.forget(|_, mail| is_unknown_later(&mail.listed, &changing)).len();
        self.changing = changing;
        forgotten
    }

    /// Forgets all mails that this session has lent; returns their numbers. Only a bug that tests plant needs this: a poller that deletes
    /// mail before its letters are committed.
    pub fn forget_session(&mut self) -> Vec<u32> {
        let session = self.session;
        let forgotten = self.forget(|ticket, _| ticket >> 32 == u64::from(session));
        forgotten.into_iter().filter_map(|returned| returned.number).collect()
    }

    fn forget(&mut self, which: impl Fn(u64, &LentMail) -> bool) -> Vec<Returned> {
        let tickets: Vec<u64> =
            self.lent.iter().filter(|(ticket, mail)| which(**ticket, mail)).map(|(ticket, _)| *ticket).collect();
        tickets.into_iter().filter_map(|ticket| self.take_back(ticket)).collect()
    }

    /// Forgets settled mails that are no longer in the mailbox.
    pub fn forget_all_but(&mut self, mails: &[Candidate]) {
        if !self.settled.is_empty() || !self.changing.is_empty() {
            let listed: HashSet<&str> = mails.iter().filter_map(|listed| listed.token.as_deref()).collect();
            self.settled.retain(|token, _| listed.contains(&**token));
            self.changing.retain(|token| listed.contains(&**token));
        }
    }

    /// Returns the numbers of the rows of `xm.in_hand` whose mails have all been reported.
    pub fn batches_done(&self) -> Vec<i64> {
        self.batches.iter().filter(|(_, lent)| **lent == 0).map(|(batch, _)| *batch).collect()
    }

    /// Forgets rows that were deleted from `xm.in_hand`, and the first `suspects` suspects, which are now recorded in the database.
    pub fn struck_out(&mut self, batches: &[i64], suspects: usize) {
        self.batches.retain(|batch, _| !batches.contains(batch));
        self.suspects.drain(..suspects);
    }
}

/// Says whether a later session could not recognise a mail.
fn is_unknown_later(listed: &Candidate, changing: &HashSet<Box<str>>) -> bool {
    listed.token.as_ref().is_none_or(|token| changing.contains(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custody::Fate;

    fn listed(number: u32, token: &str) -> Candidate {
        Candidate { number, token: (!token.is_empty()).then(|| token.into()), size_bytes: 3 }
    }

    fn mail(octets: &str) -> FetchOutcome {
        FetchOutcome::Mail(octets.into())
    }

    fn lend(lending: &mut Lending, number: u32, token: &str) -> u64 {
        lending.lend(listed(number, token), Some(Matricule::try_from(42).unwrap()), Lane::Fast, &mail("one")).0
    }

    #[test]
    fn a_mail_settled_after_its_session_is_deleted_only_where_it_is_the_same() {
        for (octets, is_same) in [("one", true), ("two", false)] {
            let mut lending = Lending::default();
            lending.begin_session();
            let ticket = lend(&mut lending, 7, "a");
            lending.begin_session();
            assert!(
                lending.has(&listed(1, "a")) && !lending.has(&listed(7, "b")),
                "known by its id, not by its number"
            );
            let returned = lending.take_back(ticket).unwrap();
            assert_eq!(returned.number, None, "another mail has its number now");
            lending.settled(&returned.mail);
            assert!(
                lending.has(&listed(1, "a")) && lending.is_settled(&listed(1, "a")) && lending.settled_mails() == 1
            );
            assert!(!lending.take_settled(&listed(1, "b"), &mail("one")));
            assert_eq!(lending.take_settled(&listed(1, "a"), &mail(octets)), is_same);
            assert!(!lending.has(&listed(1, "a")) && lending.settled_mails() == 0);
            lend(&mut lending, 9, "a");
            assert_eq!(lending.has_without_id(), !is_same, "its session waits for one that changes");
        }
    }

    #[test]
    fn a_mail_that_its_source_does_not_delete_is_known_until_it_does_or_is_another() {
        for (octets, is_same) in [("one", true), ("two", false)] {
            let mut lending = Lending::default();
            lending.begin_session();
            let ticket = lend(&mut lending, 7, "a");
            let returned = lending.take_back(ticket).unwrap();
            lending.mark(7, &returned.mail);
            lending.undeleted(&[7]);
            assert!(lending.has(&listed(1, "a")) && lending.is_settled(&listed(1, "a")), "it is not fetched as new");
            for number in [3, 4] {
                lending.begin_session();
                assert!(lending.take_settled(&listed(number, "a"), &mail("one")));
                lending.undeleted(&[number]);
            }
            lending.begin_session();
            assert_eq!(lending.take_settled(&listed(2, "a"), &mail(octets)), is_same);
            assert!(!lending.has(&listed(2, "a")), "deleted now, or another");
        }
    }

    #[test]
    fn of_a_mail_that_is_too_large_what_was_fetched_and_its_size_say_whether_it_is_the_same() {
        let over_size = |head: &str, size_bytes| FetchOutcome::OverSize { head: head.into(), size_bytes };
        for (first, second, is_same) in [
            (over_size("head", 9), over_size("head", 9), true),
            (over_size("head", 9), over_size("head", 8), false),
            (over_size("head", 9), mail("head"), false),
            (over_size("", 9), over_size("", 9), false),
        ] {
            let mut lending = Lending::default();
            let (ticket, _) = lending.lend(listed(1, "a"), None, Lane::Last, &first);
            lending.begin_session();
            let returned = lending.take_back(ticket).unwrap();
            lending.settled(&returned.mail);
            assert_eq!(lending.take_settled(&listed(1, "a"), &second), is_same);
        }
    }

    #[test]
    fn an_id_is_known_until_the_last_mail_with_it_is_back() {
        let mut lending = Lending::default();
        let tickets = [lend(&mut lending, 1, "a"), lend(&mut lending, 2, "a")];
        lending.begin_session();
        lending.take_back(tickets[0]);
        assert!(lending.has(&listed(1, "a")));
        lending.take_back(tickets[1]);
        assert!(!lending.has(&listed(1, "a")));
    }

    #[test]
    fn lines_are_struck_out_when_the_last_of_their_mails_is_back_whichever_session_lent_it() {
        let mut lending = Lending::default();
        lending.begin_session();
        lending.begin_batch(1);
        let tickets = [lend(&mut lending, 1, "a"), lend(&mut lending, 2, "b")];
        lending.begin_batch(2);
        assert_eq!(lending.batches_done(), [2]);
        lending.begin_session();
        let alone = lend(&mut lending, 1, "c");
        assert_eq!(lending.take_back(tickets[0]).map(|returned| returned.number), Some(None));
        assert_eq!(lending.take_back(alone).map(|returned| returned.number), Some(Some(1)));
        assert_eq!(lending.batches_done(), [2]);
        lending.take_back(tickets[1]);
        assert_eq!(lending.batches_done(), [1, 2]);
        lending.suspects.extend(["a".to_owned(), "b".to_owned()]);
        lending.struck_out(&[1, 2], 1);
        assert!(lending.batches_done().is_empty() && lending.suspects == ["b"]);
    }

    #[test]
    fn what_has_no_id_is_not_carried_over_and_its_late_report_is_nobodys() {
        let mut lending = Lending::default();
        lending.begin_session();
        let (without, with) = (lend(&mut lending, 1, ""), lend(&mut lending, 2, "a"));
        assert!(lending.has_without_id() && lending.is_lent(1));
        assert_eq!(lending.forget_without_id(), 1);
        assert!(!lending.has_without_id() && lending.take_back(without).is_none());
        assert!(lending.has_better(Matricule::try_from(42).unwrap(), Lane::Slow), "the other is lent still");
        lending.begin_session();
        assert!(lending.forget_session().is_empty(), "it was lent by the session before");
        assert!(lending.take_back(with).is_some() && lending.is_empty());
        assert!(!lending.has_better(Matricule::try_from(42).unwrap(), Lane::Slow));
    }

    #[tokio::test]
    async fn reports_reach_the_session_that_comes_after() {
        let mut lending = Lending::default();
        lending.begin_session();
        let (ticket, reports) = lending.lend(listed(1, "a"), None, Lane::Last, &mail("one"));
        lending.begin_session();
        assert_eq!(lending.try_report(), None);
        reports.send(Report { number: ticket, fate: Fate::Settled }).unwrap();
        assert_eq!(lending.next_report().await.map(|report| report.number), Some(ticket));
    }
}
