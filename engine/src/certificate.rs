//! Reads the file that an agency brought: its certificates, with names and fingerprints that a person can compare.
//!
//! A file without a certificate is refused. The refusal says what the file holds instead, and gives the command that makes a certificate of
//! that: people send what they have.

mod kind;

use std::fmt;
use std::path::Path;

use openssl::x509::{X509, X509NameRef};
use sdc::keys::{KeyError, RegisteredCertificate};
use sdc::printable::printable;
use store::certificates::CertificateFields;

use kind::Content;
pub use kind::Kind;

/// Largest file that is read: a certificate has about 1 KB, a chain 10.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A certificate of the file.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The fields that are registered.
    pub fields: CertificateFields,
    /// The holder's name.
    pub subject: String,
    /// The issuer's name; the holder's where the holder made the certificate.
    pub issuer: String,
}

/// Why a file has no certificate that can be registered.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Far larger than any certificate.
    #[error("{file} has {bytes} bytes: expected a certificate, PEM or DER")]
    TooLarge {
        /// The file.
        file: String,
        /// Its size.
        bytes: u64,
    },
    /// The file holds something else than a certificate.
    #[error("{file} {}", kind.remedy(file))]
    Other {
        /// The file.
        file: String,
        /// What it holds.
        kind: Kind,
    },
    /// The file holds a certificate that cannot be registered.
    #[error("the certificate in {file} cannot be registered: {source}{}", advice(source))]
    Unfit {
        /// The file.
        file: String,
        /// Why, in OpenSSL's words where they are the reason.
        source: KeyError,
    },
}

/// Reads the certificates of a file, PEM or DER; there is at least one.
///
/// # Errors
/// The file cannot be read, holds something else, or a key that agencies may not use.
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

/// Writes a name as people do: `CN=Mairie d'Édéa, O=Commune`. The name is the office's text, so control characters are taken out.
fn name(name: &X509NameRef) -> String {
    let entry = |entry: &openssl::x509::X509NameEntryRef| {
        let key = entry.object().nid().short_name().unwrap_or("?").to_owned();
        let value = entry.data().to_string().unwrap_or_else(|_not_text| "?".to_owned());
        format!("{key}={}", printable(&value))
    };
    let entries: Vec<String> = name.entries().map(entry).collect();
    if entries.is_empty() { "-".to_owned() } else { entries.join(", ") }
}

/// What to do about a certificate that OpenSSL cannot read; said behind OpenSSL's reasons.
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
    /// One line: holder, issuer, key and fingerprint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuer = if self.subject == self.issuer { "self-signed".to_owned() } else { format!("by {}", self.issuer) };
        let authority = if self.fields.is_authority { ", a certification authority's" } else { "" };
        write!(f, "{}, {issuer}, {}{authority}", self.subject, self.fields.algorithm)
    }
}

#[cfg(test)]
mod tests;
