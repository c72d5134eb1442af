//! Bounds how much mail is processed at a time. There are permits for mails and for their kilobytes, and a bounded number of bytes for
//! payloads; the mails of one claim may use only a part of the permits. Also records since when each mail is lent.

mod holdings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::claims::BeingTried;
use crate::payload_room::PayloadRoom;
pub use holdings::Claimant;
use holdings::{Holdings, Size};

/// Longest wait of a window for permits of all its mails. The semaphores serve in order: a waiting window gets every permit that becomes
/// free, and later windows wait behind it. So the wait must be short.
const WINDOW_WAIT_MAX: Duration = Duration::from_millis(100);
/// If a window got no permits within [`WINDOW_WAIT_MAX`]: how long it then waits, at most, for permits of its first mail alone. This wait
/// too must be short, because later windows wait behind it.
const FIRST_MAIL_WAIT_MAX: Duration = Duration::from_secs(1);
/// Pause after which an actor that gathers letters looks again whether more are expected. What it waits for may have come to another actor
/// of its kind, which does not tell it.
pub const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Bounds of the mail that is processed at a time. Nothing else slows fetching down: the actors' queues have no bounds.
#[derive(Clone, Debug)]
pub struct Hands {
    mails: Room,
    kilobytes: Room,
    slow_mails: Room,
    payloads: PayloadRoom,
    suspects: Room,
    is_alone: Arc<AtomicBool>,
    lent: Arc<Mutex<LentMails>>,
    holdings: Holdings,
    at_look_up: Arc<AtomicUsize>,
    at_writers: Arc<AtomicUsize>,
}

/// Counts a letter that has come to a place where letters gather, until this value is dropped.
#[derive(Debug)]
pub struct Gathered(Arc<AtomicUsize>);

