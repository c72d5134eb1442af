//! Seeded random numbers from an algorithm that is written here, so that no upgrade of a crate changes what a seed gives.

use uuid::{Builder, Uuid};

/// SplitMix64 (Steele, Lea, Flood 2014). For simulations; nothing secret may come from it.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// Begins the sequence of numbers that this seed gives.
    pub fn new(seed: u64) -> Dice {
        Dice { state: seed }
    }

    /// Begins the sequence of one item of a run, such as one agency, from the run's seed and the item's number. It does not depend on the
    /// order in which the items are made.
    pub fn of(seed: u64, number: u64) -> Dice {
        let mut dice = Dice::new(seed);
        let start = dice.bits() ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        Dice::new(Dice::new(start).bits())
    }

    /// Returns the next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a random number below `limit`, and 0 where the limit is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        // The modulo's bias is below 2^-40 for every limit used here.
        usize::try_from(self.bits() % (limit.max(1) as u64)).unwrap_or(0)
    }

    /// Returns a random number from `least` to `most`, both included.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = usize::try_from(most.saturating_sub(least)).unwrap_or(0);
        least + i64::try_from(self.below(span + 1)).unwrap_or(0)
    }

    /// Returns true with a probability of `times` in a thousand.
    pub fn per_mille(&mut self, times: usize) -> bool {
        self.below(1000) < times
    }

    /// Picks one of the choices at random; the slice must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Makes a random UUID of version 4.
    pub fn uuid(&mut self) -> Uuid {
        let octets = (u128::from(self.bits()) << 64 | u128::from(self.bits())).to_be_bytes();
        Builder::from_random_bytes(octets).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_its_neighbours_differ() {
        let run = |seed, number| {
            let mut dice = Dice::of(seed, number);
            (0..100).map(|_| dice.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(run(7, 1), run(7, 1));
        assert_ne!(run(7, 1), run(7, 2));
        assert_ne!(run(7, 1), run(8, 1));
        let mut dice = Dice::new(1);
        let often = (0..10_000).filter(|_| dice.per_mille(250)).count();
        assert!((2300..2700).contains(&often), "{often} of 10000 at a quarter");
        assert!((0..1000).all(|_| (3..=5).contains(&dice.between(3, 5))));
    }
}
