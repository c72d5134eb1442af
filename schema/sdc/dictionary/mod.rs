//! The recipe and the samples of version 1 of the zstd dictionary that compresses letters. They are used by the example that trains the
//! dictionary, and by the test that measures the size of letters.

pub mod recipe;
pub mod samples;
