//! The house rules that no lint knows: every file says what it is for and stays short and narrow, names say what things are, no two
//! files need each other, every refusal is tested, and what the documents point to is there.
//!
//! Each rule is a function of texts, which its test tries on one that breaks it as well.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod builds;
mod circles;
mod code;
mod documents;
mod shape;
mod sources;
