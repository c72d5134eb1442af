//! Two queues of costly work, so that strangers cannot make the offices wait.
//!
//! The fast lane has its own queue. The slow lane and the last lane share the other queue. While the fast queue has work, the shared queue
//! gets at most a tenth of the decoder's time; otherwise it gets all of it. So nobody can silence an office by imitating it, because the
//! office's letters still get through the slow lane. (Pollers fetch deferred mail of the slow lane before that of the last:
//! `Claims::ranks`. In the shared queue the two lanes are equal.)
//!
//! While a mail of an office is tried, the office's later mail waits outside the fast queue (`trial`). If there is no other fast mail, the
//! decoder works on slow mail until the result of the trial is known. After each slice of 5 ms the decoder yields its thread to the
//! verifier, which shares the thread and has to give that result.

use std::collections::VecDeque;
use std::time::Duration;

use crate::claims::Lane;

/// The slow queue gets one part in this many of the time while the fast queue has work.
const SLOW_PARTS: u32 = 10;

/// The two queues of one decoder, with the time that each queue has used.
#[derive(Debug)]
pub struct LaneQueue<T> {
    fast: VecDeque<T>,
    slow: VecDeque<T>,
    fast_time: Duration,
    slow_time: Duration,
}

impl<T> Default for LaneQueue<T> {
    fn default() -> LaneQueue<T> {
        LaneQueue { fast: VecDeque::new(), slow: VecDeque::new(), fast_time: Duration::ZERO, slow_time: Duration::ZERO }
    }
}

impl<T> LaneQueue<T> {
    /// Adds an item to a lane.
    pub fn push(&mut self, lane: Lane, item: T) {
        match lane {
            Lane::Fast => self.fast.push_back(item),
            Lane::Slow | Lane::Last => self.slow.push_back(item),
        }
    }

    /// Puts an item before all others of its lane.
    pub fn push_front(&mut self, lane: Lane, item: T) {
        match lane {
            Lane::Fast => self.fast.push_front(item),
            Lane::Slow | Lane::Last => self.slow.push_front(item),
        }
    }

    /// Takes the next item. The item is from the slow queue if that queue has used less than its part of the time, or if the fast queue is
    /// empty.
    pub fn pop(&mut self) -> Option<(Lane, T)> {
        let slow_is_due = self.slow_time * (SLOW_PARTS - 1) < self.fast_time;
        let lane = match (self.fast.is_empty(), self.slow.is_empty()) {
            (true, true) => {
                // Both queues are empty. The used times start again at zero, so that they do not affect the next busy period.
                (self.fast_time, self.slow_time) = (Duration::ZERO, Duration::ZERO);
                return None;
            }
            (true, false) => Lane::Slow,
            (false, true) => Lane::Fast,
            (false, false) if slow_is_due => Lane::Slow,
            (false, false) => Lane::Fast,
        };
        let item = match lane {
            Lane::Fast => self.fast.pop_front(),
            Lane::Slow | Lane::Last => self.slow.pop_front(),
        };
        item.map(|item| (lane, item))
    }

    /// Adds the time that an item took to the used time of its lane's queue.
    pub fn spent(&mut self, lane: Lane, time: Duration) {
        match lane {
            Lane::Fast => self.fast_time += time,
            // While the fast queue is empty, the time of the slow queue is not counted, because it delays nobody.
            Lane::Slow | Lane::Last if self.fast.is_empty() => {}
            Lane::Slow | Lane::Last => self.slow_time += time,
        }
    }

    /// Returns the number of items waiting.
    pub fn len(&self) -> usize {
        self.fast.len() + self.slow.len()
    }

    /// Says whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slow_lane_gets_a_tenth_while_others_wait_and_all_when_alone() {
        let mut queue = LaneQueue::default();
        for item in 0..1000 {
            queue.push(Lane::Fast, item);
            queue.push(Lane::Slow, item);
        }
        let mut slow = 0;
        for _ in 0..500 {
            let (lane, _) = queue.pop().unwrap();
            slow += u32::from(lane == Lane::Slow);
            queue.spent(lane, Duration::from_micros(100));
        }
        assert!((40..=60).contains(&slow), "{slow} of 500 were slow");
        while let Some((lane, _)) = queue.pop() {
            queue.spent(lane, Duration::from_micros(100));
        }
        assert!(queue.is_empty(), "the slow lane is served to its end");
    }
}
