//! Reads a certificate that an agency brought: what is registered of it, and the fingerprint that a person compares.

use std::path::Path;

use anyhow::{Context, bail};
use sdc::keys::{KeyError, RegisteredCertificate};
use store::administration::certificates::CertificateFields;

/// Largest file that is looked at: a certificate is about 1 KB.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Reads a certificate, PEM or DER.
///
/// # Errors
/// The file cannot be read, holds something else, or a key that agencies may not use.
pub fn read(path: &Path) -> anyhow::Result<CertificateFields> {
    let metadata = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if metadata.len() > FILE_BYTES_MAX {
        bail!("{} has {} bytes: expected a certificate, PEM or DER", path.display(), metadata.len());
    }
    let octets = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    // DER begins with the tag of a SEQUENCE; PEM is text.
    let parsed = if octets.first() == Some(&0x30) {
        RegisteredCertificate::from_der(&octets)
    } else {
        RegisteredCertificate::from_pem(&octets)
    };
    match parsed {
        Ok(certificate) => Ok(CertificateFields::from(&certificate)),
        Err(KeyError::Unreadable { .. }) => {
            bail!("{} holds no certificate: expected one, PEM or DER", path.display())
        }
        Err(error) => Err(error).with_context(|| format!("the certificate in {} cannot be registered", path.display())),
    }
}

/// Writes a fingerprint as people compare it: pairs with colons.
pub fn spoken(fingerprint: &[u8]) -> String {
    fingerprint.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":")
}
