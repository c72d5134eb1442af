//! Mail in hand: how a mail is lent, how its fate is reported, and why it is never lost on the way.
//!
//! A source keeps the only copy of a mail that counts, and its poller lends the mail to the actors. Each message that carries a part of
//! the mail holds a [`Share`]. Whatever happens to the message (an actor handles it, a full mailbox refuses it, it is dropped with the
//! queue of a dead actor, a panic unwinds it), the mail's last share to be dropped reports the mail's fate to the poller. So no mail
//! lives only in an actor's mailbox.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::mpsc::UnboundedSender;

use crate::metrics::{ActorMetrics, Handled, Stay};
use crate::room::{Hands, LentPlace, Permits};

/// A message that carries letters.
pub trait Letters {
    /// Counts the message's letters with an actor, and no longer with the actor that had them before.
    fn enter(&mut self, actor: &ActorMetrics);
}

/// What became of a lent mail. A worse fate has a higher number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Fate {
    /// Everything in the mail is committed: it may be deleted.
    Settled = 0,
    /// The mail holds no container, and by its mailbox's rule it stays there.
    Left = 1,
    /// The mail's lane has become worse since it was fetched: it stays unopened until mail of better lanes has been taken.
    Deferred = 2,
    /// A table of one of its letters takes no rows now, or a letter met a fault that is not its own: the mail stays until that is mended.
    Withheld = 3,
    /// A fault outside the mail (the database is away, the process stops), or an actor that was rebuilt: the mail stays and is fetched
    /// again.
    Returned = 4,
    /// Code panicked over the mail: it stays and is tried alone.
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
    /// The poller's own number for the mail.
    pub number: u64,
    /// What became of the mail.
    pub fate: Fate,
}

#[derive(Debug)]
struct Lent {
    number: u64,
    worst: AtomicU8,
    // The permits bound this channel, since each report is of one mail in hand.
    reports: UnboundedSender<Report>,
    /// Counts the mail with the poller that lent it, for as long as it is lent.
    stay: Stay,
    _place: LentPlace,
    _permits: Permits,
}

impl Drop for Lent {
    fn drop(&mut self) {
        let report = Report { number: self.number, fate: Fate::from_u8(self.worst.load(Ordering::Acquire)) };
        self.stay.end(report.fate.handled(), 1);
        // A poller that no longer listens has ended: the mail is still in its source.
        self.reports.send(report).ok();
    }
}

impl Hands {
    /// Lends a mail, by its poller's own number for it. The mail's permits are given back with its last share, and until then `poller`
    /// counts the mail.
    pub fn lend(
        &self,
        number: u64,
        permits: Permits,
        reports: UnboundedSender<Report>,
        poller: &ActorMetrics,
    ) -> Share {
        let stay = Stay::begin(poller, 1);
        let worst = AtomicU8::new(Fate::Settled as u8);
        let lent = Lent { number, worst, reports, stay, _place: self.hold(), _permits: permits };
        Share { lent: Arc::new(lent), is_settled: false, stay: None }
    }
}

/// The duty to settle a lent mail, or one container of it. A share that is dropped unsettled returns the whole mail to its source.
///
/// The mail travels with its first share; each container found in it gets another. The mail's fate is the worst of its shares'.
#[derive(Debug)]
pub struct Share {
    lent: Arc<Lent>,
    is_settled: bool,
    /// Counts the container with the actor that has it now.
    stay: Option<Stay>,
}

impl Share {
    /// Makes another duty towards the same mail.
    pub fn another(&self) -> Share {
        Share { lent: Arc::clone(&self.lent), is_settled: false, stay: None }
    }

    /// Counts the container with an actor from now on. The actor before counts it as `Ok`, unless that actor has said otherwise.
    pub fn enter(&mut self, actor: &ActorMetrics) {
        self.end_stay(Handled::Ok);
        self.stay = Some(Stay::begin(actor, 1));
    }

    /// Says that the actor which has the container now refuses it. The duty remains: a refusal is settled as well.
    pub fn refused(&mut self) {
        self.end_stay(Handled::Refused);
    }

    fn end_stay(&mut self, handled: Handled) {
        if let Some(mut stay) = self.stay.take() {
            stay.end(handled, 1);
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

    /// Reports that the mail stays unopened, to be fetched when mail of better lanes has been taken.
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
            // During unwinding a share is dropped only by the code that held it and panicked. A queue that is dropped with its actor is
            // dropped later, when nothing unwinds.
            self.worsen(if std::thread::panicking() { Fate::Suspect } else { Fate::Returned });
        }
    }
}
