//! The body of `renew`: a certificate of the key with which the office signs from now on. The certificate must be self-signed, which proves
//! that the office has the key.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::expected::Expected;
use crate::json::malformed;
use crate::json::members::{members, text};
use crate::refusal::Refusal;

/// Maximum number of octets of a certificate in a letter. A certificate of RSA-4096 has some 1 300 octets.
const CERTIFICATE_BYTES_MAX: usize = 2_500;

/// A request to register a new certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Renew {
    /// The self-signed certificate in DER.
    pub certificate: Vec<u8>,
}

impl Serialize for Renew {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut renew = serializer.serialize_struct("Renew", 1)?;
        renew.serialize_field("certificate", &BASE64.encode(&self.certificate))?;
        renew.end()
    }
}

impl fmt::Debug for Renew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Renew({} octets)", self.certificate.len())
    }
}

/// Reads the body from its JSON.
pub(super) fn read(body: Value) -> Result<Renew, Refusal> {
    let [certificate] = members(body, "body", &["certificate"])?;
    Ok(Renew { certificate: certificate_of(certificate)? })
}

/// Reads the octets of a certificate from base64. This function does not check that the octets are a certificate.
pub(super) fn certificate_of(value: Value) -> Result<Vec<u8>, Refusal> {
    let der = text(value).and_then(|text| BASE64.decode(text).ok());
    let der = der.filter(|der| (1..=CERTIFICATE_BYTES_MAX).contains(&der.len()));
    der.ok_or_else(|| malformed("body.certificate", Expected::CertificateInBase64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_certificate_travels_as_base64_within_a_bound() {
        let renew = read(json!({ "certificate": "AQID" })).unwrap();
        assert_eq!((renew.certificate.as_slice(), json!(renew)), (&[1, 2, 3][..], json!({ "certificate": "AQID" })));
        for wrong in [json!("AQI"), json!("AQI\n"), json!(""), json!(7), json!(BASE64.encode(vec![0; 2501]))] {
            read(json!({ "certificate": wrong.clone() })).expect_err(&wrong.to_string());
        }
        read(json!({})).unwrap_err();
    }
}
