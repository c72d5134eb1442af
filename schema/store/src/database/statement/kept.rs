//! Decides which statements over the columns of letters a connection keeps prepared. A letter chooses its columns, and each set of columns
//! needs its own text. An office that sends every subset of the columns could make each connection keep a million statements, in this
//! program and in PostgreSQL. diesel's cache never drops a statement, so the number of kept statements is bounded.
//!
//! A text is kept from its eighth use on, so that rare texts use no place. Other texts are prepared for each use, which costs one more
//! round trip to PostgreSQL. The sets of columns of most letters are kept after eight batches.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

/// Largest number of texts over the columns of letters that connections keep, beside some fifty texts written in this program.
pub const KEPT_MAX: usize = 200;
/// Number of uses from which a text is kept.
const USES_MIN: u32 = 8;
/// Largest number of texts whose uses are counted.
const COUNTED_MAX: usize = 4096;

/// One count for the whole process, since every connection may run every text.
static TEXTS: Mutex<Texts> = Mutex::new(Texts { kept: BTreeSet::new(), uses: BTreeMap::new() });

/// Kept texts, and counts of the uses of other texts, by hash. If two texts have the same hash, they count as one, which does no harm.
#[derive(Debug, Default)]
struct Texts {
    kept: BTreeSet<u64>,
    uses: BTreeMap<u64, u32>,
}

/// Counts a use of a text, and says whether connections keep it from now on.
pub fn is_kept(text: &str) -> bool {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    // A panic of a thread that holds the lock marks the lock as poisoned. This is ignored: every single operation leaves the count valid.
    TEXTS.lock().unwrap_or_else(PoisonError::into_inner).is_kept(hasher.finish())
}

impl Texts {
    fn is_kept(&mut self, text: u64) -> bool {
        if self.kept.contains(&text) {
            return true;
        }
        if self.kept.len() >= KEPT_MAX {
            return false;
        }
        let uses = self.uses.entry(text).or_default();
        *uses += 1;
        if *uses >= USES_MIN {
            self.uses.remove(&text);
            return self.kept.insert(text);
        }
        if self.uses.len() > COUNTED_MAX {
            // When the table of counts is full, all counts are halved. This removes rare texts first.
            self.uses.values_mut().for_each(|uses| *uses /= 2);
            self.uses.retain(|_, uses| *uses > 0);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_it_is_used_often_and_no_more_than_so_many_are() {
        let mut texts = Texts::default();
        let kept: Vec<bool> = (0..10).map(|_| texts.is_kept(7)).collect();
        assert_eq!(kept, [false, false, false, false, false, false, false, true, true, true]);
        for text in 0..100_000 {
            texts.is_kept(text);
        }
        assert_eq!(texts.kept.len(), 1, "nothing else was used twice");
        assert!(texts.uses.len() <= COUNTED_MAX);
        for text in 0..1000 {
            (0..8).for_each(|_| _ = texts.is_kept(text));
        }
        assert_eq!(texts.kept.len(), KEPT_MAX);
        assert!(texts.is_kept(7) && !texts.is_kept(999));
    }
}
