//! Mail in hand: who holds it, how it is settled, and that it is never lost on the way.
//!
//! A transport keeps the only copy that counts and lends the mail to the actors. Whatever happens to the messages
//! that carry it (handled, refused by a full mailbox, dropped with a dead actor's queue, unwound by a panic), the last share
//! of a mail that goes away reports the mail's fate to its transport. So nothing lives only in an actor's mailbox.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::lanes::Tried;
use crate::metrics::{ActorMetrics, Handled, Stay};

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
    /// The world was wrong: it stays, and is fetched again.
    Returned = 3,
    /// It was in the hands of code that panicked: it stays, and is tried alone.
    Suspect = 4,
}

impl Fate {
    fn from_u8(byte: u8) -> Fate {
        match byte {
            0 => Fate::Settled,
            1 => Fate::Left,
            2 => Fate::Deferred,
            3 => Fate::Returned,
            _ => Fate::Suspect,
        }
    }

    fn handled(self) -> Handled {
        match self {
            Fate::Settled | Fate::Left => Handled::Ok,
            Fate::Deferred => Handled::Deferred,
            Fate::Returned => Handled::Fault,
            Fate::Suspect => Handled::Panic,
        }
    }
}

/// The report that a transport gets for every mail it lent, exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The transport's own number for the mail.
    pub number: u32,
    /// What became of it.
    pub fate: Fate,
}

#[derive(Debug)]
struct Lent {
    number: u32,
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
        // A transport that no longer listens has ended its session: the mail is still in the mailbox.
        self.reports.send(report).ok();
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

    /// Reports that the container cannot be settled, alone as it was: the mail is tried with nothing else in hand.
    pub fn suspect(mut self) {
        self.worsen(Fate::Suspect);
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

/// How much may be in hand at once; the only backpressure there is.
#[derive(Clone, Debug)]
pub struct Hands {
    mails: Room,
    kilobytes: Room,
    slow_mails: Room,
    unpacked_bytes: Room,
    suspects: Room,
    is_alone: Arc<AtomicBool>,
    lent: Arc<Mutex<LentMails>>,
}

/// When each mail that is lent was taken in hand, by its number in the order of lending: the first is the oldest.
#[derive(Debug, Default)]
struct LentMails {
    next: u64,
    taken_at: BTreeMap<u64, Instant>,
}

/// The place of a lent mail among them.
#[derive(Debug)]
struct Held {
    lent: Arc<Mutex<LentMails>>,
    number: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        locked(&self.lent).taken_at.remove(&self.number);
    }
}

fn locked(lent: &Mutex<LentMails>) -> MutexGuard<'_, LentMails> {
    // Valid after every single operation, so a panic elsewhere does not spoil it.
    lent.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Room for what a letter says, taken when it is read and given back when it is settled. A letter of many records takes
/// forty times the memory of its mail, and nobody knows how many there are before it is opened.
#[derive(Debug, Default)]
pub struct Unpacked {
    _room: Option<OwnedSemaphorePermit>,
}

/// The one place of a suspect: two at once would be blamed for each other.
#[derive(Debug)]
pub struct Suspected {
    _room: Option<OwnedSemaphorePermit>,
}

/// A bounded number of places.
#[derive(Clone, Debug)]
struct Room {
    places: Arc<Semaphore>,
    places_max: u32,
}

impl Room {
    fn new(places_max: u32) -> Room {
        Room { places: Arc::new(Semaphore::new(places_max as usize)), places_max }
    }

    /// Waits for places; for all of them where more are asked for than there are.
    async fn take(&self, places: u32) -> Option<OwnedSemaphorePermit> {
        // Acquiring fails only on a closed semaphore, and these are never closed.
        Arc::clone(&self.places).acquire_many_owned(places.min(self.places_max)).await.ok()
    }

