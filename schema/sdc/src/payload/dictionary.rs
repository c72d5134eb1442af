//! The published zstd dictionaries. Each remains readable for ever, because a letter may be stored longer than the program that wrote it is
//! used.
//!
//! `dictionary/README.md` says how they are made. Their numbers are below 256, because such a number takes only one octet in each frame.
//! RFC 8878 (6) reserves low numbers for a public registry, but only in frames that are distributed to the public; payloads of letters are
//! not.

use std::sync::LazyLock;

use zstd::zstd_safe::{CDict, DDict};

const V1: &[u8] = include_bytes!("../../dictionary/v1.zdict");

/// The newest dictionary.
pub static NEWEST: &Published = &PUBLISHED[PUBLISHED.len() - 1];

/// Compression level for a letter with few records. The next higher level takes three times as long and saves nothing.
const LETTER_LEVEL: i32 = 15;
/// Compression level for an answer. The centre writes one answer per letter, so speed matters: this level takes a fifth of the time of
/// level 9, and makes an answer three octets longer.
pub const ANSWER_LEVEL: i32 = 3;
/// Compression level for a payload with many records.
pub const LARGE_LEVEL: i32 = 19;
/// Compression level for the many parts of an answer with very many records: a third of the time of level 9, for a tenth more octets.
pub const MANY_LEVEL: i32 = 3;

/// A published dictionary. Each of its prepared forms is made at its first use.
pub struct Published {
    id: u32,
    /// The octets that are published.
    pub octets: &'static [u8],
    /// Form prepared for writing letters.
    pub for_letters: LazyLock<CDict<'static>>,
    /// Form prepared for writing answers.
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

/// Finds a dictionary by its number, in the form prepared for reading.
pub fn find(id: u32) -> Option<&'static DDict<'static>> {
    PUBLISHED.iter().find(|published| published.id == id).map(|published| &*published.reading)
}

/// Finds the newest dictionary whose number is at most `id`; none for 0, which means no dictionary.
pub fn newest_up_to(id: u32) -> Option<&'static Published> {
    PUBLISHED.iter().filter(|published| published.id <= id).max_by_key(|published| published.id)
}
