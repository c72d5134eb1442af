//! What a poller remembers between sessions.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use sdc::letter::Matricule;

use super::breakers::Breakers;
use super::polled::PollError;
use super::source::{Admission, MailState};
use super::withheld::Withheld;
use crate::tally::Tally;
use crate::transport::Candidate;

/// What a poller remembers between sessions. The memory is only an optimisation: if it is lost, mail is fetched a second time.
#[derive(Default)]
pub struct Memory {
    /// Sizes in bytes, by token, of mails that contain no SDC container (no letter) and that the rule `no_container` of their mailbox
    /// leaves where they are. The size is compared because a server may give the token to another mail.
    left: HashMap<Box<str>, u64>,
    /// Deferred mails by token, with their claims.
    deferred: HashMap<Box<str>, Option<Matricule>>,
    /// How many deferred mails claim each agency.
    deferred_claims: Tally<Matricule>,
    /// Tokens of suspects that were settled alone or are no longer in the mailbox, and are not yet cleared in the database.
    pub absolved: Vec<String>,
    /// Tokens of suspects whose last attempt does not count, since a fault or a stop ended it. The database still counts the attempt.
    pub returned: Vec<String>,
    /// No suspect is tried before this moment. It is set after a suspect, which may be processed only alone, waited in vain for the other
    /// mail to be finished.
    pub suspects_wait_until: Option<Instant>,
    /// Batch number that the next row of `xm.in_hand` gets in this life of the poller.
    pub next_batch: i64,
    /// Mails with withheld letters: letters that wait until their table takes rows, or until a fault is mended.
    pub withheld: Withheld,
    /// Mails over which sessions broke.
    pub breakers: Breakers,
    /// True sizes in bytes, by hint, of mails that are larger than their server lists them.
    pub true_bytes: HashMap<Box<str>, u64>,
    /// The complaints of the last session. They have been logged.
    pub told: Complaints,
}

/// Faults of a source that one session has seen. Each complaint is logged in one line, and only when it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complaints {
    /// Number of mails that the server lists and refuses to send.
    pub refused: usize,
    /// Text of the server's refusal of the first refused mail.
    pub refused_words: Option<String>,
    /// Number of settled mails that the server refuses to delete.
    pub undeleted: usize,
    /// Number of malformed lines in the server's listings.
    pub odd_lines: usize,
    /// The first malformed line of the server's listings.
    pub odd_line: Option<String>,
}

impl Complaints {
    /// Logs the complaints that differ from those of the session before.
    pub fn tell(&self, before: &Complaints, parts: &Admission) {
        let (mailbox, noun) = (&*parts.name, parts.facts.noun);
        if self.refused > 0 && self.refused != before.refused {
            let words = self.refused_words.as_deref().unwrap_or_default();
            tracing::warn!(mailbox, mails = self.refused, words, "the {noun} does not give mails that it lists");
        }
        if self.undeleted > 0 && self.undeleted != before.undeleted {
            tracing::warn!(mailbox, mails = self.undeleted, "the {noun} refuses to delete settled mail");
        }
        if self.odd_lines > 0 && self.odd_lines != before.odd_lines {
            let first = self.odd_line.as_deref().unwrap_or_default();
            tracing::warn!(
                mailbox,
                lines = self.odd_lines,
                first,
                "the {noun} lists mail oddly; it is fetched all the same"
            );
        }
    }
}

impl Memory {
    /// Takes back the attempts at suspects that a fault or a stop ended: the database counts each attempt when it begins, and must not
    /// count these. If the database fails now, they are taken back before the next suspect is tried.
    pub async fn take_attempts_back(&mut self, parts: &Admission) -> Result<(), PollError> {
        if !self.returned.is_empty() {
            parts.take_attempts_back(self.returned.clone()).await?;
            self.returned.clear();
        }
        Ok(())
    }

    /// Remembers that a mail without a letter stays in the mailbox, so that it is not fetched again. A mail without a token cannot be
    /// remembered and is fetched again.
    pub fn leave(&mut self, listed: &Candidate) {
        if let Some(token) = &listed.token {
            self.left.insert(token.clone(), listed.size_bytes);
        }
    }

    /// Says whether a mail was fetched before, contained no letter, and was left in the mailbox by [`Memory::leave`].
    pub fn has_left(&self, listed: &Candidate) -> bool {
        listed.token.as_ref().and_then(|token| self.left.get(token)) == Some(&listed.size_bytes)
    }

    /// Returns the likely size of a mail in bytes: the listed size, or a larger size that an earlier fetch has found.
    pub fn likely_bytes(&self, listed: &Candidate) -> u64 {
        let found = if self.true_bytes.is_empty() { None } else { self.true_bytes.get(&*listed.hint()) };
        found.copied().unwrap_or(0).max(listed.size_bytes)
    }

    /// Returns the claim of a deferred mail, or `None` where the mail is not deferred.
    pub fn deferred_claim(&self, listed: &Candidate) -> Option<Option<Matricule>> {
        self.deferred.get(listed.token.as_ref()?).copied()
    }

