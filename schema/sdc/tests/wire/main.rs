//! Tests of a sealed letter against the stock `openssl` command, of damaged containers, and of FORMAT.md itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends there")]

mod algorithms;
mod envelopes;
mod format;
mod interop;
mod mutants;
mod tree;
mod vectors;
mod workshop;
