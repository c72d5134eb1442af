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

/// What a poller remembers between sessions. The memory is only an optimisation: forgetting it costs a second fetch.
#[derive(Default)]
pub struct Memory {
    /// Mails without a container that stay in the mailbox by its rule: their sizes by token. The size is compared, since a server may give
    /// the token to another mail.
    left: HashMap<Box<str>, u64>,
    /// Deferred mails by token, with their claims.
    deferred: HashMap<Box<str>, Option<Matricule>>,
    /// How many deferred mails claim each agency.
    deferred_claims: Tally<Matricule>,
    /// Suspects that were settled alone, or are gone, and are not cleared in the database yet.
    pub absolved: Vec<String>,
    /// Suspects whose last attempt does not count, since a fault or a stop ended it, and is not taken back in the database yet.
    pub returned: Vec<String>,
    /// No suspect is tried before this moment: the last one waited in vain for nothing else to be in hand.
    pub suspects_wait_until: Option<Instant>,
    /// Number of the next line of `xm.in_hand` in this life.
    pub next_batch: i64,
    /// Mails with letters that wait, for their table or for a fault to be mended.
    pub withheld: Withheld,
    /// Mails over which sessions broke.
    pub breakers: Breakers,
    /// The true sizes of mails that are larger than their server lists them, by hint.
    pub true_bytes: HashMap<Box<str>, u64>,
    /// The complaints of the last session, which have been logged.
    pub told: Complaints,
}

/// What is wrong with a source, as far as one session shows it; each complaint is logged in one line, and only when it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complaints {
    /// Mails that the server lists and does not give.
    pub refused: usize,
    /// The server's words for the first of the refused mails.
    pub refused_words: Option<String>,
    /// Settled mails that the server refuses to delete.
    pub undeleted: usize,
    /// Malformed lines of the server's listings.
    pub odd_lines: usize,
    /// The first of the malformed lines.
    pub odd_line: Option<String>,
}

impl Complaints {
    /// Logs what differs from the session before.
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
    /// Takes attempts back that do not count. The database may be what failed, so those that remain are taken back before the next
    /// attempt.
    pub async fn take_attempts_back(&mut self, parts: &Admission) -> Result<(), PollError> {
        if !self.returned.is_empty() {
            parts.take_attempts_back(self.returned.clone()).await?;
            self.returned.clear();
        }
        Ok(())
    }

    /// Remembers that a mail stays in the mailbox. A mail without a token is fetched again.
    pub fn leave(&mut self, listed: &Candidate) {
        if let Some(token) = &listed.token {
            self.left.insert(token.clone(), listed.size_bytes);
        }
    }

    /// Says whether a mail stays in the mailbox by its rule.
    pub fn has_left(&self, listed: &Candidate) -> bool {
        listed.token.as_ref().and_then(|token| self.left.get(token)) == Some(&listed.size_bytes)
    }

    /// Returns how many bytes a mail likely has: as listed, or more where an earlier fetch found it larger.
    pub fn likely_bytes(&self, listed: &Candidate) -> u64 {
        let found = if self.true_bytes.is_empty() { None } else { self.true_bytes.get(&*listed.hint()) };
        found.copied().unwrap_or(0).max(listed.size_bytes)
    }

    /// Returns the deferred mail's claim; nothing where it is not deferred.
    pub fn deferred_claim(&self, listed: &Candidate) -> Option<Option<Matricule>> {
        self.deferred.get(listed.token.as_ref()?).copied()
    }

    /// Returns what a deferred mail claims.
    pub fn claim(&self, listed: &Candidate) -> Option<Matricule> {
        self.deferred_claim(listed).flatten()
    }

    /// Says whether mail that claims this agency is deferred: later mail of the agency must not overtake it.
    pub fn has_deferred(&self, matricule: Matricule) -> bool {
        self.deferred_claims.has(&matricule)
    }

    /// Remembers that a mail is deferred. A mail without a token is fetched as if it were new.
    pub fn defer(&mut self, listed: &Candidate, claim: Option<Matricule>) {
        self.forget(listed);
        let Some(token) = &listed.token else { return };
        if let Some(matricule) = claim {
            self.deferred_claims.add(matricule);
        }
        self.deferred.insert(token.clone(), claim);
    }

    /// Says whether a mail is withheld.
    pub fn state(&self, listed: &Candidate) -> MailState {
        if self.withheld.has(listed) { MailState::Withheld } else { MailState::Listed }
    }

    /// Forgets that a mail is deferred, since it is in hand.
    pub fn forget(&mut self, listed: &Candidate) {
        if let Some(token) = &listed.token {
            self.forget_id(token);
        }
    }

    fn forget_id(&mut self, token: &str) {
        let Some(Some(matricule)) = self.deferred.remove(token) else { return };
        self.deferred_claims.remove(&matricule);
    }

    /// Forgets mails that are no longer listed; breakers only where the listing is whole.
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
