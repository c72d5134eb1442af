//! The letter on the wire: document, CMS, payload, services, requests, answers, refusals. Pure and synchronous, no I/O; used by both ends.
//!
//! FORMAT.md is the normative description. The types say what has been proven: bytes become a
//! `Document`, then `Opened` (decrypted, signer named), then `Verified` (signed by the one certificate that was
//! asked for); only from `Verified` can a `Letter` be read, so nothing unverified is ever parsed.

pub mod address;
pub mod answer;
pub mod cms;
pub mod der;
pub mod digest;
pub mod document;
pub mod enrolment;
pub mod expected;
pub mod identifiers;
mod json;
pub mod keys;
pub mod letter;
mod limits;
pub mod moment;
pub mod names;
pub mod payload;
pub mod prescan;
pub mod printable;
pub mod refusal;
pub mod request;
pub mod service;
#[cfg(feature = "diesel")]
mod sql;
