//! How much may be in hand at once: permits for mails and their kilobytes, room for payloads, how much of it the mails of one claim hold,
//! and since when each mail is lent.

mod holdings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::claims::BeingTried;
use crate::payload_room::PayloadRoom;
pub use holdings::Claimant;
use holdings::{Holdings, Size};

/// Longest wait of a window for permits of all its mails. The semaphores serve in order: a window that waits is given every permit that
/// comes back, and later windows wait behind it, so the wait must be short.
const WINDOW_WAIT_MAX: Duration = Duration::from_millis(100);
/// Longest wait after that for permits of the window's first mail alone; short for the same reason.
const FIRST_MAIL_WAIT_MAX: Duration = Duration::from_secs(1);

/// How much may be in hand at once; the only backpressure there is.
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
}

/// When each lent mail was taken in hand, by its number in the order of lending: the first is the oldest.
#[derive(Debug, Default)]
struct LentMails {
    next: u64,
    taken_at: BTreeMap<u64, Instant>,
}

/// The entry of one lent mail, until it is dropped.
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
    // The map is valid after every single operation, so a panic elsewhere does not spoil it.
    lent.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Permission to try a suspect. There is one: of two suspects tried at once, each would be blamed for the other.
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

    /// Waits for so many places; for all of them where more are asked for than exist.
    async fn take(&self, places: u32) -> Option<OwnedSemaphorePermit> {
        // Acquiring fails only on a closed semaphore, and these are never closed.
        Arc::clone(&self.places).acquire_many_owned(places.min(self.places_max)).await.ok()
    }

    /// Takes so many places if they are free at once; all of them where more are asked for than exist.
    fn try_take(&self, places: u32) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_many_owned(places.min(self.places_max)).ok()
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
    _claimed: Option<holdings::Held>,
    _tried: Option<BeingTried>,
    _alone: Option<Alone>,
}

fn kilobytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

/// Marks, until it is dropped, that one mail has the whole process to itself.
#[derive(Debug)]
struct Alone(Arc<AtomicBool>);

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Hands {
    /// Sets the bounds: mails and kilobytes in hand, mails of the slow lane in addition, and bytes of payloads that are read.
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
        }
    }

    /// Notes that one more mail is lent, until the entry is dropped.
    pub(crate) fn hold(&self) -> LentPlace {
        let mut lent = locked(&self.lent);
        let number = lent.next;
        lent.next += 1;
        lent.taken_at.insert(number, Instant::now());
        LentPlace { lent: Arc::clone(&self.lent), number }
    }

    /// Returns how many mails are lent and not settled, and since when the oldest of them is.
    pub fn lent(&self) -> (usize, Option<Duration>) {
        let lent = locked(&self.lent);
        (lent.taken_at.len(), lent.taken_at.first_key_value().map(|(_, taken_at)| taken_at.elapsed()))
    }

    /// Takes permits for a window of mails, by their sizes in bytes. Waits a little for permits for all of them; then longer for the first
    /// mail alone, and adds further mails for which there are permits at once. Returns for how many mails there are permits, which may be
    /// none. A window or mail larger than the whole room waits for the whole room.
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
        // Each mail's size is rounded up to kilobytes by itself, as when its permits are split off.
        let whole = sizes.iter().fold(0, |sum: u32, bytes| sum.saturating_add(kilobytes(*bytes)));
        let kilobytes = self.kilobytes.take(whole).await;
        Permits { mails, kilobytes, ..Permits::default() }
    }

    pub(crate) fn try_take(&self, bytes: u64) -> Option<Permits> {
        let (mails, kilobytes) = (self.mails.try_take(1)?, self.kilobytes.try_take(kilobytes(bytes))?);
        Some(Permits { mails: Some(mails), kilobytes: Some(kilobytes), ..Permits::default() })
    }

    /// Says whether there is room for a small mail at this moment.
    pub fn has_room(&self) -> bool {
        self.try_take(1).is_some()
    }

    /// Says whether the mails of a claim may hold the room of so many further mails, of so many bytes together.
    pub fn has_room_for(&self, claimant: Claimant, mails: usize, bytes: u64) -> bool {
        self.holdings.may_hold(claimant, Size { mails, kilobytes: kilobytes(bytes) as usize })
    }

    /// Counts a mail's permits with its claim. Returns them as the error where the claim would then hold more than what is free.
    pub fn claim(&self, own: Permits, claimant: Claimant) -> Result<Permits, Permits> {
        match self.holdings.hold(claimant, own.size()) {
            Some(claimed) => Ok(Permits { _claimed: Some(claimed), ..own }),
            None => Err(own),
        }
    }

    /// Takes permits for bytes of a mail beyond its listed size, if there are any at once.
    pub fn try_take_bytes(&self, bytes: u64) -> Option<Permits> {
        let kilobytes = self.kilobytes.try_take(kilobytes(bytes))?;
        Some(Permits { kilobytes: Some(kilobytes), ..Permits::default() })
    }

    /// Waits for permission to try a suspect; it is held while the suspect is fetched and tried.
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

    /// Takes a permit of the slow lane if there is one.
    pub fn try_take_slow(&self) -> Option<Permits> {
        let slow_mails = self.slow_mails.try_take(1)?;
        Some(Permits { slow_mails: Some(slow_mails), ..Permits::default() })
    }

    /// Waits for so many permits of the slow lane; for all of them where more are asked for than exist.
    pub async fn take_slow(&self, mails: u32) -> Permits {
        Permits { slow_mails: self.slow_mails.take(mails).await, ..Permits::default() }
    }

    /// Returns the room for payloads.
    pub fn payloads(&self) -> &PayloadRoom {
        &self.payloads
    }

    /// Returns how many permits for mails are taken: for mails in hand or about to be fetched. All of them while a suspect is alone.
    pub fn in_hand(&self) -> u32 {
        self.mails.taken() + self.slow_mails.taken()
    }

    /// Says whether more letters may be on their way to an actor that has `waiting` letters already.
    pub fn expects_more_than(&self, waiting: usize) -> bool {
        !self.is_alone.load(Ordering::Acquire) && self.in_hand() as usize > waiting
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

    /// Adds places and kilobytes.
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

    /// Splits off one permit of the slow lane, where there is one left.
    pub fn split_slow(&mut self) -> Option<Permits> {
        let slow_mails = self.slow_mails.as_mut()?.split(1)?;
        Some(Permits { slow_mails: Some(slow_mails), ..Permits::default() })
    }

    /// Moves a mail into the slow lane: gives its permit for a mail back, and keeps those for its kilobytes.
    pub fn into_slow(mut self, slow: Permits, tried: Option<BeingTried>) -> Permits {
        Permits { kilobytes: self.kilobytes.take(), _tried: tried, ..slow }
    }
}
