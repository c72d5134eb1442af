//! The recipe and the samples of version 1 of the zstd dictionary that compresses letters. The example that trains the dictionary uses
//! them, and the test that measures the size of letters.

pub mod recipe;
pub mod samples;
