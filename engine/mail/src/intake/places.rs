//! Bounds the number of a listener's connections: each connection holds a place. Connections that bring no mail cannot keep out connections
//! that do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Time in which a connection need not give up its place. It starts when the connection is opened, and again when one of its mails begins
/// or ends.
const SAFE_TIME: Duration = Duration::from_secs(10);
/// Largest number of mails of more than [`SMALL_BYTES`] that are received at once, over all connections.
const LARGE_MAILS_MAX: usize = 8;
/// Largest number of octets that every connection may keep of a mail that is being received. A larger mail needs one of the few places for
/// large mails.
pub const SMALL_BYTES: usize = 64 * 1024;

/// The places of a listener.
#[derive(Clone)]
pub struct Places(Arc<Inner>);

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
    /// When the connection was opened, or its last mail was begun or answered.
    since: Instant,
    state: Holding,
    /// Whether the connection has been told to end.
    is_told: bool,
    told: Arc<Notify>,
}

/// What a connection does with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holding {
    /// No mail is being received or processed. If a place is needed, such a connection is ended first.
    Idle,
    /// A mail is being received.
    Receives,
    /// A mail is being processed. The connection keeps its place until the mail is answered.
    Waits,
}

/// One connection's place. It becomes free when this value is dropped.
pub struct Place {
    inner: Arc<Inner>,
    number: u64,
    told: Arc<Notify>,
}

impl Places {
    /// Makes the places of a listener with at most `most` connections.
    pub fn new(most: usize) -> Places {
        let large = Arc::new(Semaphore::new(LARGE_MAILS_MAX));
        Places(Arc::new(Inner { most, large, taken: Mutex::default() }))
    }

    /// Takes a place for a new connection. If all places are taken, one connection is told to end: an idle one if possible, and of several
    /// the one whose `SAFE_TIME` ended first. The new connection gets its place at once, because the ended connection needs no more
    /// resources. Returns `None` where no connection may be told to end.
    pub fn take(&self, now: Instant) -> Option<Place> {
        let mut taken = self.0.taken();
        let kept = taken.connections.values().filter(|holder| !holder.is_told).count();
        if kept >= self.0.most {
            let may_end = |holder: &&mut Holder| {
                let is_safe = now.saturating_duration_since(holder.since) < SAFE_TIME;
                holder.state != Holding::Waits && !holder.is_told && !is_safe
            };
            let ends =
                taken.connections.values_mut().filter(may_end).min_by_key(|holder| (holder.state, holder.since))?;
            ends.is_told = true;
            ends.told.notify_one();
        }
        let number = taken.next;
        taken.next += 1;
        let told = Arc::new(Notify::new());
        taken
            .connections
            .insert(number, Holder { since: now, state: Holding::Idle, is_told: false, told: Arc::clone(&told) });
        Some(Place { inner: Arc::clone(&self.0), number, told })
    }

    /// Returns the number of connections.
    pub fn taken(&self) -> usize {
        self.0.taken().connections.len()
    }
}

impl Inner {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Each operation leaves the table valid, so it can be used even if a thread has panicked while it held the lock.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits until the connection is told to give up its place.
    pub async fn told(&self) {
        self.told.notified().await;
    }

    /// Notes what the connection uses its place for.
    pub fn holds(&self, state: Holding) {
        if let Some(holder) = self.inner.taken().connections.get_mut(&self.number)
            && holder.state != state
        {
            holder.state = state;
            holder.since = Instant::now();
        }
    }

    /// Waits for one of the few places for large mails.
    pub async fn large(&self) -> Option<OwnedSemaphorePermit> {
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

    /// Says whether the connection of a place has been told to end.
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
        first.holds(Holding::Waits);
        let fourth = places.take(at(11)).unwrap();
        assert_eq!([&first, &second, &third, &fourth].map(is_told), [false, true, false, false]);
        assert!(places.take(at(11)).is_none(), "one place was given away, and only once");
        drop(second);
        assert_eq!(places.taken(), 3);
        let _fifth = places.take(at(12)).unwrap();
        assert_eq!([&first, &third, &fourth].map(is_told), [false, true, false]);
    }

    #[test]
    fn a_connection_that_receives_a_mail_gives_way_after_idle_ones() {
        let places = Places::new(2);
        let began = Instant::now();
        let later = began + Duration::from_secs(60);
        let (receives, idle) = (places.take(began).unwrap(), places.take(began).unwrap());
        receives.holds(Holding::Receives);
        let _third = places.take(later).unwrap();
        assert_eq!([&receives, &idle].map(is_told), [false, true]);
        let _fourth = places.take(later).unwrap();
        assert!(is_told(&receives));
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
