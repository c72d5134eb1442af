//! Who issues certificates: the centre's authority, where its key is at hand. Where it is not, an office's self-signed certificate is
//! kept: trust is the registered certificate, not a chain.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use sdc::keys::RegisteredCertificate;
use sdc::letter::Matricule;

use super::certificate::CertificateFields;

/// For how long certificates are issued.
const VALID_DAYS: i64 = 825;

/// What is to be issued.
#[derive(Debug)]
pub struct Issuing<'a> {
    /// The agency that it is for.
    pub agency: Matricule,
    /// The installation.
    pub installation: &'a str,
    /// The certificate that the office brought. Issued is one of the same key, by the same key identifier.
    pub brought: &'a RegisteredCertificate,
    /// Beginning of validity.
    pub not_before: DateTime<Utc>,
    /// End of validity.
    pub not_after: DateTime<Utc>,
}

/// Issues certificates.
pub trait CertificateIssuer: fmt::Debug + Send + Sync {
    /// Issues a certificate; returns its DER.
    ///
    /// # Errors
    /// The cryptographic library refuses, in words for the log.
    fn issue(&self, issuing: &Issuing<'_>) -> Result<Vec<u8>, String>;
}

/// Returns what is registered for a key that an office brought: what the authority issues, or the certificate as it is. One that does not
/// name its key to others stays as it is: letters name it by issuer and serial number, which another certificate has not. So does one
/// for which nothing could be issued.
pub(crate) fn registered(
    issuer: Option<&dyn CertificateIssuer>,
    agency: Matricule,
    installation: &str,
    brought: &RegisteredCertificate,
    now: DateTime<Utc>,
) -> CertificateFields {
    let Some(issuer) = issuer.filter(|_| brought.has_key_id()) else { return CertificateFields::from(brought) };
    // From yesterday: clocks at offices are wrong.
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
