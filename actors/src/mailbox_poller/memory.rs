//! What a poller remembers between sessions.

use std::collections::{HashMap, HashSet};

use mail::pop3::Listed;
use sdc::letter::Matricule;

use super::MailboxPollerParts;
use super::session::PollError;

/// What a poller remembers between sessions. Only an optimisation: forgetting it costs a second fetch.
#[derive(Default)]
pub struct Memory {
    /// Mails that stay in the mailbox by its rule.
    pub left: HashSet<Box<str>>,
    /// Mails of the slow lane that found it full or may wait, with the agencies that they claim.
    pub deferred: HashMap<Box<str>, Option<Matricule>>,
    /// Suspects settled alone whose lines are not cleared yet.
    pub absolved: Vec<String>,
    /// Suspects whose last attempt a fault or a stop ended, and does not count.
    pub returned: Vec<String>,
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

    pub fn forget_all_but(&mut self, listing: &[Listed]) {
        if self.left.is_empty() && self.deferred.is_empty() {
            return;
        }
        let listed: HashSet<&str> = listing.iter().map(|listed| &*listed.uidl).collect();
        self.left.retain(|uidl| listed.contains(&**uidl));
        self.deferred.retain(|uidl, _| listed.contains(&**uidl));
    }
}