impl Gathered {
    fn at(place: &Arc<AtomicUsize>) -> Gathered {
        place.fetch_add(1, Ordering::Relaxed);
        Gathered(Arc::clone(place))
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Moment at which each lent mail was lent, by its number in the order of lending. The first entry is the oldest.
#[derive(Debug, Default)]
struct LentMails {
    next: u64,
    taken_at: BTreeMap<u64, Instant>,
}

/// The entry of one lent mail. It is removed when this value is dropped.
#[derive(Debug)]
pub(crate) struct LentPlace {
    lent: Arc<Mutex<LentMails>>,
    number: u64,
}

impl Drop for LentPlace {
    fn drop(&mut self) {
        locked(&self.lent).taken_at.remove(&self.number);
    }
}

fn locked(lent: &Mutex<LentMails>) -> MutexGuard<'_, LentMails> {
    // Each operation leaves the map valid, so it can be used even if a thread has panicked while it held the lock.
    lent.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Permission to try a suspect. There is only one permission: if two suspects were tried at the same time, each would be blamed for the
/// other.
#[derive(Debug)]
pub struct Suspected {
    _room: Option<OwnedSemaphorePermit>,
}

/// A bounded number of permits of one kind.
#[derive(Clone, Debug)]
struct Room {
    places: Arc<Semaphore>,
    places_max: u32,
}

impl Room {
    fn new(places_max: u32) -> Room {
        Room { places: Arc::new(Semaphore::new(places_max as usize)), places_max }
    }

    /// Waits for `places` permits, or for all permits if fewer exist.
    async fn take(&self, places: u32) -> Option<OwnedSemaphorePermit> {
        // `acquire_many_owned` fails only on a closed semaphore, and these semaphores are never closed.
        Arc::clone(&self.places).acquire_many_owned(places.min(self.places_max)).await.ok()
    }

    /// Takes `places` permits if they are free now, or all permits if fewer exist.
    fn try_take(&self, places: u32) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_many_owned(places.min(self.places_max)).ok()
    }

    fn taken(&self) -> u32 {
        let free = u32::try_from(self.places.available_permits()).unwrap_or(u32::MAX);
        self.places_max.saturating_sub(free)
    }
}

/// Permits for one or several mails.
#[derive(Debug, Default)]
pub struct Permits {
    mails: Option<OwnedSemaphorePermit>,
    kilobytes: Option<OwnedSemaphorePermit>,
    slow_mails: Option<OwnedSemaphorePermit>,
    _claimed: Option<holdings::Held>,
    _tried: Option<BeingTried>,
    _alone: Option<Alone>,
}

fn kilobytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

/// Marks that the process works on one mail only, until this value is dropped.
#[derive(Debug)]
struct Alone(Arc<AtomicBool>);

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Hands {
    /// Sets how much may be in hand at a time. `mails_max` is for mails that are being fetched and for those of the fast lane. Mails of the
    /// slow and the last lane have the permits of `slow_mails_max` instead, so that however much strangers send, permits for the fast lane
    /// remain. `kilobytes_max` is for the mails of all lanes together, `unpacked_bytes_max` for their payloads.
    pub fn new(mails_max: u32, kilobytes_max: u32, slow_mails_max: u32, unpacked_bytes_max: u32) -> Hands {
        let is_alone = Arc::default();
        Hands {
            mails: Room::new(mails_max),
            kilobytes: Room::new(kilobytes_max),
            slow_mails: Room::new(slow_mails_max),
            payloads: PayloadRoom::new(unpacked_bytes_max as usize),
            suspects: Room::new(1),
            is_alone,
            lent: Arc::default(),
            holdings: Holdings::of(Size { mails: mails_max as usize, kilobytes: kilobytes_max as usize }),
            at_look_up: Arc::default(),
            at_writers: Arc::default(),
        }
    }

    /// Records that one more mail is lent, until the returned entry is dropped.
    pub(crate) fn hold(&self) -> LentPlace {
        let mut lent = locked(&self.lent);
        let number = lent.next;
        lent.next += 1;
        lent.taken_at.insert(number, Instant::now());
        LentPlace { lent: Arc::clone(&self.lent), number }
    }

    /// Returns how many mails are lent, and for how long the oldest of them has been lent.
    pub fn lent(&self) -> (usize, Option<Duration>) {
        let lent = locked(&self.lent);
        (lent.taken_at.len(), lent.taken_at.first_key_value().map(|(_, taken_at)| taken_at.elapsed()))
    }

    /// Takes permits for a window of mails, given their sizes in bytes. Waits a little for the permits of all mails. Then waits longer for
    /// those of the first mail alone, and adds further mails whose permits are free. Returns the number of mails that have permits, which
    /// may be 0. A window or mail larger than the limit waits for all permits that exist.
    pub async fn take(&self, sizes: &[u64]) -> (Permits, usize) {
        if let Ok(permits) = timeout(WINDOW_WAIT_MAX, self.take_together(sizes)).await {
            return (permits, sizes.len());
        }
        let Some((first, others)) = sizes.split_first() else { return (Permits::default(), 0) };
        let alone = self.take_together(std::slice::from_ref(first));
        let Ok(mut permits) = timeout(FIRST_MAIL_WAIT_MAX, alone).await else { return (Permits::default(), 0) };
        let room = others.iter().map_while(|bytes| self.try_take(*bytes));
        let others = room.fold(0, |others, more| {
            permits.merge(more);
            others + 1
        });
        (permits, 1 + others)
    }

    async fn take_together(&self, sizes: &[u64]) -> Permits {
        let mails = self.mails.take(u32::try_from(sizes.len()).unwrap_or(u32::MAX)).await;
        // Each mail's size is rounded up to kilobytes separately, as it is when the mail's permits are split off.
        let whole = sizes.iter().fold(0, |sum: u32, bytes| sum.saturating_add(kilobytes(*bytes)));
        let kilobytes = self.kilobytes.take(whole).await;
        Permits { mails, kilobytes, ..Permits::default() }
    }

    pub(crate) fn try_take(&self, bytes: u64) -> Option<Permits> {
        let (mails, kilobytes) = (self.mails.try_take(1)?, self.kilobytes.try_take(kilobytes(bytes))?);
        Some(Permits { mails: Some(mails), kilobytes: Some(kilobytes), ..Permits::default() })
    }

    /// Says whether the permits for one small mail are free now.
    pub fn has_room(&self) -> bool {
        self.try_take(1).is_some()
    }

    /// Says whether `claimant` may use permits for `mails` mails, of `bytes` bytes together, in addition to the permits that it uses now.
    pub fn has_room_for(&self, claimant: Claimant, mails: usize, bytes: u64) -> bool {
        self.holdings.may_hold(claimant, Size { mails, kilobytes: kilobytes(bytes) as usize })
    }

    /// Books a mail's permits to the agency that it claims. If the mails of this agency would then use more permits than are left free,
    /// returns the permits as the error.
    pub fn claim(&self, own: Permits, claimant: Claimant) -> Result<Permits, Permits> {
        match self.holdings.hold(claimant, own.size()) {
            Some(claimed) => Ok(Permits { _claimed: Some(claimed), ..own }),
            None => Err(own),
        }
    }

    /// Takes permits for `bytes` bytes of a mail beyond its listed size, if they are free now.
    pub fn try_take_bytes(&self, bytes: u64) -> Option<Permits> {
        let kilobytes = self.kilobytes.try_take(kilobytes(bytes))?;
        Some(Permits { kilobytes: Some(kilobytes), ..Permits::default() })
    }

    /// Waits for permission to try a suspect. The caller keeps the permission while the suspect is fetched and tried.
    pub async fn take_suspect(&self) -> Suspected {
        Suspected { _room: self.suspects.take(1).await }
    }

    /// Waits until no other mail is being processed. While the returned permits exist, no other mail can be admitted.
    pub async fn take_all(&self) -> Permits {
        let mails = self.mails.take(u32::MAX).await;
        let kilobytes = self.kilobytes.take(u32::MAX).await;
        let slow_mails = self.slow_mails.take(u32::MAX).await;
        self.is_alone.store(true, Ordering::Release);
        let alone = Some(Alone(Arc::clone(&self.is_alone)));
        Permits { mails, kilobytes, slow_mails, _alone: alone, ..Permits::default() }
    }

    /// Takes a permit of the slow lane if one is free.
    pub fn try_take_slow(&self) -> Option<Permits> {
        let slow_mails = self.slow_mails.try_take(1)?;
        Some(Permits { slow_mails: Some(slow_mails), ..Permits::default() })
    }

    /// Waits for `mails` permits of the slow lane, or for all of them if fewer exist.
    pub async fn take_slow(&self, mails: u32) -> Permits {
        Permits { slow_mails: self.slow_mails.take(mails).await, ..Permits::default() }
    }

    /// Returns the limit for the bytes of payloads that have been read and are not settled yet.
    pub fn payloads(&self) -> &PayloadRoom {
        &self.payloads
    }

    /// Returns how many permits for mails are taken, by mails that are being processed or about to be fetched. While a suspect is tried
    /// alone, all permits are taken.
    pub fn in_hand(&self) -> u32 {
        self.mails.taken() + self.slow_mails.taken()
    }

    /// Counts a letter that waits for its signer to be looked up.
    pub fn gather_at_look_up(&self) -> Gathered {
        Gathered::at(&self.at_look_up)
    }

    /// Counts a letter that has come to a writer, until it is settled.
    pub fn gather_at_writer(&self) -> Gathered {
        Gathered::at(&self.at_writers)
    }

    /// Says whether more letters may soon wait for a look-up: some mail in hand has come neither there nor to a writer. Letters gather at
    /// both places, but only for the letters behind them. If every mail in hand waited for the others, all would wait in vain, and so would
    /// their senders, who may have nothing else to send meanwhile. A mail of several letters may count several times; a batch then closes
    /// earlier than it need.
    pub fn expects_at_look_up(&self) -> bool {
        self.expects_more_than(self.at_look_up.load(Ordering::Relaxed) + self.at_writers.load(Ordering::Relaxed))
    }

    /// Says whether more letters may soon come to a writer: some mail in hand has not come there.
    pub fn expects_at_writer(&self) -> bool {
        self.expects_more_than(self.at_writers.load(Ordering::Relaxed))
    }

    /// Says whether more mails are in hand than have come to a place. While a suspect is tried alone, no other mail can come, although all
    /// permits are taken.
    fn expects_more_than(&self, gathered: usize) -> bool {
        !self.is_alone.load(Ordering::Acquire) && self.in_hand() as usize > gathered
    }
}

impl Permits {
    /// Splits off the permits of one mail of a window.
    pub fn split(&mut self, bytes: u64) -> Permits {
        let kilobytes = kilobytes(bytes) as usize;
        let part = |permit: &mut Option<OwnedSemaphorePermit>, most: usize| {
            let permit = permit.as_mut()?;
            permit.split(most.min(permit.num_permits()))
        };
        let mails = part(&mut self.mails, 1);
        let kilobytes = part(&mut self.kilobytes, kilobytes);
        Permits { mails, kilobytes, ..Permits::default() }
    }

