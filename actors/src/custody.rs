//! How a mail is lent to the actors, how its fate is reported, and why no mail is lost meanwhile.
//!
//! A source keeps the only copy of a mail that counts, and its poller lends the mail to the actors. Each message that carries a part of the
//! mail holds a [`Share`]. An actor may handle the message, an actor's full queue may refuse it, it may be dropped with the queue of a dead
//! actor, or a panic may unwind it. In every case, the last share of the mail that is dropped reports the mail's fate to the poller. So no
//! mail exists only in an actor's queue.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use store::letters::collected::AnsweredLetter;
use tokio::sync::mpsc::UnboundedSender;

use crate::metrics::{ActorMetrics, Handled, Stay};
use crate::room::{Hands, LentPlace, Permits};

/// A message that carries letters.
pub trait Letters {
    /// Counts the message's letters with this actor from now on, and no longer with the actor that had them before.
    fn enter(&mut self, actor: &ActorMetrics);
}

/// What became of a lent mail. A worse fate has a higher number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Fate {
    /// Everything in the mail is committed: it may be deleted.
    Settled = 0,
    /// The mail contains no container, and the rule of its mailbox says that it stays there.
    Left = 1,
    /// The mail's lane has become worse since it was fetched. The mail stays in its source unopened until mail of better lanes has been
    /// fetched.
    Deferred = 2,
    /// A table of one of the mail's letters takes no rows now, or a letter failed by a fault that it did not cause. The mail stays in its
    /// source until the cause is mended.
    Withheld = 3,
    /// A fault outside the mail ended its processing (the database cannot be reached, or the process stops), or its actor was rebuilt. The
    /// mail stays in its source and is fetched again.
    Returned = 4,
    /// Code panicked over the mail. The mail stays in its source and is tried alone.
    Suspect = 5,
}

impl Fate {
    fn from_u8(byte: u8) -> Fate {
        match byte {
            0 => Fate::Settled,
            1 => Fate::Left,
            2 => Fate::Deferred,
            3 => Fate::Withheld,
            4 => Fate::Returned,
            _ => Fate::Suspect,
        }
    }

    fn handled(self) -> Handled {
        match self {
            Fate::Settled | Fate::Left => Handled::Ok,
            Fate::Deferred | Fate::Withheld => Handled::Deferred,
            Fate::Returned => Handled::Fault,
            Fate::Suspect => Handled::Panic,
        }
    }
}

/// The report that a poller gets for every mail that it lent, exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Number that the poller gave the mail.
    pub number: u64,
    /// What became of the mail.
    pub fate: Fate,
}

/// Slot for the identity of the letter in a pushed document whose sender waits for the answer. It stays empty if the document gets no
/// answer.
pub type AnswerSlot = Arc<OnceLock<AnsweredLetter>>;

#[derive(Debug)]
struct Lent {
    number: u64,
    worst: AtomicU8,
    // The type is unbounded, but the number of reports is not: each report is for one lent mail, and each lent mail holds a permit.
    reports: UnboundedSender<Report>,
    /// Counts the mail as work of the poller that lent it, for as long as the mail is lent.
    stay: Stay,
    answer: Option<AnswerSlot>,
    _place: LentPlace,
    _permits: Permits,
}

impl Drop for Lent {
    fn drop(&mut self) {
        let report = Report { number: self.number, fate: Fate::from_u8(self.worst.load(Ordering::Acquire)) };
        self.stay.end(report.fate.handled(), 1);
        // If the receiver is closed, the poller has ended. The mail is still in its source.
        self.reports.send(report).ok();
    }
}

impl Hands {
    /// Lends a mail to the actors under `number`, which the poller chose. The last share of the mail gives its permits back. Until then
    /// `poller` counts the mail.
    pub fn lend(
        &self,
        number: u64,
        permits: Permits,
        reports: UnboundedSender<Report>,
        poller: &ActorMetrics,
    ) -> Share {
        self.lend_answered(number, permits, (reports, None), poller)
    }

    /// Lends a mail like [`Hands::lend`]. The slot receives the identity of the letter whose answer the sender waits for.
    pub fn lend_answered(
        &self,
        number: u64,
        permits: Permits,
        (reports, answer): (UnboundedSender<Report>, Option<AnswerSlot>),
        poller: &ActorMetrics,
    ) -> Share {
        let stay = Stay::begin(poller, 1);
        let worst = AtomicU8::new(Fate::Settled as u8);
        let lent = Lent { number, worst, reports, stay, answer, _place: self.hold(), _permits: permits };
        Share { lent: Arc::new(lent), is_settled: false, stay: None }
    }
}

/// The duty to settle a lent mail, or one container of it. If a share is dropped unsettled, the whole mail returns to its source.
///
/// The mail travels with its first share. Each container found in the mail gets another share. The mail's fate is the worst fate of its
/// shares.
#[derive(Debug)]
pub struct Share {
    lent: Arc<Lent>,
    is_settled: bool,
    /// Counts the container as work of the actor that holds it now.
    stay: Option<Stay>,
}

impl Share {
    /// Makes another share of the same mail.
    pub fn another(&self) -> Share {
        Share { lent: Arc::clone(&self.lent), is_settled: false, stay: None }
    }

    /// Counts the container with this actor from now on. The previous actor counts it as `Ok`, unless that actor has reported something
    /// else.
    pub fn enter(&mut self, actor: &ActorMetrics) {
        self.end_stay(Handled::Ok);
        self.stay = Some(Stay::begin(actor, 1));
    }

    /// Counts the container as refused by the actor that holds it now. The share still has to be settled, since a refusal is committed too.
    pub fn refused(&mut self) {
        self.end_stay(Handled::Refused);
    }

    fn end_stay(&mut self, handled: Handled) {
        if let Some(mut stay) = self.stay.take() {
            stay.end(handled, 1);
        }
    }

    /// Records the identity of the letter whose answer the sender of the mail waits for.
    pub fn answered(&self, letter: AnsweredLetter) {
        if let Some(slot) = &self.lent.answer {
            // `set` fails if the slot is full. That does not happen: only a single document has a slot, and a document holds one letter.
            slot.set(letter).ok();
        }
    }

    /// Reports the container as committed.
    pub fn settle(mut self) {
        self.end_stay(Handled::Ok);
        self.is_settled = true;
    }

    /// Reports that the mail stays in the mailbox for good.
    pub fn leave(mut self) {
        self.end_stay(Handled::Ok);
        self.worsen(Fate::Left);
        self.is_settled = true;
    }

    /// Reports that the mail stays unopened in its source. It is fetched again when mail of better lanes has been fetched.
    pub fn defer(mut self) {
        self.end_stay(Handled::Deferred);
        self.worsen(Fate::Deferred);
        self.is_settled = true;
    }

    /// Reports that the mail stays because this container, although sound, has to wait.
    pub fn withhold(mut self) {
        self.end_stay(Handled::Deferred);
        self.worsen(Fate::Withheld);
        self.is_settled = true;
    }

    fn worsen(&self, fate: Fate) {
        self.lent.worst.fetch_max(fate as u8, Ordering::AcqRel);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if !self.is_settled {
            // A share that is dropped while a panic unwinds its thread belonged to the code that panicked, so its mail is a suspect. The
            // queue of an actor that panicked is dropped later, when nothing unwinds: the mails in it only return.
            self.worsen(if std::thread::panicking() { Fate::Suspect } else { Fate::Returned });
        }
    }
}
