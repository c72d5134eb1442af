//! Keys and certificates of the centre and of offices, parsed once and kept.

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

/// Oldest admitted OpenSSL, 3.0.22. It fixes the known flaws in CMS that module `prescan` lists.
const OPENSSL_FLOOR: i64 = 0x3000_0160;

/// Checks that OpenSSL is not older than 3.0.22.
///
/// # Errors
/// [`KeyError::OpensslTooOld`].
pub fn check_openssl_version() -> Result<(), KeyError> {
    if openssl::version::number() < OPENSSL_FLOOR {
        return Err(KeyError::OpensslTooOld { found: openssl::version::version() });
    }
    Ok(())
}

/// A private key with its certificate. The key opens letters for its owner, and signs the owner's letters.
#[derive(Clone)]
pub struct SigningKey {
    pub(crate) key: PKey<Private>,
    /// The same key as an EC key, for key agreement; `None` for RSA.
    pub(crate) agreement_key: Option<EcKey<Private>>,
    /// The certificate as OpenSSL reads it.
    pub(crate) x509: X509,
    pub(crate) certificate: RegisteredCertificate,
}

impl SigningKey {
    /// Reads a PKCS #8 key and its certificate, both in PEM.
    ///
    /// # Errors
    /// One of the two cannot be read or is not admitted, or key and certificate do not belong together.
    pub fn from_pem(key: &[u8], certificate: &[u8]) -> Result<SigningKey, KeyError> {
        // Without a callback, OpenSSL would ask for the passphrase on the terminal and wait for an answer.
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

/// All keys that open mail: the present P-256 and RSA keys, and retired keys, which still open old mail.
#[derive(Clone, Debug)]
pub struct CentreKeys {
    keys: Vec<SigningKey>,
}

impl CentreKeys {
    /// Joins keys; the first one signs.
    pub fn new(keys: Vec<SigningKey>) -> CentreKeys {
        CentreKeys { keys }
    }

    pub(crate) fn find(&self, id: &RecipientId) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.certificate.is_named_by(id))
    }
}

#[cfg(test)]
mod tests;
