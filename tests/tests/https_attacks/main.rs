//! Attacks on the HTTPS address at which offices post letters: requests that break the rules of HTTP, floods, connections that end in every
//! phase, and strangers who compare replies.
//!
//! `XM_ORACLE=10000 cargo test --release --workspace --test https_attacks oracle -- --nocapture` is the long version of the comparison.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

mod ends;
mod floods;
mod oracle;
mod requests;
