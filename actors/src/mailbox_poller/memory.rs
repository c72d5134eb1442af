//! What a poller remembers between sessions.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use mail::pop3::Listed;
use sdc::letter::Matricule;

use super::MailboxPollerParts;
use super::session::PollError;
use crate::tally::Tally;

/// What a poller remembers between sessions. Only an optimisation: forgetting it costs a second fetch.
#[derive(Default)]
pub struct Memory {
    /// Mails that stay in the mailbox by its rule.
    pub left: HashSet<Box<str>>,
    /// Mails of the slow lane that found it full or may wait, with the agencies that they claim.
    pub deferred: HashMap<Box<str>, Option<Matricule>>,
    /// How many of them claim each agency.
    deferred_claims: Tally<Matricule>,
    /// Suspects settled alone whose lines are not cleared yet.
    pub absolved: Vec<String>,
    /// Suspects whose last attempt a fault or a stop ended, and does not count.
    pub returned: Vec<String>,
    /// When suspects are tried again, where the last one did not come to have everything to itself.
    pub suspects_wait_until: Option<Instant>,
    /// Number of the next line written down in this life.
    pub next_batch: i64,
}

impl Memory {
    /// The database may be what failed: what cannot be taken back now is taken back before the next attempt.
    pub async fn take_attempts_back(&mut self, parts: &MailboxPollerParts) -> Result<(), PollError> {
        if !self.returned.is_empty() {
            parts.take_attempts_back(self.returned.clone()).await?;
            self.returned.clear();
        }
        Ok(())
    }

    /// Returns what a deferred mail claims.
    pub fn claim(&self, listed: &Listed) -> Option<Matricule> {
        self.deferred.get(&listed.uidl).copied().flatten()
    }

    /// Says whether mail that claims this agency is deferred: what came later must not overtake it.
    pub fn has_deferred(&self, matricule: Matricule) -> bool {
        self.deferred_claims.has(&matricule)
    }

    /// Remembers that a mail is deferred.
    pub fn defer(&mut self, uidl: Box<str>, claim: Option<Matricule>) {
        self.forget(&uidl);
        if let Some(matricule) = claim {
            self.deferred_claims.add(matricule);
        }
        self.deferred.insert(uidl, claim);
    }

    /// Forgets that a mail is deferred: it is in hand.
    pub fn forget(&mut self, uidl: &str) {
        let Some(Some(matricule)) = self.deferred.remove(uidl) else { return };
        self.deferred_claims.remove(&matricule);
    }

    pub fn forget_all_but(&mut self, listing: &[Listed]) {
        if self.left.is_empty() && self.deferred.is_empty() {
            return;
        }
        let listed: HashSet<&str> = listing.iter().map(|listed| &*listed.uidl).collect();
        self.left.retain(|uidl| listed.contains(&**uidl));
        let gone: Vec<Box<str>> = self.deferred.keys().filter(|uidl| !listed.contains(&***uidl)).cloned().collect();
        for uidl in gone {
            self.forget(&uidl);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agency_has_deferred_mail_until_the_last_of_it_is_forgotten_or_gone() {
        let agency = Matricule::try_from(42).unwrap();
        let mut memory = Memory::default();
        for uidl in ["a", "b", "b", "c"] {
            memory.defer(uidl.into(), Some(agency));
        }
        memory.defer("d".into(), None);
        memory.forget("a");
        memory.forget("a");
        assert!(memory.has_deferred(agency));
        let listed = |uidl: &str| Listed { number: 1, uidl: uidl.into(), size_bytes: 1 };
        assert_eq!((memory.claim(&listed("b")), memory.claim(&listed("d"))), (Some(agency), None));
        memory.forget_all_but(&[listed("c")]);
        assert_eq!(memory.deferred.len(), 1);
        assert!(memory.has_deferred(agency));
        memory.forget("c");
        assert!(!memory.has_deferred(agency));
    }
}