    fn taken(&self) -> u32 {
        let free = u32::try_from(self.places.available_permits()).unwrap_or(u32::MAX);
        self.places_max.saturating_sub(free)
    }
}

/// Permission to hold one or several mails.
#[derive(Debug, Default)]
pub struct Permits {
    mails: Option<OwnedSemaphorePermit>,
    kilobytes: Option<OwnedSemaphorePermit>,
    slow_mails: Option<OwnedSemaphorePermit>,
    _tried: Option<Tried>,
    _alone: Option<Alone>,
}

/// Marks that one mail has the whole process to itself.
#[derive(Debug)]
struct Alone(Arc<AtomicBool>);

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Hands {
    /// Sets the bounds: mails and kilobytes in hand, mails of the slow lane besides, and bytes of payloads as they are read.
    pub fn new(mails_max: u32, kilobytes_max: u32, slow_mails_max: u32, unpacked_bytes_max: u32) -> Hands {
        let is_alone = Arc::default();
        Hands {
            mails: Room::new(mails_max),
            kilobytes: Room::new(kilobytes_max),
            slow_mails: Room::new(slow_mails_max),
            unpacked_bytes: Room::new(unpacked_bytes_max),
            suspects: Room::new(1),
            is_alone,
            lent: Arc::default(),
        }
    }

    /// Lends a mail of a transport, by the transport's own number for it. Its permits are given back with its last share,
    /// and `transport` counts it for as long.
    pub fn lend(
        &self,
        number: u32,
        permits: Permits,
        reports: UnboundedSender<Report>,
        transport: &ActorMetrics,
    ) -> Share {
        let held = {
            let mut lent = locked(&self.lent);
            let number = lent.next;
            lent.next += 1;
            lent.taken_at.insert(number, Instant::now());
            Held { lent: Arc::clone(&self.lent), number }
        };
        let stay = Stay::begin(transport, 1);
        let worst = AtomicU8::new(Fate::Settled as u8);
        let lent = Lent { number, worst, reports, stay, _held: held, _permits: permits };
        Share { lent: Arc::new(lent), is_settled: false, stay: None }
    }

    /// Returns how many mails are lent and not settled, and since when the oldest of them is.
    pub fn lent(&self) -> (usize, Option<Duration>) {
        let lent = locked(&self.lent);
        (lent.taken_at.len(), lent.taken_at.first_key_value().map(|(_, taken_at)| taken_at.elapsed()))
    }

    /// Waits for room for a window of mails. A window larger than the whole room waits for the whole room.
    pub async fn take(&self, mails: u32, bytes: u64) -> Permits {
        let kilobytes = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let mails = self.mails.take(mails).await;
        let kilobytes = self.kilobytes.take(kilobytes).await;
        Permits { mails, kilobytes, ..Permits::default() }
    }

    /// Takes room for bytes of a mail that are beyond its listed size, if there is room at once.
    pub fn try_take_bytes(&self, bytes: u64) -> Option<Permits> {
        let kilobytes = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).min(self.kilobytes.places_max);
        let kilobytes = Arc::clone(&self.kilobytes.places).try_acquire_many_owned(kilobytes).ok()?;
        Some(Permits { kilobytes: Some(kilobytes), ..Permits::default() })
    }

    /// Waits for the one place of a suspect, while it is fetched and tried.
    pub async fn take_suspect(&self) -> Suspected {
        Suspected { _room: self.suspects.take(1).await }
    }

    /// Waits until nothing else is in hand, and keeps it so while the permits are held.
    pub async fn take_all(&self) -> Permits {
        let mails = self.mails.take(u32::MAX).await;
        let kilobytes = self.kilobytes.take(u32::MAX).await;
        let slow_mails = self.slow_mails.take(u32::MAX).await;
        self.is_alone.store(true, Ordering::Release);
        let alone = Some(Alone(Arc::clone(&self.is_alone)));
        Permits { mails, kilobytes, slow_mails, _alone: alone, ..Permits::default() }
    }

    /// Takes a place in the slow lane if there is one.
    pub fn try_take_slow(&self) -> Option<Permits> {
        let slow_mails = Arc::clone(&self.slow_mails.places).try_acquire_owned().ok()?;
        Some(Permits { slow_mails: Some(slow_mails), ..Permits::default() })
    }

    /// Waits for places in the slow lane, for all of them where more are asked for than there are.
    pub async fn take_slow(&self, mails: u32) -> Permits {
        Permits { slow_mails: self.slow_mails.take(mails).await, ..Permits::default() }
    }

