//! Sentences for errors of certificates and keys of agencies.

use chrono::{DateTime, Utc};
use store::certificates::{self, Concern, spoken};
use store::error::{AdministrationError, KeyName};

pub(super) fn of_certificates(error: &AdministrationError, shown: impl Fn(DateTime<Utc>) -> String) -> String {
    match error {
        AdministrationError::KeyOfAnotherAgency { owner, agency } => format!(
            "the key of this certificate belongs to agency {owner}, for ever: agency {agency} must make a key of its own"
        ),
        AdministrationError::KeyNameTaken { name, owner } => {
            let name = match name {
                KeyName::KeyId => "subject key identifier",
                KeyName::IssuerSerial => "issuer and serial number",
            };
            format!(
                "another key of agency {owner} is registered under the same {name}: make a certificate with another one"
            )
        }
        AdministrationError::KeyOfCentre { state } => format!(
            "the key of this certificate is one of the centre's own ({state}): an agency makes a key of its own"
        ),
        AdministrationError::KeyRevoked { at } => {
            format!("the key of this certificate was revoked on {}, for good: the agency makes a new key", shown(*at))
        }
        AdministrationError::CertificateExists => "this certificate is registered already".to_owned(),
        AdministrationError::FingerprintMismatch { agency } => format!(
            "the certificate's fingerprint is not the one that was confirmed: ask agency {agency} again over the agreed channel"
        ),
        AdministrationError::CertificateConcerns(concerns) => {
            let lines: String = concerns.iter().map(|one| format!("\n  - {}", concern(one, &shown))).collect();
            format!("the certificate needs a second look:{lines}")
        }
        AdministrationError::CertificateUnknown(name) => format!(
            "no certificate goes by {name}: give its fingerprint, the beginning of it or its number, as `xmserver cert list` shows them"
        ),
        AdministrationError::CertificateAmbiguous(name) if certificates::is_number(name) => format!(
            "{name} is the number of one certificate and the beginning of another's fingerprint: write \"#{name}\", in quotes, \
             for the number, or more of the fingerprint, with its colons"
        ),
        AdministrationError::CertificateAmbiguous(name) => {
            format!("several certificates have fingerprints that begin with {name}: give more of it")
        }
        AdministrationError::CertificateRevoked { fingerprint, at } => {
            let spoken = hex::decode(fingerprint).map_or_else(|_| fingerprint.clone(), |octets| spoken(&octets));
            format!("certificate {spoken} was revoked on {}", shown(*at))
        }
        other => other.to_string(),
    }
}

/// Returns the sentence of a concern, which an operator should know before registering a certificate; times are as `shown` writes them.
pub fn concern(concern: &Concern, shown: impl Fn(DateTime<Utc>) -> String) -> String {
    match concern {
        Concern::NotYetValid { from } => {
            format!("it is not valid before {}: until then letters are refused", shown(*from))
        }
        Concern::Ended { at } => format!("it ended on {}: letters are refused", shown(*at)),
        Concern::Authority => {
            "it is a certification authority's (CA:TRUE), not one that signs letters: the office has another one"
                .to_owned()
        }
    }
}
