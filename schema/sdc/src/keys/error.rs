//! What is wrong with a key or certificate.

use openssl::error::ErrorStack;

use crate::der::DerError;

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
    /// Another key signed it.
    #[error("the certificate is not signed by its own key: make a self-signed one")]
    NotSelfSigned,
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

/// Puts OpenSSL's reasons into one phrase, the first cause first, without its codes, files and lines.
fn reasons(stack: &ErrorStack) -> String {
    let mut reasons: Vec<&str> = stack.errors().iter().filter_map(openssl::error::Error::reason).collect();
    reasons.dedup();
    if reasons.is_empty() { "OpenSSL gives no reason".to_owned() } else { format!("OpenSSL: {}", reasons.join(", ")) }
}

/// Makes the error of something that OpenSSL cannot read.
pub fn unreadable(what: &'static str) -> impl Fn(ErrorStack) -> KeyError {
    move |why| KeyError::Unreadable { what, why }
}
