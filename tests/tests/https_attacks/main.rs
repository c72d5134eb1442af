//! Hostile clients of the address at which offices post letters: requests that are none, floods, ends in every phase, and strangers who
//! compare replies.
//!
//! `XM_ORACLE=10000 cargo test --release --workspace --test https_attacks oracle -- --nocapture` is the long version of the comparison.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

mod ends;
mod floods;
mod oracle;
mod requests;
