//! Makes forged letters: letters in the name of an office, signed by keys that are not the office's.
//!
//! A forger knows what is public, such as the certificates of the victim and the centre, but never has the victim's private key.

use agency::identity::{Identity, IdentityError};
use agency::office::PackError;
use rcgen::{CertificateParams, IsCa, KeyIdMethod, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use sdc::cms::{self, ContentCipher};
use sdc::document::Document;
use sdc::keys::RegisteredCertificate;
use sdc::letter::Letter;
use sdc::payload::{self, PayloadLimits};

use crate::office::Office;

/// Makes a key of the same kind as the victim's, with a certificate that bears the victim's subject key identifier.
///
/// # Errors
/// OpenSSL or rcgen fails.
pub fn impersonating(victim: &RegisteredCertificate) -> Result<Identity, IdentityError> {
    // Where the kinds of the keys differ, the centre refuses the signature without verifying it; the forgery is meant to be verified.
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

/// Seals a letter of the office with the forger's key, encrypted for the office's centre. Returns the document that a mail carries.
///
/// # Errors
/// The letter is one that the centre would refuse unread, or OpenSSL fails.
pub fn sealed(office: &Office, letter: &Letter, forger: &Identity) -> Result<Vec<u8>, PackError> {
    let octets = payload::write_letter(letter, &PayloadLimits::default()).map_err(PackError::Unreadable)?;
    enveloped(office, &cms::sign(&octets, forger.key())?)
}

/// Encrypts any octets for the office's centre. Returns the document that a mail carries.
///
/// # Errors
/// OpenSSL fails.
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
