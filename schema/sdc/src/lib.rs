//! The format of letters: document, CMS, payload, services, requests, answers, refusals. Centre and offices use this crate. It is
//! synchronous and does no I/O.
//!
//! FORMAT.md is the normative description. The types say what has been proven. A `Document` is only well-formed. A decrypted document is
//! `Opened`: its signer is only a claim. Once the signature is checked with a given certificate, the letter is `Verified`. A `Letter` can
//! be read only from `Verified`, so no unverified payload is parsed. The only exception is an enrolment, because its payload contains the
//! certificate that verifies it.

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