    /// Returns the agency that a deferred mail claims.
    pub fn claim(&self, listed: &Candidate) -> Option<Matricule> {
        self.deferred_claim(listed).flatten()
    }

    /// Says whether mail that claims this agency is deferred: later mail of the agency must not overtake it.
    pub fn has_deferred(&self, matricule: Matricule) -> bool {
        self.deferred_claims.has(&matricule)
    }

    /// Remembers that a mail is deferred. A mail without a token cannot be recognised later, so the next session fetches it as new.
    pub fn defer(&mut self, listed: &Candidate, claim: Option<Matricule>) {
        self.forget(listed);
        let Some(token) = &listed.token else { return };
        if let Some(matricule) = claim {
            self.deferred_claims.add(matricule);
        }
        self.deferred.insert(token.clone(), claim);
    }

    /// Returns whether a mail is withheld or just listed.
    pub fn state(&self, listed: &Candidate) -> MailState {
        if self.withheld.has(listed) { MailState::Withheld } else { MailState::Listed }
    }

    /// Forgets that a mail is deferred, since it is now lent to the actors.
    pub fn forget(&mut self, listed: &Candidate) {
        if let Some(token) = &listed.token {
            self.forget_id(token);
        }
    }

    fn forget_id(&mut self, token: &str) {
        let Some(Some(matricule)) = self.deferred.remove(token) else { return };
        self.deferred_claims.remove(&matricule);
    }

    /// Forgets mails that are no longer listed. Breakers are forgotten only if the listing is whole, because a part of a listing does not
    /// show that a mail is gone.
    pub fn forget_all_but(&mut self, mails: &[Candidate], is_whole: bool) {
        if is_whole {
            self.breakers.forget_all_but(mails);
        }
        self.withheld.forget_all_but(mails);
        if !self.true_bytes.is_empty() {
            let listed: HashSet<Box<str>> = mails.iter().map(Candidate::hint).collect();
            self.true_bytes.retain(|hint, _| listed.contains(hint));
        }
        if self.left.is_empty() && self.deferred.is_empty() {
            return;
        }
        let listed: HashSet<&str> = mails.iter().filter_map(|listed| listed.token.as_deref()).collect();
        self.left.retain(|token, _| listed.contains(&**token));
        let gone: Vec<Box<str>> = self.deferred.keys().filter(|token| !listed.contains(&***token)).cloned().collect();
        for token in gone {
            self.forget_id(&token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(token: &str, size_bytes: u64) -> Candidate {
        Candidate { number: 1, token: (!token.is_empty()).then(|| token.into()), size_bytes }
    }

    #[test]
    fn an_agency_has_deferred_mail_until_the_last_of_it_is_forgotten_or_gone() {
        let agency = Matricule::try_from(42).unwrap();
        let mut memory = Memory::default();
        for token in ["a", "b", "b", "c"] {
            memory.defer(&listed(token, 1), Some(agency));
        }
        memory.defer(&listed("d", 1), None);
        memory.forget(&listed("a", 1));
        memory.forget(&listed("a", 1));
        assert!(memory.has_deferred(agency));
        assert_eq!((memory.claim(&listed("b", 1)), memory.claim(&listed("d", 1))), (Some(agency), None));
        memory.forget_all_but(&[listed("c", 1)], true);
        assert_eq!(memory.deferred.len(), 1);
        assert!(memory.has_deferred(agency));
        memory.forget(&listed("c", 1));
        assert!(!memory.has_deferred(agency));
    }

    #[test]
    fn a_mail_over_which_sessions_broke_is_gone_only_where_the_listing_is_whole() {
        let (mut memory, mail) = (Memory::default(), listed("a", 1));
        memory.breakers.broke(&mail, std::time::Duration::ZERO, Instant::now());
        memory.forget_all_but(&[], false);
        assert!(memory.breakers.has_mail(&mail));
        memory.forget_all_but(&[], true);
        assert!(!memory.breakers.has_mail(&mail));
    }

    #[test]
    fn nothing_without_an_id_of_its_own_is_left_alone() {
        let mut memory = Memory::default();
        for mail in [listed("", 10), listed("a", 10)] {
            memory.leave(&mail);
            memory.defer(&mail, None);
        }
        assert!(memory.has_left(&listed("a", 10)) && memory.deferred_claim(&listed("a", 10)).is_some());
        assert!(!memory.has_left(&listed("", 10)) && memory.deferred_claim(&listed("", 10)).is_none());
        assert!(!memory.has_left(&listed("a", 11)), "the id has gone to another mail");
        memory.forget_all_but(&[], true);
        assert!(!memory.has_left(&listed("a", 10)));
    }

    #[test]
    fn a_mail_found_larger_than_it_is_said_to_be_is_thought_to_be_so() {
        let mut memory = Memory::default();
        for mail in [listed("a", 10), listed("", 0)] {
            assert_eq!(memory.likely_bytes(&mail), mail.size_bytes);
            memory.true_bytes.insert(mail.hint(), 5000);
            assert_eq!(memory.likely_bytes(&mail), 5000);
        }
        assert_eq!(memory.likely_bytes(&listed("a", 6000)), 6000);
    }
}
