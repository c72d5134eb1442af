//! What a forger makes: letters in an office's name by keys that are not the office's.
//!
//! A forger has all that is public, the victim's certificate and the centre's, and never the victim's key.

use agency::identity::{Identity, IdentityError};
use agency::office::PackError;
use rcgen::{CertificateParams, IsCa, KeyIdMethod, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use sdc::cms::{self, ContentCipher};
use sdc::document::Document;
use sdc::keys::RegisteredCertificate;
use sdc::letter::Letter;
use sdc::payload::{self, PayloadLimits};

use crate::office::Office;

/// Makes a key of the victim's kind with a certificate that claims to be the victim's: it bears the victim's subject key identifier.
///
/// # Errors
/// The cryptographic library refuses.
pub fn impersonating(victim: &RegisteredCertificate) -> Result<Identity, IdentityError> {
    // The centre refuses a signature by another kind of key without verifying it.
    let key = if victim.algorithm().starts_with("RSA") {
        KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?
    } else {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?
    };
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_identifier_method = KeyIdMethod::PreSpecified(victim.key_id().to_vec());
    let certificate = parameters.self_signed(&key)?;
    Identity::from_pem(key.serialize_pem().as_bytes(), certificate.pem().as_bytes())
}

/// Seals a letter of an office with another's key, for the office's centre. Returns the document.
///
/// # Errors
/// A letter that the centre would refuse unread, or OpenSSL's own.
pub fn sealed(office: &Office, letter: &Letter, forger: &Identity) -> Result<Vec<u8>, PackError> {
    let octets = payload::write_letter(letter, &PayloadLimits::default()).map_err(PackError::Unreadable)?;
    enveloped(office, &cms::sign(&octets, forger.key())?)
}

/// Puts an envelope for the office's centre around any octets. Returns the document.
///
/// # Errors
/// OpenSSL's own.
pub fn enveloped(office: &Office, signed: &[u8]) -> Result<Vec<u8>, PackError> {
    let der = cms::encrypt(signed, &office.centre().recipient, ContentCipher::Aes256Gcm)?;
    Ok(Document::render(&der, None))
}

#[cfg(test)]
mod tests {
    use agency::identity::Algorithm;

    use super::*;

    #[test]
    fn an_impostor_bears_the_victims_identifier_and_another_key() {
        for (algorithm, name) in [(Algorithm::P256, "P-256"), (Algorithm::Rsa2048, "RSA-2048")] {
            let victim = Identity::generate("office", algorithm).unwrap();
            let impostor = impersonating(victim.certificate()).unwrap();
            assert_eq!(impostor.certificate().algorithm(), name);
            assert_eq!(impostor.certificate().key_id(), victim.certificate().key_id());
            assert_ne!(impostor.certificate().spki_sha256(), victim.certificate().spki_sha256());
        }
    }
}
