//! Records which mail each thread is working on. If a thread hangs, this record shows which mail to treat as suspect.
//!
//! Each thread has a slot, which the actors on the thread share. Before an actor begins with a letter, it writes its own name and the
//! mail's name into the slot. It must do so beforehand, because a thread that hangs cannot report anything.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Name of a mail: its mailbox, and its token in that mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailName {
    /// Name of the source in the database. It is the configured name, with the process appended if each process takes its own mail.
    pub mailbox: Arc<str>,
    /// Token of the mail in its source. In a mailbox this is the UIDL (RFC 1939, section 7).
    pub uidl: Arc<str>,
}

impl fmt::Display for MailName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The UIDL is escaped, since the mail server chooses it and may put any octets into it.
        write!(formatter, "mail {} of mailbox {}", self.uidl.escape_debug(), self.mailbox)
    }
}

/// A piece of work: one actor with one mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Name of the actor.
    pub actor: &'static str,
    /// The mail that the actor works on.
    pub mail: MailName,
    /// Sequence number of this work. It differs if the same actor works on the same mail again.
    number: u64,
}

/// The slot of one thread.
#[derive(Clone, Debug, Default)]
pub struct AtWork(Arc<Mutex<Slot>>);

#[derive(Debug, Default)]
struct Slot {
    work: Option<Work>,
    begun: u64,
}

/// Keeps a piece of work in its slot until it is dropped.
#[derive(Debug)]
pub struct Working<'s>(&'s AtWork);

impl AtWork {
    /// Records that an actor begins with a mail.
    pub fn begin(&self, actor: &'static str, mail: &MailName) -> Working<'_> {
        let mut slot = self.lock();
        slot.begun += 1;
        slot.work = Some(Work { actor, mail: mail.clone(), number: slot.begun });
        Working(self)
    }

    /// Returns the work that the thread is doing now, if any.
    pub fn now(&self) -> Option<Work> {
        self.lock().work.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.lock().work = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_known_until_it_ends_and_the_same_again_is_another() {
        let at_work = AtWork::default();
        let mail = MailName { mailbox: "main".into(), uidl: "1\u{1b}[2J".into() };
        let working = at_work.begin("sdc_decoder", &mail);
        let first = at_work.now().unwrap();
        assert_eq!((first.actor, &first.mail), ("sdc_decoder", &mail));
        assert_eq!(first.mail.to_string(), "mail 1\\u{1b}[2J of mailbox main", "a terminal is told nothing");
        drop(working);
        assert_eq!(at_work.now(), None);
        let _again = at_work.begin("sdc_decoder", &mail);
        assert_ne!(at_work.now(), Some(first));
    }
}
