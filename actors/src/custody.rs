//! Mail in hand: who holds it, how it is settled, and that it is never lost on the way.
//!
//! A transport keeps the only copy that counts and lends the mail to the actors. Whatever happens to the messages
//! that carry it (handled, refused by a full mailbox, dropped with a dead actor's queue, unwound by a panic), the last share
//! of a mail that goes away reports the mail's fate to its transport. So nothing lives only in an actor's mailbox.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::mpsc::UnboundedSender;

use crate::metrics::{ActorMetrics, Handled, Stay};
use crate::room::{Hands, Held, Permits};

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Fate {
    /// Everything in it is committed: the transport may delete it.
    Settled = 0,
    /// By the mailbox's rule it is not ours and stays where it is.
    Left = 1,
    /// What it claims has come to stand worse: it stays unopened, and waits for others.
    Deferred = 2,
    /// A table of its takes no rows now, or it meets a fault that is not its own: it stays until that is mended.
    Withheld = 3,
    /// The world was wrong: it stays, and is fetched again.
    Returned = 4,
    /// It was in the hands of code that panicked: it stays, and is tried alone.
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

/// The report that a transport gets for every mail it lent, exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The transport's own number for the mail.
    pub number: u64,
    /// What became of it.
    pub fate: Fate,
}

#[derive(Debug)]
struct Lent {
    number: u64,
    worst: AtomicU8,
    // Bounded by the permits: each message is one mail in hand.
    reports: UnboundedSender<Report>,
    /// With the transport that lent it, for as long as it is lent.
    stay: Stay,
    _held: Held,
    _permits: Permits,
}

impl Drop for Lent {
    fn drop(&mut self) {
        let report = Report { number: self.number, fate: Fate::from_u8(self.worst.load(Ordering::Acquire)) };
        self.stay.end(report.fate.handled(), 1);
        // A transport that no longer listens has ended: the mail is still in the mailbox.
        self.reports.send(report).ok();
    }
}

impl Hands {
    /// Lends a mail of a transport, by the transport's own number for it. Its permits are given back with its last share,
    /// and `transport` counts it for as long.
    pub fn lend(
        &self,
        number: u64,
        permits: Permits,
        reports: UnboundedSender<Report>,
        transport: &ActorMetrics,
    ) -> Share {
        let stay = Stay::begin(transport, 1);
        let worst = AtomicU8::new(Fate::Settled as u8);
        let lent = Lent { number, worst, reports, stay, _held: self.hold(), _permits: permits };
        Share { lent: Arc::new(lent), is_settled: false, stay: None }
    }
}

/// The duty to settle a lent mail, or one container in it. Dropped unsettled, it gives the whole mail back.
///
/// The mail travels with its first share; each container found in it gets another. The worst of their fates is the mail's.
#[derive(Debug)]
pub struct Share {
    lent: Arc<Lent>,
    is_settled: bool,
    /// With the actor that has it now.
    stay: Option<Stay>,
}

impl Share {
    /// Makes another duty towards the same mail.
    pub fn another(&self) -> Share {
        Share { lent: Arc::clone(&self.lent), is_settled: false, stay: None }
    }

    /// Counts it with an actor from now on; the one before is done with it, and all was well unless it said otherwise.
    pub fn enter(&mut self, actor: &ActorMetrics) {
        self.end_stay(Handled::Ok);
        self.stay = Some(Stay::begin(actor, 1));
    }

    /// Says that the actor which has it now refuses it. The duty remains: a refusal is settled as well.
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

    /// Gives the mail back unopened, to be fetched when others have been tried.
    pub fn defer(mut self) {
        self.end_stay(Handled::Deferred);
        self.worsen(Fate::Deferred);
        self.is_settled = true;
    }

    /// Gives the mail back because the container has to wait, sound as it is.
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
            // Unwinding means that the code holding this very share panicked; a queue dropped with its actor does not.
            self.worsen(if std::thread::panicking() { Fate::Suspect } else { Fate::Returned });
        }
    }
}
