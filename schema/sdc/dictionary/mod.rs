//! What dictionary 1 is made of, for the example that trains it and the test that measures with it.

pub mod recipe;
pub mod samples;
