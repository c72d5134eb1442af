//! Counters by key. A counter that reaches zero is removed.

use std::collections::HashMap;
use std::hash::Hash;

/// Counters by key. A counter that reaches zero is removed.
#[derive(Debug)]
pub struct Tally<K>(HashMap<K, u32>);

impl<K> Default for Tally<K> {
    fn default() -> Tally<K> {
        Tally(HashMap::new())
    }
}

impl<K: Eq + Hash> Tally<K> {
    /// Increments the counter of a key.
    pub fn add(&mut self, key: K) {
        *self.0.entry(key).or_default() += 1;
    }

    /// Decrements the counter of a key if it is above zero.
    pub fn remove(&mut self, key: &K) {
        let Some(count) = self.0.get_mut(key) else { return };
        *count -= 1;
        if *count == 0 {
            self.0.remove(key);
        }
    }

    /// Says whether a key's count is above zero.
    pub fn has(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// Returns the keys whose counts are above zero, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_twice_is_there_until_it_is_removed_twice() {
        let mut tally = Tally::default();
        tally.add("a");
        tally.add("a");
        tally.remove(&"a");
        tally.remove(&"b");
        assert!(tally.has(&"a") && !tally.has(&"b"));
        tally.remove(&"a");
        tally.remove(&"a");
        assert!(!tally.has(&"a") && tally.keys().next().is_none());
    }
}
