//! The body that answers `renew` and `enrol`: the certificate that is registered for the office's key from now on.

use serde::{Deserialize, Serialize};

/// A registered certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuedCertificate {
    /// DER of the certificate in base64. The centre's authority has issued the certificate, or the office has made it and the centre keeps
    /// it.
    pub certificate: String,
}
