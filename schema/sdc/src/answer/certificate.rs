//! The body that answers `renew` and `enrol`: the certificate that is registered for the office's key from now on.

use serde::{Deserialize, Serialize};

/// A registered certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuedCertificate {
    /// Its DER in base64: issued by the centre's authority, or the office's own where the centre keeps that.
    pub certificate: String,
}
