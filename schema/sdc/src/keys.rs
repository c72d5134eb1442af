//! Keys and certificates of both ends, parsed once and kept.

mod certificate;
mod derived;
mod error;
mod fields;
mod pinned;

use std::fmt;

use openssl::ec::EcKey;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

pub use certificate::RegisteredCertificate;
pub use derived::DerivedKey;
pub use error::KeyError;
pub(crate) use pinned::{ephemeral, point};

use error::unreadable;

use crate::prescan::{KeyKind, RecipientId};

/// Oldest OpenSSL with every fix that the pre-scan's list was made from: 3.0.22.
const OPENSSL_FLOOR: i64 = 0x3000_0160;

/// Refuses to work with an OpenSSL below the floor.
///
/// # Errors
/// [`KeyError::OpensslTooOld`].
pub fn check_openssl_version() -> Result<(), KeyError> {
    if openssl::version::number() < OPENSSL_FLOOR {
        return Err(KeyError::OpensslTooOld { found: openssl::version::version() });
    }
    Ok(())
}

/// A private key with its certificate: what opens and signs.
#[derive(Clone)]
pub struct SigningKey {
    pub(crate) key: PKey<Private>,
    /// The same key where it is one of a curve: what agrees.
    pub(crate) agreement_key: Option<EcKey<Private>>,
    /// The certificate as OpenSSL reads it.
    pub(crate) x509: X509,
    pub(crate) certificate: RegisteredCertificate,
}

impl SigningKey {
    /// Reads a PKCS #8 key and its certificate, both in PEM.
    ///
    /// # Errors
    /// One of them cannot be read, is not admitted, or they do not belong together.
    pub fn from_pem(key: &[u8], certificate: &[u8]) -> Result<SigningKey, KeyError> {
        // Without a callback OpenSSL would ask for the passphrase on the terminal, and wait.
        let mut is_encrypted = false;
        let parsed = PKey::private_key_from_pem_callback(key, |_passphrase| {
            is_encrypted = true;
            Ok(0)
        });
        let key = match parsed {
            Ok(key) => key,
            Err(_) if is_encrypted => return Err(KeyError::Encrypted),
            Err(why) => return Err(unreadable("a private key in PEM")(why)),
        };
        let certificate = RegisteredCertificate::from_pem(certificate)?;
        let x509 = X509::from_der(certificate.der()).map_err(unreadable("a certificate"))?;
        let public = x509.public_key().map_err(unreadable("a public key"))?;
        if !key.public_eq(&public) {
            return Err(KeyError::NotAPair);
        }
        let agreement_key = match certificate.key_kind() {
            KeyKind::P256 | KeyKind::P384 => Some(key.ec_key().map_err(unreadable("a private key in PEM"))?),
            KeyKind::Rsa { .. } => None,
        };
        Ok(SigningKey { key, agreement_key, x509, certificate })
    }

    /// Returns the certificate.
    pub fn certificate(&self) -> &RegisteredCertificate {
        &self.certificate
    }

    /// Signs octets with SHA-256.
    pub(crate) fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        openssl::sign::Signer::new(MessageDigest::sha256(), &self.key)?.sign_oneshot_to_vec(octets)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key of {:?}", self.certificate)
    }
}

/// Every key that opens mail: the present ones, P-256 and RSA, and those retired, which still open old mail.
#[derive(Clone, Debug)]
pub struct CentreKeys {
    keys: Vec<SigningKey>,
}

impl CentreKeys {
    /// Joins keys.
    pub fn new(keys: Vec<SigningKey>) -> CentreKeys {
        CentreKeys { keys }
    }

    pub(crate) fn find(&self, id: &RecipientId) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.certificate.is_named_by(id))
    }
}

#[cfg(test)]
mod tests;
