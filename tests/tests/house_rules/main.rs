//! The house rules that no lint checks. Every file states its purpose and stays short and narrow. Names are meaningful. No two files depend
//! on each other. Every refusal is tested. The targets of links in documents exist.
//!
//! Each rule is a function of texts, so that its test can also try it on a text that breaks it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod builds;
mod circles;
mod code;
mod documents;
mod shape;
mod sources;