    /// Takes room for a payload of so many bytes, if there is room at once.
    pub fn try_take_unpacked(&self, bytes: usize) -> Option<Unpacked> {
        let room = &self.unpacked_bytes;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(room.places_max);
        Arc::clone(&room.places).try_acquire_many_owned(bytes).ok().map(|permit| Unpacked { _room: Some(permit) })
    }

    /// Waits for room for a payload of so many bytes. One larger than the whole room waits for the whole room.
    pub async fn take_unpacked(&self, bytes: usize) -> Unpacked {
        Unpacked { _room: self.unpacked_bytes.take(u32::try_from(bytes).unwrap_or(u32::MAX)).await }
    }

    /// Returns for how many mails there are permits out: in hand, or about to be. All of them while a suspect is alone.
    pub fn in_hand(&self) -> u32 {
        self.mails.taken() + self.slow_mails.taken()
    }

    /// Says whether more letters may be on their way to somebody who has `waiting` of them already.
    pub fn expects_more_than(&self, waiting: usize) -> bool {
        !self.is_alone.load(Ordering::Acquire) && self.in_hand() as usize > waiting
    }
}

impl Permits {
    /// Splits off what one mail of a window needs.
    pub fn split(&mut self, bytes: u64) -> Permits {
        let kilobytes = usize::try_from(bytes.div_ceil(1024)).unwrap_or(usize::MAX);
        let part = |permit: &mut Option<OwnedSemaphorePermit>, most: usize| {
            let permit = permit.as_mut()?;
            permit.split(most.min(permit.num_permits()))
        };
        let mails = part(&mut self.mails, 1);
        let kilobytes = part(&mut self.kilobytes, kilobytes);
        Permits { mails, kilobytes, ..Permits::default() }
    }

    /// Adds room for more bytes of the same mail.
    pub fn with(mut self, mut more: Permits) -> Permits {
        match (&mut self.kilobytes, more.kilobytes.take()) {
            (Some(kilobytes), Some(more)) => kilobytes.merge(more),
            (None, more) => self.kilobytes = more,
            (Some(_), None) => {}
        }
        self
    }

    /// Splits off one place in the slow lane, where there is one left.
    pub fn split_slow(&mut self) -> Option<Permits> {
        let slow_mails = self.slow_mails.as_mut()?.split(1)?;
        Some(Permits { slow_mails: Some(slow_mails), ..Permits::default() })
    }

