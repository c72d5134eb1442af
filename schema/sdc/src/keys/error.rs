//! Errors of keys and certificates.

use openssl::error::ErrorStack;

use crate::der::DerError;

/// Why a key or certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The input is no certificate or key in the expected form.
    #[error("{what} cannot be read ({})", reasons(why))]
    Unreadable {
        /// Name of the input, such as `a certificate in DER`.
        what: &'static str,
        /// OpenSSL's reasons.
        why: ErrorStack,
    },
    /// The certificate is not in strict DER, so two readers could read it differently, or its names are too long.
    #[error("the certificate is not in strict DER with names of bounded length ({0}): have it issued again")]
    NotDer(#[from] DerError),
    /// The kind or size of the key is not admitted.
    #[error("a key of kind {0} is not admitted: P-256, P-384 or RSA of 2048 to 4096 bits is expected")]
    NotAdmitted(String),
    /// The private key is encrypted with a passphrase.
    #[error("the private key is encrypted: store it unencrypted, readable by its owner alone")]
    Encrypted,
    /// The certificate is signed with another key than its own.
    #[error("the certificate is not signed by its own key: make a self-signed one")]
    NotSelfSigned,
    /// Key and certificate do not belong together.
    #[error("the private key is not the one of the certificate: give the two that were made together")]
    NotAPair,
    /// The OpenSSL library is older than 3.0.22.
    #[error(
        "OpenSSL {found} is older than 3.0.22, which fixes known attacks on CMS: install the distribution's security updates"
    )]
    OpensslTooOld {
        /// The version of the library.
        found: &'static str,
    },
}

/// Joins OpenSSL's reasons into one phrase, the first cause first, without OpenSSL's error codes, files and lines.
fn reasons(stack: &ErrorStack) -> String {
    let mut reasons: Vec<&str> = stack.errors().iter().filter_map(openssl::error::Error::reason).collect();
    reasons.dedup();
    if reasons.is_empty() { "OpenSSL gives no reason".to_owned() } else { format!("OpenSSL: {}", reasons.join(", ")) }
}

/// Makes the error of an input that OpenSSL cannot read.
pub fn unreadable(what: &'static str) -> impl Fn(ErrorStack) -> KeyError {
    move |why| KeyError::Unreadable { what, why }
}
