//! The recipe of dictionary version 1.

use super::samples::{self, Corpus};

/// Number of this dictionary in a frame.
const ID: u32 = 1;
/// Size of the dictionary.
const OCTETS: usize = 64 << 10;
/// Letters and answers that it is trained with.
const SAMPLES: usize = 6000;

/// Trains the dictionary.
pub fn dictionary() -> std::io::Result<Vec<u8>> {
    let samples = samples::all(&Corpus::published(), SAMPLES);
    let mut dictionary = zstd::dict::from_samples(&samples, OCTETS)?;
    // The trainer numbers a dictionary by its hash, which would cost three octets more in every letter.
    dictionary[4..8].copy_from_slice(&ID.to_le_bytes());
    Ok(dictionary)
}
