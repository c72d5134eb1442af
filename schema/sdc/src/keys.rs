//! Keys and certificates of both ends, parsed once and kept.

mod certificate;
mod fields;
mod pinned;

use std::fmt;

use openssl::ec::EcKey;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

pub use certificate::RegisteredCertificate;
pub(crate) use pinned::{ephemeral, point};

use crate::der::DerError;
use crate::prescan::{KeyKind, RecipientId};

/// Oldest OpenSSL with every fix that the pre-scan's list was made from: 3.0.22.
const OPENSSL_FLOOR: i64 = 0x3000_0160;

/// What is wrong with a key or certificate.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not a certificate or key in the form that is expected.
    #[error("{what} cannot be read ({})", reasons(why))]
    Unreadable {
        /// What was to be read.
        what: &'static str,
        /// OpenSSL's reason.
        why: ErrorStack,
    },
    /// Not the strict DER that X.509 asks for, where two readers could see two certificates, or of names beyond bounds.
    #[error("the certificate is not in strict DER with names of bounded length ({0}): have it issued again")]
    NotDer(#[from] DerError),
    /// A kind or size of key that is not admitted.
    #[error("a key of kind {0} is not admitted: P-256, P-384 or RSA of 2048 to 4096 bits is expected")]
    NotAdmitted(String),
    /// The private key asks for a passphrase.
    #[error("the private key is encrypted: store it unencrypted, readable by its owner alone")]
    Encrypted,
    /// Key and certificate do not belong together.
    #[error("the private key is not the one of the certificate: give the two that were made together")]
    NotAPair,
    /// The library is too old.
    #[error(
        "OpenSSL {found} is older than 3.0.22, which fixes known attacks on CMS: install the distribution's security updates"
    )]
    OpensslTooOld {
        /// The version found.
        found: &'static str,
    },
}

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

/// Puts OpenSSL's reasons into one phrase, the first cause first; its codes, files and lines help nobody here.
fn reasons(stack: &ErrorStack) -> String {
    let mut reasons: Vec<&str> = stack.errors().iter().filter_map(openssl::error::Error::reason).collect();
    reasons.dedup();
    if reasons.is_empty() { "OpenSSL gives no reason".to_owned() } else { format!("OpenSSL: {}", reasons.join(", ")) }
}

fn unreadable(what: &'static str) -> impl Fn(ErrorStack) -> KeyError {
    move |why| KeyError::Unreadable { what, why }
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
