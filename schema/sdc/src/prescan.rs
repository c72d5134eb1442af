//! Admits only the CMS structures that FORMAT.md lists, before OpenSSL reads a byte of them.
//!
//! Nine CVEs of OpenSSL's CMS from 2025 and 2026 needed a structure that no letter has: password or key-wrap recipients, OAEP without
//! parameters, padded key wrap, or short authentication tags. Since only listed structures pass, such a structure never reaches OpenSSL,
//! nor will one whose flaw is not known yet.

mod enveloped;
mod identifiers;
mod signed;

use crate::der::DerError;
use crate::expected::Expected;

pub use enveloped::{Agreement, EncryptedContent, Enveloped, KdfHash, KeyKind, RecipientId, scan_enveloped};
pub(crate) use enveloped::{CBC_IV_BYTES, GCM_NONCE_BYTES, GCM_TAG_BYTES};
pub use identifiers::IssuerSerial;
pub(crate) use identifiers::{ISSUER_BYTES_MAX, KEY_ID_BYTES_MAX, SERIAL_BYTES_MAX};
pub use signed::{SignatureKey, Signed, scan_signed, signed_content};

/// Why a structure is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The bytes are not the structure that FORMAT.md describes.
    #[error("{0}")]
    Malformed(Expected),
    /// The structure is well-formed, but FORMAT.md does not allow it.
    #[error("{0}")]
    Forbidden(Expected),
}

impl From<DerError> for ScanError {
    fn from(error: DerError) -> ScanError {
        ScanError::Malformed(error.0)
    }
}

/// Object identifiers, as the content octets of their DER.
pub(crate) mod oid {
    /// `id-data` (RFC 5652, 4).
    pub const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
    /// `id-signedData` (RFC 5652, 5.1).
    pub const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
    /// `id-envelopedData` (RFC 5652, 6.1).
    pub const ENVELOPED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03];
    /// `id-ct-authEnvelopedData` (RFC 5083, 2.1).
    pub const AUTH_ENVELOPED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x17];
    /// `id-contentType` (RFC 5652, 11.1).
    pub const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
    /// `id-messageDigest` (RFC 5652, 11.2).
    pub const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
    /// `id-aes256-GCM` (RFC 5084, 3.2).
    pub const AES256_GCM: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2e];
    /// `id-aes256-CBC` (RFC 3565, 4.1).
    pub const AES256_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
    /// `id-aes256-wrap` (RFC 3565, 4.2).
    pub const AES256_WRAP: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2d];
    /// `id-ecPublicKey` (RFC 5480, 2.1.1).
    pub const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    /// `secp256r1` (RFC 5480, 2.1.1.1).
    pub const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    /// `secp384r1` (RFC 5480, 2.1.1.1).
    pub const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
    /// `dhSinglePass-stdDH-sha1kdf-scheme` (RFC 5753, 7.1.4): standard DH with the X9.63 KDF.
    pub const STD_DH_SHA1_KDF: &[u8] = &[0x2b, 0x81, 0x05, 0x10, 0x86, 0x48, 0x3f, 0x00, 0x02];
    /// `dhSinglePass-stdDH-sha224kdf-scheme` (RFC 5753, 7.1.4).
    pub const STD_DH_SHA224_KDF: &[u8] = &[0x2b, 0x81, 0x04, 0x01, 0x0b, 0x00];
    /// `dhSinglePass-stdDH-sha256kdf-scheme` (RFC 5753, 7.1.4).
    pub const STD_DH_SHA256_KDF: &[u8] = &[0x2b, 0x81, 0x04, 0x01, 0x0b, 0x01];
    /// `dhSinglePass-stdDH-sha384kdf-scheme` (RFC 5753, 7.1.4).
    pub const STD_DH_SHA384_KDF: &[u8] = &[0x2b, 0x81, 0x04, 0x01, 0x0b, 0x02];
    /// `dhSinglePass-stdDH-sha512kdf-scheme` (RFC 5753, 7.1.4).
    pub const STD_DH_SHA512_KDF: &[u8] = &[0x2b, 0x81, 0x04, 0x01, 0x0b, 0x03];
    /// `rsaEncryption` (RFC 8017, A.1).
    pub const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    /// `id-RSAES-OAEP` (RFC 8017, A.2.1).
    pub const RSAES_OAEP: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07];
    /// `id-RSASSA-PSS` (RFC 8017, A.2.3).
    pub const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
    /// `id-ce-subjectKeyIdentifier` (RFC 5280, 4.2.1.2).
    pub const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
    pub const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
    pub const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
    /// `id-mgf1` (RFC 8017, B.2.1).
    pub const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
    /// `id-sha256` (RFC 5754, 2.2).
    pub const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
    /// `id-sha384` (RFC 5754, 2.3).
    pub const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
    /// `id-sha512` (RFC 5754, 2.4).
    pub const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];
    /// `ecdsa-with-SHA256` (RFC 5758, 3.2).
    pub const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    /// `ecdsa-with-SHA384` (RFC 5758, 3.2).
    pub const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
    /// `ecdsa-with-SHA512` (RFC 5758, 3.2).
    pub const ECDSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];
    /// `sha256WithRSAEncryption` (RFC 4055, 5).
    pub const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
    /// `sha384WithRSAEncryption` (RFC 4055, 5).
    pub const RSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c];
    /// `sha512WithRSAEncryption` (RFC 4055, 5).
    pub const RSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d];
}
