//! The published zstd dictionaries. Each stays readable for ever: a letter on a shelf outlives the program.
//!
//! `dictionary/README.md` tells how they are made. Numbers below 256 take one octet in a frame; the ranges that
//! RFC 8878 6 reserves concern frames distributed to the public, which SDC payloads are not.

use std::sync::LazyLock;

use zstd::zstd_safe::{CDict, DDict};

const V1: &[u8] = include_bytes!("../../dictionary/v1.zdict");

/// The newest dictionary.
pub static NEWEST: &Published = &PUBLISHED[PUBLISHED.len() - 1];

/// Level for one record: the next higher level takes three times as long and saves nothing.
const LETTER_LEVEL: i32 = 15;
/// Level for an answer, of which the centre writes one per letter: a fifth of the time of level 9, for three octets more.
pub const ANSWER_LEVEL: i32 = 3;
/// Level for many records.
pub const LARGE_LEVEL: i32 = 19;

/// A published dictionary, each use of it prepared when it is first needed.
pub struct Published {
    id: u32,
    /// As it is published.
    pub octets: &'static [u8],
    /// For writing letters.
    pub for_letters: LazyLock<CDict<'static>>,
    /// For writing answers.
    pub for_answers: LazyLock<CDict<'static>>,
    reading: LazyLock<DDict<'static>>,
}

static PUBLISHED: [Published; 1] = [Published {
    id: 1,
    octets: V1,
    for_letters: LazyLock::new(|| CDict::create(V1, LETTER_LEVEL)),
    for_answers: LazyLock::new(|| CDict::create(V1, ANSWER_LEVEL)),
    reading: LazyLock::new(|| DDict::create(V1)),
}];

/// Finds a dictionary by its number, prepared for reading.
pub fn find(id: u32) -> Option<&'static DDict<'static>> {
    PUBLISHED.iter().find(|published| published.id == id).map(|published| &*published.reading)
}

/// Finds the newest dictionary whose number is not above this one; there is none for 0, which is no dictionary.
pub fn newest_up_to(id: u32) -> Option<&'static Published> {
    PUBLISHED.iter().filter(|published| published.id <= id).max_by_key(|published| published.id)
}
