//! Issuing of certificates by the centre's authority, if its key is available. Without it, the office's self-signed certificate is
//! registered. Both kinds work, since letters are verified with the registered certificate and not with a chain.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use sdc::keys::RegisteredCertificate;
use sdc::letter::Matricule;

use super::certificate::CertificateFields;

/// Number of days for which an issued certificate is valid.
const VALID_DAYS: i64 = 825;

/// A certificate that is to be issued.
#[derive(Debug)]
pub struct Issuing<'a> {
    /// Agency that the certificate is for.
    pub agency: Matricule,
    /// Installation that the certificate is for.
    pub installation: &'a str,
    /// Certificate that the office sent; the issued certificate has the same key and the same key identifier.
    pub brought: &'a RegisteredCertificate,
    /// Beginning of validity.
    pub not_before: DateTime<Utc>,
    /// End of validity.
    pub not_after: DateTime<Utc>,
}

/// An authority that issues certificates.
pub trait CertificateIssuer: fmt::Debug + Send + Sync {
    /// Issues a certificate. Returns its DER.
    ///
    /// # Errors
    /// The error of the cryptographic library, as text for the log.
    fn issue(&self, issuing: &Issuing<'_>) -> Result<Vec<u8>, String>;
}

/// Returns the certificate to register for a key: the certificate that the authority issues, or the certificate that the office sent. The
/// office's certificate is used if issuing fails, or if it has no key identifier. Letters identify a certificate without key identifier by
/// issuer and serial number, and an issued certificate would have others.
pub(crate) fn registered(
    issuer: Option<&dyn CertificateIssuer>,
    agency: Matricule,
    installation: &str,
    brought: &RegisteredCertificate,
    now: DateTime<Utc>,
) -> CertificateFields {
    let Some(issuer) = issuer.filter(|_| brought.has_key_id()) else { return CertificateFields::from(brought) };
    // The validity begins a day before now. An office whose clock is slow would otherwise take its new certificate for one that is not
    // valid yet.
    let (not_before, not_after) = (now - TimeDelta::days(1), now + TimeDelta::days(VALID_DAYS));
    let issued = issuer.issue(&Issuing { agency, installation, brought, not_before, not_after });
    let issued = issued.and_then(|der| RegisteredCertificate::from_der(&der).map_err(|error| error.to_string()));
    let is_of_key = |issued: &RegisteredCertificate| {
        issued.spki_sha256() == brought.spki_sha256() && issued.key_id() == brought.key_id()
    };
    match issued {
        Ok(issued) if is_of_key(&issued) => CertificateFields::from(&issued),
        other => {
            let reason = other.err().unwrap_or_else(|| "it is of another key".to_owned());
            tracing::warn!(%agency, installation, reason, "no certificate could be issued: the one that was brought is registered");
            CertificateFields::from(brought)
        }
    }
}
