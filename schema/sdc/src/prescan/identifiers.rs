//! The identifiers in CMS structures: those of certificates, and those of algorithms.

use super::ScanError;
use crate::der::{INTEGER, NULL, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE};
use crate::expected::Expected;

/// Longest issuer name admitted, in octets of DER. The centre compares and stores issuer names, so a sender must not make them long.
pub const ISSUER_BYTES_MAX: usize = 1024;
/// Longest serial number admitted, in octets.
pub const SERIAL_BYTES_MAX: usize = 21;
/// Longest key identifier admitted, in octets.
pub const KEY_ID_BYTES_MAX: usize = 64;

/// A certificate by its issuer and serial number (RFC 5652, 10.2.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IssuerSerial {
    /// DER of the issuer's name.
    pub issuer: Vec<u8>,
    /// Content octets of the serial number.
    pub serial: Vec<u8>,
}

pub fn issuer_serial(reader: &mut Reader<'_>) -> Result<IssuerSerial, ScanError> {
    let mut inside = reader.enter(SEQUENCE, Expected::IssuerAndSerial)?;
    let issuer = inside.expect(SEQUENCE, Expected::IssuerName)?.whole;
    let serial = inside.expect(INTEGER, Expected::Serial)?.content;
    inside.end(Expected::NothingAfterSerial)?;
    if issuer.len() > ISSUER_BYTES_MAX || serial.len() > SERIAL_BYTES_MAX {
        return Err(ScanError::Malformed(Expected::BoundedIssuerOrSerial));
    }
    Ok(IssuerSerial { issuer: issuer.to_vec(), serial: serial.to_vec() })
}

pub fn key_id(content: &[u8]) -> Result<Vec<u8>, ScanError> {
    if content.is_empty() || content.len() > KEY_ID_BYTES_MAX {
        return Err(ScanError::Malformed(Expected::BoundedKeyId));
    }
    Ok(content.to_vec())
}

/// An algorithm's identifier and its parameters.
pub struct Algorithm<'a> {
    pub oid: &'a [u8],
    pub parameters: Reader<'a>,
}

pub fn algorithm<'a>(reader: &mut Reader<'a>, what: Expected) -> Result<Algorithm<'a>, ScanError> {
    let mut parameters = reader.enter(SEQUENCE, what)?;
    let oid = parameters.expect(OBJECT_IDENTIFIER, what)?.content;
    Ok(Algorithm { oid, parameters })
}

impl<'a> Algorithm<'a> {
    /// Demands that the parameters are absent or NULL; senders write both for the same algorithm.
    pub fn without_parameters(mut self) -> Result<(), ScanError> {
        self.parameters.optional(NULL)?;
        Ok(self.parameters.end(Expected::NoParameters)?)
    }

    /// Demands one OCTET STRING as parameters; returns its content.
    pub fn octets(mut self, what: Expected) -> Result<&'a [u8], ScanError> {
        let octets = self.parameters.expect(OCTET_STRING, what)?.content;
        self.parameters.end(what)?;
        Ok(octets)
    }
}
