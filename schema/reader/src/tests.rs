//! What the reader promises, against a real PostgreSQL where rows are meant.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod dice;
mod grammar;
mod hostile;
mod login;
mod meaning;
mod reading;
mod world;
