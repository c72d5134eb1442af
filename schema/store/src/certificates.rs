//! Certificates of agencies. An operator compares the fingerprint before a certificate is registered. A key belongs to one agency for ever.

pub(crate) mod certificate;
pub mod ending;
pub(crate) mod inventory;
pub mod issuer;
pub(crate) mod registration;
mod revocation;
pub mod signers;
#[cfg(test)]
mod tests;

pub use certificate::{Certificate, CertificateFields, Concern, concerns, plain_hex, spoken};
pub use inventory::{CertificateFilter, find, is_number, list};
pub use registration::{Confirmation, register};
pub use revocation::{LetterToReview, Revocable, revocable, revoke};
