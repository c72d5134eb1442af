//! Room for payloads that have been read and are not settled yet. The agencies share the room: however much one agency sends, letters of
//! other agencies find room.
//!
//! A letter of many records takes forty times the memory of its mail, and its number of records is not known before it is opened. In a
//! single queue, hundreds of mails of 30 KB that unpack to megabytes would keep later letters from their writer, where each agency has its
//! part of the time (`writer_time`). So agencies take turns here too. An agency that uses half of the room waits until one of its letters
//! is settled, and letters of other agencies overtake it. A letter that is too large for the free room may also be overtaken, but only for
//! a while.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sdc::letter::Matricule;
use tokio::sync::oneshot;

/// An agency with more than one letter may use the room divided by this number, which is half of the room.
const AGENCY_PARTS: usize = 2;

/// A bounded number of bytes of payloads that are read and not settled. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PayloadRoom {
    bytes_max: usize,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    taken: usize,
    held: HashMap<Matricule, usize>,
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    agency: Matricule,
    bytes: usize,
    /// Number of bytes that were given to later waiters while this one waited.
    passed_by_bytes: usize,
    given: oneshot::Sender<Unpacked>,
}

/// Room for a letter's payload. It is taken before the payload is read. When the letter is settled, this value is dropped, and the room
/// becomes free again.
#[derive(Debug, Default)]
pub struct Unpacked {
    taken: Option<(PayloadRoom, Matricule, usize)>,
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        if let Some((room, agency, bytes)) = self.taken.take() {
            room.give_back(agency, bytes);
        }
    }
}

/// Gives free room to the other waiters when the wait of one ends. If that waiter has stopped waiting, room may have been kept for it that
/// the others can use now.
struct GivesOnDrop<'a>(&'a PayloadRoom);

impl Drop for GivesOnDrop<'_> {
    fn drop(&mut self) {
        self.0.give();
    }
}