    /// Moves a mail into the slow lane: its place among the others is free again, its bytes are still in hand.
    pub fn into_slow(mut self, slow: Permits, tried: Option<Tried>) -> Permits {
        Permits { kilobytes: self.kilobytes.take(), _tried: tried, ..slow }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use prometheus::Registry;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::metrics::Metrics;

    fn lend(number: u32, reports: UnboundedSender<Report>) -> Share {
        let hands = Hands::new(1, 1, 1, 1);
        hands.lend(number, Permits::default(), reports, &actor(&Registry::new()))
    }

    fn actor(registry: &Registry) -> ActorMetrics {
        Metrics::new(registry).unwrap().actor("mailbox_poller")
    }

    #[test]
    fn a_mail_is_settled_when_its_last_share_is() {
        let (reports, mut received) = unbounded_channel();
        let first = lend(7, reports);
        let second = first.another();
        first.settle();
        assert!(received.try_recv().is_err(), "one container is still in hand");
        second.settle();
        assert_eq!(received.try_recv(), Ok(Report { number: 7, fate: Fate::Settled }));
    }

    #[test]
    fn a_dropped_share_returns_the_mail_and_a_panic_makes_it_suspect() {
        let (reports, mut received) = unbounded_channel();
        drop(lend(1, reports.clone()));
        let never_opened = Report { number: 1, fate: Fate::Returned };
        assert_eq!(received.try_recv(), Ok(never_opened), "a mail dropped before anybody opened it is not settled");

        let first = lend(2, reports.clone());
        first.another().settle();
        drop(first.another());
        first.settle();
        assert_eq!(received.try_recv(), Ok(Report { number: 2, fate: Fate::Returned }));

        let deferred = lend(4, reports.clone());
        let beside = deferred.another();
        deferred.defer();
        beside.settle();
        assert_eq!(received.try_recv(), Ok(Report { number: 4, fate: Fate::Deferred }));

        let share = lend(3, reports);
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            let _held = share;
            panic!("planted");
        }));
        assert!(unwound.is_err());
        assert_eq!(received.try_recv(), Ok(Report { number: 3, fate: Fate::Suspect }));
    }

    #[tokio::test]
    async fn permits_come_back_with_the_mail() {
        let hands = Hands::new(4, 100, 1, 1);
        let mut window = hands.take(3, 2048).await;
        let (reports, _received) = unbounded_channel();
        let share = hands.lend(1, window.split(1024), reports, &actor(&Registry::new()));
        drop(window);
        assert_eq!(hands.in_hand(), 1);
        share.settle();
        assert_eq!(hands.in_hand(), 0);
    }

    #[tokio::test]
    async fn a_mail_larger_than_listed_takes_more_room_or_none() {
        let hands = Hands::new(4, 100, 1, 1);
        let mail = hands.take(1, 1).await;
        let mail = mail.with(hands.try_take_bytes(60 << 10).unwrap());
        assert!(hands.try_take_bytes(40 << 10).is_none());
        let rest = hands.try_take_bytes(39 << 10).unwrap();
        drop((mail, rest));
        assert!(hands.try_take_bytes(u64::MAX).is_some(), "one larger than the room takes all of it");
    }

    #[tokio::test]
    async fn what_is_in_hand_is_counted_exactly_and_the_oldest_is_known() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry).unwrap();
        let poller = metrics.actor("mailbox_poller");
        let shown = |name: &str| {
            let family = registry.gather().into_iter().find(|family| family.name() == name).unwrap();
            family.get_metric()[0].get_gauge().get_value()
        };
        assert!(shown("xm_mails_in_hand") == 0.0, "there are no hands yet");
        let hands = Hands::new(8, 100, 4, 1);
        metrics.show_in_hand(&hands);
        let (reports, _received) = unbounded_channel();
        let alone = hands.take_all().await;
        assert!(shown("xm_mails_in_hand") == 0.0, "permits are out, and no mail is in hand");
        let first = hands.lend(1, alone, reports.clone(), &poller);
        let second = hands.lend(2, Permits::default(), reports, &poller);
        let third = first.another();
        assert!(shown("xm_mails_in_hand") == 2.0, "two containers of one mail are one mail");
        let oldest = hands.lent().1.unwrap();
        first.settle();
        drop(second);
        assert!(shown("xm_mails_in_hand") == 1.0 && hands.lent().1.unwrap() >= oldest);
        third.leave();
        assert!(shown("xm_mails_in_hand") == 0.0 && shown("xm_mails_in_hand_oldest_seconds") == 0.0);
    }

    #[tokio::test]
    async fn a_payload_larger_than_the_room_waits_for_all_of_it() {
        let hands = Hands::new(1, 1, 1, 100);
        let small = hands.try_take_unpacked(1).unwrap();
        assert!(hands.try_take_unpacked(usize::MAX).is_none());
        let waiting = hands.clone();
        let large = tokio::spawn(async move { waiting.take_unpacked(usize::MAX).await });
        tokio::task::yield_now().await;
        assert!(!large.is_finished());
        drop(small);
        let large = large.await.unwrap();
        assert!(hands.try_take_unpacked(1).is_none());
        drop(large);
        assert!(hands.try_take_unpacked(100).is_some());
    }

    #[tokio::test]
    async fn who_is_alone_waits_for_both_lanes_and_need_not_wait_for_company() {
        let hands = Hands::new(4, 100, 2, 1);
        let slow = hands.try_take_slow().unwrap();
        let waiting = hands.clone();
        let alone = tokio::spawn(async move { waiting.take_all().await });
        tokio::task::yield_now().await;
        assert!(!alone.is_finished(), "a mail of the slow lane is in hand");
        drop(slow);
        let alone = alone.await.unwrap();
        assert!(!hands.expects_more_than(1), "alone, nothing else is on its way");
        assert!(hands.try_take_slow().is_none());
        drop(alone);
        assert_eq!(hands.in_hand(), 0);
        let _window = hands.take(2, 1).await;
        assert!(hands.expects_more_than(1) && !hands.expects_more_than(2));
    }
}
