//! The published zstd dictionaries. Each stays readable for ever: a letter on a shelf outlives the program.
//!
//! `dictionary/README.md` tells how they are made. Numbers below 256 take one octet in a frame; the ranges that
//! RFC 8878 6 reserves concern frames distributed to the public, which SDC payloads are not.

use std::sync::LazyLock;

use zstd::zstd_safe::{CDict, DDict};

const V1: &[u8] = include_bytes!("../../dictionary/v1.zdict");

/// The newest dictionary as it is published.
pub const NEWEST_OCTETS: &[u8] = V1;

/// Level for one record: the next one takes three times as long and saves nothing.
const LETTER_LEVEL: i32 = 15;
/// Level for an answer, of which the centre writes one per letter: a fifth of the time of level 9, for three octets more.
const ANSWER_LEVEL: i32 = 3;
/// Level for many records.
pub const LARGE_LEVEL: i32 = 19;

/// The newest dictionary, prepared for writing letters.
pub static FOR_LETTERS: LazyLock<CDict<'static>> = LazyLock::new(|| CDict::create(V1, LETTER_LEVEL));
/// The newest dictionary, prepared for writing answers.
pub static FOR_ANSWERS: LazyLock<CDict<'static>> = LazyLock::new(|| CDict::create(V1, ANSWER_LEVEL));

struct Published {
    id: u32,
    prepared: LazyLock<DDict<'static>>,
}

static PUBLISHED: [Published; 1] = [Published { id: 1, prepared: LazyLock::new(|| DDict::create(V1)) }];

/// Finds a dictionary by its number, prepared for reading.
pub fn find(id: u32) -> Option<&'static DDict<'static>> {
    PUBLISHED.iter().find(|published| published.id == id).map(|published| &*published.prepared)
}
