//! Reads the file that an agency brings: its certificates, with names and fingerprints that a person can compare.
//!
//! A file without a certificate is refused, because people send whatever file they have. The refusal says what the file holds instead, and
//! gives the command that makes a certificate from it.

mod kind;

use std::fmt;
use std::path::Path;

use openssl::x509::{X509, X509NameRef};
use sdc::keys::{KeyError, RegisteredCertificate};
use sdc::printable::printable;
use store::certificates::CertificateFields;

use kind::Content;
pub use kind::Kind;

/// Largest file that is read, in octets: a certificate has about 1 KB, a chain about 10 KB.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A certificate of the file.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The fields that are registered in the database.
    pub fields: CertificateFields,
    /// The holder's name in the certificate.
    pub subject: String,
    /// The issuer's name; the holder's name again where the certificate is self-signed.
    pub issuer: String,
}

/// Why a file has no certificate that can be registered.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system could not read the file.
    #[error("cannot read {file}: {source}")]
    Read {
        /// Path of the file.
        file: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file is far larger than any certificate.
    #[error("{file} has {bytes} bytes: expected a certificate, PEM or DER")]
    TooLarge {
        /// Path of the file.
        file: String,
        /// Size of the file, in bytes.
        bytes: u64,
    },
    /// The file holds something other than a certificate.
    #[error("{file} {}", kind.remedy(file))]
    Other {
        /// Path of the file.
        file: String,
        /// What the file holds.
        kind: Kind,
    },
    /// The file holds a certificate that cannot be registered.
    #[error("the certificate in {file} cannot be registered: {source}{}", advice(source))]
    Unfit {
        /// Path of the file.
        file: String,
        /// Why the certificate is refused, with OpenSSL's reasons where OpenSSL cannot read it.
        source: KeyError,
    },
}

/// Reads the certificates of a file, PEM or DER, and returns at least one.
///
/// # Errors
/// The file cannot be read, holds no certificate, or holds a key that agencies may not use.
pub fn read(path: &Path) -> Result<Vec<Presented>, FileError> {
    let file = path.display().to_string();
    let refused = |source| FileError::Read { file: path.display().to_string(), source };
    let bytes = std::fs::metadata(path).map_err(refused)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(FileError::TooLarge { file, bytes });
    }
    let octets = std::fs::read(path).map_err(refused)?;
    let ders = match kind::content(&octets) {
        Content::Certificates(ders) => ders,
        Content::Other(kind) => return Err(FileError::Other { file, kind }),
    };
    let presented = |der: &Vec<u8>| presented(der);
    ders.iter().map(presented).collect::<Result<_, _>>().map_err(|source| FileError::Unfit { file, source })
}

fn presented(der: &[u8]) -> Result<Presented, KeyError> {
    let certificate = RegisteredCertificate::from_der(der)?;
    let x509 = X509::from_der(der).map_err(|why| KeyError::Unreadable { what: "a certificate in DER", why })?;
    Ok(Presented {
        fields: CertificateFields::from(&certificate),
        subject: name(x509.subject_name()),
        issuer: name(x509.issuer_name()),
    })
}

/// Writes a name in the usual form: `CN=Mairie d'Édéa, O=Commune`. The office wrote the name, so control characters are removed.
fn name(name: &X509NameRef) -> String {
    let entry = |entry: &openssl::x509::X509NameEntryRef| {
        let key = entry.object().nid().short_name().unwrap_or("?").to_owned();
        let value = entry.data().to_string().unwrap_or_else(|_not_text| "?".to_owned());
        format!("{key}={}", printable(&value))
    };
    let entries: Vec<String> = name.entries().map(entry).collect();
    if entries.is_empty() { "-".to_owned() } else { entries.join(", ") }
}

/// Returns advice about a certificate that OpenSSL cannot read. The advice follows OpenSSL's reasons in the sentence.
fn advice(error: &KeyError) -> &'static str {
    let KeyError::Unreadable { why, .. } = error else { return "" };
    let is_of_text = why
        .errors()
        .iter()
        .any(|one| one.reason().is_some_and(|reason| reason.contains("utf8") || reason.contains("string")));
    if is_of_text {
        "; a name in it holds letters that are not UTF-8, as it says they are: have it issued again"
    } else {
        "; have it issued again"
    }
}

impl fmt::Display for Presented {
    /// Writes one line with holder, issuer, key and fingerprint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuer = if self.subject == self.issuer { "self-signed".to_owned() } else { format!("by {}", self.issuer) };
        let authority = if self.fields.is_authority { ", a certification authority's" } else { "" };
        write!(f, "{}, {issuer}, {}{authority}", self.subject, self.fields.algorithm)
    }
}

#[cfg(test)]
mod tests;