    /// Adds permits for more bytes of the same mail.
    pub fn with(mut self, more: Permits) -> Permits {
        self.merge(more);
        self
    }

    /// Adds the permits for mails and kilobytes of `more`.
    fn merge(&mut self, mut more: Permits) {
        let join = |permit: &mut Option<OwnedSemaphorePermit>, more: Option<OwnedSemaphorePermit>| match (permit, more)
        {
            (Some(permit), Some(more)) => permit.merge(more),
            (permit @ None, more) => *permit = more,
            (Some(_), None) => {}
        };
        join(&mut self.mails, more.mails.take());
        join(&mut self.kilobytes, more.kilobytes.take());
    }

    fn size(&self) -> Size {
        let places = |permit: &Option<OwnedSemaphorePermit>| permit.as_ref().map_or(0, |held| held.num_permits());
        Size { mails: places(&self.mails), kilobytes: places(&self.kilobytes) }
    }

    /// Splits off one permit of the slow lane, if one is left.
    pub fn split_slow(&mut self) -> Option<Permits> {
        let slow_mails = self.slow_mails.as_mut()?.split(1)?;
        Some(Permits { slow_mails: Some(slow_mails), ..Permits::default() })
    }

    /// Moves a mail into the slow lane: releases its permit for a mail, and keeps the permits for its kilobytes.
    pub fn into_slow(mut self, slow: Permits, tried: Option<BeingTried>) -> Permits {
        Permits { kilobytes: self.kilobytes.take(), _tried: tried, ..slow }
    }
}
