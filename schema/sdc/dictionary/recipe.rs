//! Makes version 1 of the zstd dictionary that compresses letters, the same octets on every machine.

use super::samples::{self, Corpus};

/// Number by which a frame refers to this dictionary.
const ID: u32 = 1;
/// Size of the dictionary in octets.
const OCTETS: usize = 64 << 10;
/// Number of letters and answers with which the dictionary is trained.
const SAMPLES: usize = 6000;

/// Trains the dictionary.
pub fn dictionary() -> std::io::Result<Vec<u8>> {
    let samples = samples::all(&Corpus::published(), SAMPLES);
    let mut dictionary = zstd::dict::from_samples(&samples, OCTETS)?;
    // The trainer makes the dictionary's number from a hash, which would take three more octets in every letter.
    dictionary[4..8].copy_from_slice(&ID.to_le_bytes());
    Ok(dictionary)
}
