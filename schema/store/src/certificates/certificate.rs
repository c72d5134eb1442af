//! A certificate: the fields that are registered, its row in lists, and the concerns that an operator must accept before it is registered.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use sdc::keys::RegisteredCertificate;
use sdc::letter::Matricule;
use serde::{Deserialize, Serialize};

use crate::database::schema::certificates;

/// Fields of a certificate that are registered, read from its DER.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFields {
    /// The certificate in DER.
    #[serde(with = "hex")]
    pub der: Vec<u8>,
    /// SHA-256 of the DER.
    #[serde(with = "hex")]
    pub fingerprint: Vec<u8>,
    /// SHA-256 of the certificate's SubjectPublicKeyInfo; identifies the key in every certificate.
    #[serde(with = "hex")]
    pub spki_sha256: Vec<u8>,
    /// Subject key identifier, by which letters identify their signer; computed from the key if the certificate has none.
    #[serde(with = "hex")]
    pub key_id: Vec<u8>,
    /// DER of the issuer's name.
    #[serde(with = "hex")]
    pub issuer: Vec<u8>,
    /// Serial number, big-endian.
    #[serde(with = "hex")]
    pub serial: Vec<u8>,
    /// Algorithm of the key, such as `P-256` or `RSA-2048`.
    pub algorithm: String,
    /// Beginning of validity.
    pub not_before: DateTime<Utc>,
    /// End of validity.
    pub not_after: DateTime<Utc>,
    /// Whether the certificate declares that its key issues certificates and does not sign letters.
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
    /// Number of the certificate in the inventory.
    pub id: i32,
    /// Matricule of the agency.
    pub agency: Matricule,
    /// SHA-256 of the certificate.
    #[serde(with = "hex")]
    pub fingerprint: Vec<u8>,
    /// Subject key identifier of the certificate.
    #[serde(with = "hex")]
    pub key_id: Vec<u8>,
    /// Algorithm of the key, such as `P-256`.
    pub algorithm: String,
    /// Beginning of validity.
    pub not_before: DateTime<Utc>,
    /// End of validity.
    pub not_after: DateTime<Utc>,
    /// Time when the certificate was registered.
    pub registered_at: DateTime<Utc>,
    /// Time when the certificate was revoked; `None` if it is not revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Reason of the revocation.
    pub revoked_reason: Option<String>,
}

/// A concern about a certificate, which the operator must accept before the certificate is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "concern", rename_all = "snake_case")]
pub enum Concern {
    /// The validity has not begun yet: letters that arrive before it begins are refused.
    NotYetValid {
        /// Beginning of validity.
        from: DateTime<Utc>,
    },
    /// The validity has ended: letters are refused.
    Ended {
        /// End of validity.
        at: DateTime<Utc>,
    },
    /// The certificate belongs to an authority. The office may have sent a file with a chain of certificates, and the wrong one of them was
    /// taken.
    Authority,
}

/// Returns the concerns about a certificate at a time.
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

/// Formats a fingerprint as people compare it: pairs of hexadecimal digits, separated by colons.
pub fn spoken(fingerprint: &[u8]) -> String {
    fingerprint.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":")
}

/// Turns a fingerprint as people write it, with colons, blanks, hyphens and capitals, into plain hexadecimal.
pub fn plain_hex(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect::<String>().to_lowercase()
}
