//! A certificate: what is registered of it, how it is listed, and what an operator should know before it is registered.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use sdc::keys::RegisteredCertificate;
use sdc::letter::Matricule;
use serde::{Deserialize, Serialize};

use crate::database::schema::certificates;

/// What is registered of a certificate, read out of its DER.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFields {
    /// The certificate.
    #[serde(with = "hex")]
    pub der: Vec<u8>,
    /// SHA-256 of the DER.
    #[serde(with = "hex")]
    pub fingerprint: Vec<u8>,
    /// SHA-256 of its SubjectPublicKeyInfo: the key's own name.
    #[serde(with = "hex")]
    pub spki_sha256: Vec<u8>,
    /// Subject key identifier that a signer is named by; made from the key where the certificate has none.
    #[serde(with = "hex")]
    pub key_id: Vec<u8>,
    /// DER of the issuer's name.
    #[serde(with = "hex")]
    pub issuer: Vec<u8>,
    /// Serial number, big-endian.
    #[serde(with = "hex")]
    pub serial: Vec<u8>,
    /// Such as `P-256` or `RSA-2048`.
    pub algorithm: String,
    /// Beginning of validity.
    pub not_before: DateTime<Utc>,
    /// End of validity.
    pub not_after: DateTime<Utc>,
    /// Whether it says that it is there to certify others, not to sign letters.
    pub is_authority: bool,
}

impl From<&RegisteredCertificate> for CertificateFields {
    fn from(certificate: &RegisteredCertificate) -> CertificateFields {
        let (not_before, not_after) = certificate.validity();
        CertificateFields {
            der: certificate.der().to_vec(),
            fingerprint: certificate.fingerprint().as_bytes().to_vec(),
            spki_sha256: certificate.spki_sha256().as_bytes().to_vec(),
            key_id: certificate.key_id().to_vec(),
            issuer: certificate.issuer().to_vec(),
            serial: certificate.serial().to_vec(),
            algorithm: certificate.algorithm().to_owned(),
            not_before,
            not_after,
            is_authority: certificate.is_authority(),
        }
    }
}

/// A registered certificate in a list.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Serialize)]
#[diesel(table_name = certificates)]
pub struct Certificate {
    /// Number in the inventory.
    pub id: i32,
    /// Its agency.
    pub agency: Matricule,
    /// SHA-256 of the certificate.
    #[serde(with = "hex")]
    pub fingerprint: Vec<u8>,
    /// Subject key identifier.
    #[serde(with = "hex")]
    pub key_id: Vec<u8>,
    /// Such as `P-256`.
    pub algorithm: String,
    /// Beginning of validity.
    pub not_before: DateTime<Utc>,
    /// End of validity.
    pub not_after: DateTime<Utc>,
    /// When it was registered.
    pub registered_at: DateTime<Utc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Why.
    pub revoked_reason: Option<String>,
}

/// What an operator is told of a certificate and asked about before it is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "concern", rename_all = "snake_case")]
pub enum Concern {
    /// It is not valid yet: letters that come before are refused.
    NotYetValid {
        /// Beginning of validity.
        from: DateTime<Utc>,
    },
    /// It is no longer valid: letters are refused.
    Ended {
        /// End of validity.
        at: DateTime<Utc>,
    },
    /// It is an authority's: perhaps the wrong one of a chain.
    Authority,
}

/// Names what an operator should know of a certificate at a time.
pub fn concerns(certificate: &CertificateFields, now: DateTime<Utc>) -> Vec<Concern> {
    let mut concerns = Vec::new();
    if now < certificate.not_before {
        concerns.push(Concern::NotYetValid { from: certificate.not_before });
    }
    if now > certificate.not_after {
        concerns.push(Concern::Ended { at: certificate.not_after });
    }
    if certificate.is_authority {
        concerns.push(Concern::Authority);
    }
    concerns
}

/// Writes a fingerprint as people compare it: pairs with colons.
pub fn spoken(fingerprint: &[u8]) -> String {
    fingerprint.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":")
}

/// Reads a fingerprint as people write it, with colons, blanks and capitals as they like, into plain hexadecimal.
pub fn plain_hex(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect::<String>().to_lowercase()
}
