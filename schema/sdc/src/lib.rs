//! The format of letters: document, CMS, payload, services, requests, answers, refusals. Centre and offices use this crate. It is
//! synchronous and does no I/O.
//!
//! FORMAT.md is the normative description. The types say what has been proven. A `Document` is only well-formed. A decrypted document is
//! `Opened`: its signer is only a claim. Once the signature is checked with a given certificate, the letter is `Verified`. A `Letter` can
//! be read only from `Verified`, so no unverified payload is parsed. The only exception is an enrolment, because its payload contains the
//! certificate that verifies it.
//!
//! # Words
//!
//! Who writes, and what travels:
//!
//! | word | meaning | where |
//! |---|---|---|
//! | agency, matricule | who has an account at the centre and sends letters; its number | [`letter::Matricule`] |
//! | installation | one set-up of an agency's program, with a key and letter numbers of its own | [`letter::Office`] |
//! | office | an agency and one of its installations: the sender of a letter | [`letter::Office`] |
//! | document, container | a letter as it travels: a text with one PEM block around the sealed octets | [`document`] |
//! | claim | the agency that a text before the block names; nobody signed it, so it is never believed | [`document::claim`] |
//! | part | a piece of the records read for an office; each is a letter of its own | [`answer::part`] |
//! | notice | a letter that the centre sends unasked | [`answer::notice`] |
//!
//! How it is sealed:
//!
//! | word | meaning | where |
//! |---|---|---|
//! | envelope | the outer CMS structure: encrypted content, and the key to it, encrypted for one recipient | [`prescan::Enveloped`] |
//! | key agreement | two EC keys give both sides one secret, from which a KDF makes a key | [`prescan::Agreement`] |
//! | KDF | key derivation function: hashes a secret to a key, here the one that wraps the content's key | [`prescan::KdfHash`] |
//! | pinned | of a certificate: registered beforehand; a signature counts only for it | [`keys`] |
//! | scan | the check that lets only structures of FORMAT.md through to OpenSSL | [`prescan`] |
//! | payload, signed octets | what the signature covers: a letter's JSON, or the same JSON compressed | [`payload`] |
//! | frame, dictionary | zstd's output; texts known to both sides, which make a small frame smaller | [`payload::PayloadForm`] |
//! | digest | SHA-256 of the signed octets; a letter that is sealed anew keeps its digest | [`digest`] |
//! | strict | of a reader: each value has one spelling, so that no two readers differ about what was signed | `json`, [`der`] |
//!
//! What is asked and answered:
//!
//! | word | meaning | where |
//! |---|---|---|
//! | request, body | what a letter asks for: a service, and the data that go with it | [`request`] |
//! | act | what a tariff prices: a record sent, a record given, a key answered | [`answer::receipt`] |
//! | legal key | the columns by which the law knows a record: centre, year and number of a birth | [`request::Certified`] |
//! | verdict, receipt | accepted, refused or held; the signed answer that tells it, with cost and balance | [`answer::receipt`] |
//! | held | of a letter: people must decide before its records count | [`answer::receipt::Hold`] |
//! | attempt | one decision about a letter; a held or refused letter may be decided again | [`answer::receipt::Receipt`] |
//! | refusal, remedy | why a letter is not accepted, as a code; what its office can do then | [`refusal`] |
//! | expected | what a reader wanted at the place of a fault | [`expected`] |
//! | epoch | one life of the centre's database; a restore from a backup begins the next | [`request::Position`] |

pub mod address;
pub mod answer;
pub mod cms;
pub mod der;
pub mod digest;
pub mod document;
pub mod enrolment;
pub mod examine;
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
