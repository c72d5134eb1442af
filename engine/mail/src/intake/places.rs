//! Bounds the connections of a listener, so that connections on which nothing comes cannot keep out those that bring mail.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Time that a connection has for each of its mails before it may have to give up its place.
pub(super) const SAFE_TIME: Duration = Duration::from_secs(10);
/// Most mails of more than [`SMALL_BYTES`] that are received at once, over all connections.
const LARGE_MAILS_MAX: usize = 8;
/// Largest number of octets that every connection may keep of a mail that is under way. A larger mail needs one of a few places.
pub(super) const SMALL_BYTES: usize = 64 * 1024;

/// The places of a listener.
#[derive(Clone)]
pub(super) struct Places(Arc<Inner>);

struct Inner {
    most: usize,
    large: Arc<Semaphore>,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    connections: HashMap<u64, Holder>,
}

struct Holder {
    /// When the connection was opened, or brought its last mail.
    since: Instant,
    /// Whether a mail of the connection is with its recipient. The connection then keeps its place.
    waits: bool,
    /// Whether the connection has been told to end.
    is_told: bool,
    told: Arc<Notify>,
}

/// One connection's place. It becomes free when this value is dropped.
pub(super) struct Place {
    inner: Arc<Inner>,
    number: u64,
    told: Arc<Notify>,
}

impl Places {
    pub(super) fn new(most: usize) -> Places {
        let large = Arc::new(Semaphore::new(LARGE_MAILS_MAX));
        Places(Arc::new(Inner { most, large, taken: Mutex::default() }))
    }

    /// Takes a place for a new connection. Where none is free, the connection that has gone longest without a mail is told to end, if that
    /// is longer than [`SAFE_TIME`]; the new one gets its place at once, since an ended connection costs nothing more. Returns `None` where
    /// all connections are busy.
    pub(super) fn take(&self, now: Instant) -> Option<Place> {
        let mut taken = self.0.taken();
        let kept = taken.connections.values().filter(|holder| !holder.is_told).count();
        if kept >= self.0.most {
            let idle = taken.connections.values_mut().filter(|holder| !holder.waits && !holder.is_told);
            let longest = idle.min_by_key(|holder| holder.since)?;
            if now.saturating_duration_since(longest.since) < SAFE_TIME {
                return None;
            }
            longest.is_told = true;
            longest.told.notify_one();
        }
        let number = taken.next;
        taken.next += 1;
        let told = Arc::new(Notify::new());
        taken.connections.insert(number, Holder { since: now, waits: false, is_told: false, told: Arc::clone(&told) });
        Some(Place { inner: Arc::clone(&self.0), number, told })
    }

    /// Number of connections.
    pub(super) fn taken(&self) -> usize {
        self.0.taken().connections.len()
    }
}

impl Inner {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        // The table is valid after every single operation, so a panic elsewhere does not spoil it.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits until the connection is told to give up its place.
    pub(super) async fn told(&self) {
        self.told.notified().await;
    }

    /// Keeps the place for as long as a mail of the connection is with its recipient.
    pub(super) fn waits(&self, waits: bool) {
        if let Some(holder) = self.inner.taken().connections.get_mut(&self.number) {
            holder.waits = waits;
            holder.since = Instant::now();
        }
    }

    /// Waits for one of the few places of large mails.
    pub(super) async fn large(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.inner.large).acquire_owned().await.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inner.taken().connections.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says whether a place has been told to end.
    fn is_told(place: &Place) -> bool {
        place.inner.taken().connections[&place.number].is_told
    }

    #[test]
    fn the_connection_that_has_gone_longest_without_a_mail_gives_way() {
        let places = Places::new(3);
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let (first, second, third) =
            (places.take(began).unwrap(), places.take(at(1)).unwrap(), places.take(at(2)).unwrap());
        assert!(places.take(at(9)).is_none(), "all may still bring a mail");
        first.waits(true);
        let fourth = places.take(at(11)).unwrap();
        assert_eq!([&first, &second, &third, &fourth].map(is_told), [false, true, false, false]);
        assert!(places.take(at(11)).is_none(), "one place was given away, and only once");
        drop(second);
        assert_eq!(places.taken(), 3);
        let _fifth = places.take(at(12)).unwrap();
        assert_eq!([&first, &third, &fourth].map(is_told), [false, true, false]);
    }

    #[test]
    fn a_place_that_becomes_free_is_given_again() {
        let places = Places::new(1);
        let began = Instant::now();
        let first = places.take(began).unwrap();
        assert!(places.take(began).is_none());
        drop(first);
        assert!(places.take(began).is_some());
    }
}
