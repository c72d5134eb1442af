//! A fixed sequence of pseudo-random numbers, and values drawn with it.

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};
use uuid::Builder;

/// A sequence of numbers (SplitMix64). It is written here so that no update of a library can change it.
pub struct Dice(u64);

impl Dice {
    /// Begins a sequence.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Draws a number from `from` to `to`, both included.
    pub fn number(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    /// Draws true with a chance of `chance` per cent.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }

    /// Draws one entry of a list.
    pub fn one<'a>(&mut self, list: &'a [String]) -> &'a str {
        let count = u64::try_from(list.len()).expect("a short list");
        &list[usize::try_from(self.next() % count).expect("an index")]
    }

    /// Draws one entry of a short list.
    pub fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[usize::try_from(self.number(1, list.len() as u64)).expect("an index") - 1]
    }

    /// Draws octets.
    pub fn octets<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[0])
    }

    /// Draws a UUID of version 4.
    pub fn random_uuid(&mut self) -> String {
        Builder::from_random_bytes(self.octets()).into_uuid().to_string()
    }

    /// Draws a time within five years from 2026.
    pub fn time(&mut self) -> DateTime<Utc> {
        let start = DateTime::from_timestamp(1_767_225_600, 0).expect("2026");
        start + Duration::seconds(i64::try_from(self.number(0, 5 * 365 * 86_400)).expect("seconds"))
    }

    /// Draws a day within `years` years from the beginning of `from_year`.
    pub fn date(&mut self, from_year: i32, years: u64) -> String {
        let first = NaiveDate::from_ymd_opt(from_year, 1, 1).expect("a date");
        (first + Duration::days(i64::try_from(self.number(0, years * 365)).expect("days"))).to_string()
    }

    /// Draws a time of day.
    pub fn clock(&mut self) -> String {
        let minutes = u32::try_from(self.number(0, 1439)).expect("minutes");
        NaiveTime::from_hms_opt(minutes / 60, minutes % 60, 0).expect("a time").format("%H:%M").to_string()
    }
}