impl PayloadRoom {
    /// Makes room for `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> PayloadRoom {
        PayloadRoom { bytes_max, inner: Arc::default() }
    }

    /// Takes room for a payload of `bytes` bytes, if the room is free now and no waiter would be overtaken.
    pub fn try_take(&self, agency: Matricule, bytes: usize) -> Option<Unpacked> {
        let mut inner = self.locked();
        let bytes = bytes.min(self.bytes_max);
        let is_free = inner.waiting.iter().all(|waiter| waiter.given.is_closed());
        (is_free && inner.fits(agency, bytes, self.bytes_max)).then(|| self.hold(&mut inner, agency, bytes))
    }

    /// Waits for room for a payload of `bytes` bytes. A payload larger than the whole room waits for the whole room. Callers request room
    /// for one letter of an agency at a time, so that agencies take turns and the letters of one agency keep their order.
    pub async fn take(&self, agency: Matricule, bytes: usize) -> Unpacked {
        // This value is dropped after the receiver `taken`. By then this waiter counts as closed, and the room is given to the others.
        let _gives = GivesOnDrop(self);
        let (given, taken) = oneshot::channel();
        let bytes = bytes.min(self.bytes_max);
        self.locked().waiting.push_back(Waiter { agency, bytes, passed_by_bytes: 0, given });
        self.give();
        // A waiter leaves the queue only when it gets room, so the channel always delivers a value.
        taken.await.unwrap_or_default()
    }

    fn hold(&self, inner: &mut Inner, agency: Matricule, bytes: usize) -> Unpacked {
        inner.taken += bytes;
        *inner.held.entry(agency).or_default() += bytes;
        Unpacked { taken: Some((self.clone(), agency, bytes)) }
    }

    fn give_back(&self, agency: Matricule, bytes: usize) {
        let mut inner = self.locked();
        inner.taken = inner.taken.saturating_sub(bytes);
        if let Some(held) = inner.held.get_mut(&agency) {
            *held = held.saturating_sub(bytes);
            if *held == 0 {
                inner.held.remove(&agency);
            }
        }
        drop(inner);
        self.give();
    }

    /// Gives the free room to the waiters, oldest first.
    fn give(&self) {
        let given = self.choose();
        for (waiter, unpacked) in given {
            // If the waiter has stopped waiting meanwhile, the room is dropped here and so becomes free again.
            waiter.send(unpacked).ok();
        }
    }

    fn choose(&self) -> Vec<(oneshot::Sender<Unpacked>, Unpacked)> {
        let mut inner = self.locked();
        let mut given = Vec::new();
        let mut passed = VecDeque::new();
        let waiting = std::mem::take(&mut inner.waiting);
        // A waiter whose agency already uses its part may be overtaken without limit. A waiter that only finds too little free room may be
        // overtaken until later waiters were given as many bytes as the whole room has. After that, free room is kept for it. Otherwise a
        // large letter could wait for ever while small letters overtake it.
        let mut is_kept = false;
        for waiter in waiting.into_iter().filter(|waiter| !waiter.given.is_closed()) {
            if !is_kept && inner.fits(waiter.agency, waiter.bytes, self.bytes_max) {
                given.push((waiter.given, self.hold(&mut inner, waiter.agency, waiter.bytes)));
                let passed = passed.iter_mut().filter(|elder: &&mut Waiter| inner.may_hold(elder, self.bytes_max));
                passed.for_each(|elder| elder.passed_by_bytes += waiter.bytes);
                continue;
            }
            is_kept |= waiter.passed_by_bytes >= self.bytes_max && inner.may_hold(&waiter, self.bytes_max);
            passed.push_back(waiter);
        }
        inner.waiting = passed;
        given
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        // Each operation leaves the counts valid, so they can be used even if a thread has panicked while it held the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn fits(&self, agency: Matricule, bytes: usize, bytes_max: usize) -> bool {
        self.taken + bytes <= bytes_max && self.is_within_part(agency, bytes, bytes_max)
    }

    /// Says whether an agency may take `bytes` more: it may if it has taken nothing yet, or if it stays within its part of the room.
    fn is_within_part(&self, agency: Matricule, bytes: usize, bytes_max: usize) -> bool {
        self.held.get(&agency).is_none_or(|held| held + bytes <= bytes_max / AGENCY_PARTS)
    }

    fn may_hold(&self, waiter: &Waiter, bytes_max: usize) -> bool {
        self.is_within_part(waiter.agency, waiter.bytes, bytes_max)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;

    use futures_util::FutureExt;

    use super::*;

    type Asked = Pin<Box<dyn Future<Output = Unpacked>>>;

    fn matricule(number: u32) -> Matricule {
        Matricule::try_from(number).unwrap()
    }

    fn ask(room: &PayloadRoom, agency: u32, bytes: usize) -> Asked {
        let mut asked = take(room, agency, bytes);
        assert!(asked.as_mut().now_or_never().is_none(), "there is no room for {agency}");
        asked
    }

    fn is_given(asked: &mut Asked) -> Option<Unpacked> {
        asked.as_mut().now_or_never()
    }

    #[test]
    fn a_payload_larger_than_the_room_waits_for_all_of_it() {
        let room = PayloadRoom::new(100);
        let small = room.try_take(matricule(1), 1).unwrap();
        let mut large = ask(&room, 2, usize::MAX);
        drop(small);
        let large = is_given(&mut large).unwrap();
        assert!(room.try_take(matricule(1), 1).is_none());
        drop(large);
        assert!(room.try_take(matricule(1), 100).is_some());
    }

    #[test]
    fn an_agency_that_holds_half_of_the_room_lets_others_pass() {
        let room = PayloadRoom::new(100);
        let flood = room.try_take(matricule(1), 60).unwrap();
        let mut next = ask(&room, 1, 60);
        let mut others: Vec<Asked> = (2..=4).map(|agency| take(&room, agency, 10)).collect();
        let given: Vec<Unpacked> = others.iter_mut().filter_map(is_given).collect();
        assert_eq!(given.len(), 3, "they came later, and there is room for them");
        drop(flood);
        assert!(is_given(&mut next).is_some());
    }

    fn take(room: &PayloadRoom, agency: u32, bytes: usize) -> Asked {
        let room = room.clone();
        Box::pin(async move { room.take(matricule(agency), bytes).await })
    }

    #[test]
    fn a_letter_of_another_waits_for_one_letter_of_a_flood() {
        let room = PayloadRoom::new(100);
        // Each letter of the flood takes the whole room. Its request is made before the previous letter is settled.
        let first = room.try_take(matricule(1), 100).unwrap();
        let mut flood = ask(&room, 1, 100);
        let mut neighbour = ask(&room, 2, 1);
        drop(first);
        let second = is_given(&mut flood).unwrap();
        let mut flood = ask(&room, 1, 100);
        drop(second);
        assert!(
            is_given(&mut neighbour).is_some() && is_given(&mut flood).is_some(),
            "the neighbour is before the third"
        );
    }

    #[test]
    fn what_is_large_is_passed_by_as_much_as_the_room_holds_and_no_more() {
        let room = PayloadRoom::new(100);
        let mut held = VecDeque::from([room.try_take(matricule(1), 50).unwrap()]);
        let mut large = ask(&room, 2, 90);
        let mut passed = 0;
        let mut agency = 3;
        loop {
            let mut small = take(&room, agency, 50);
            let Some(unpacked) = is_given(&mut small) else { break };
            passed += 50;
            agency += 1;
            held.push_back(unpacked);
            drop(held.pop_front());
            assert!(passed <= 100, "it waits for ever");
        }
        assert_eq!(passed, 100);
        held.clear();
        assert!(is_given(&mut large).is_some());
    }

    #[test]
    fn who_no_longer_waits_stands_in_nobodys_way() {
        let room = PayloadRoom::new(100);
        let held = room.try_take(matricule(1), 50).unwrap();
        let large = ask(&room, 2, 90);
        let mut small = ask_behind(&room);
        drop(large);
        assert!(is_given(&mut small).is_some());
        drop(held);
        // If a waiter stops waiting at the moment in which it is given room, the room becomes free again.
        let held = room.try_take(matricule(1), 100).unwrap();
        let waiting = ask(&room, 2, 100);
        drop(held);
        drop(waiting);
        assert!(room.try_take(matricule(3), 100).is_some());
    }

    /// Requests room that is kept for an older waiter, which may not be overtaken any more.
    fn ask_behind(room: &PayloadRoom) -> Asked {
        room.locked().waiting[0].passed_by_bytes = 100;
        ask(room, 3, 10)
    }
}
