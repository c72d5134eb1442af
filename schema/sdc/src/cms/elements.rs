//! Elements that both signed and enveloped structures contain.

use crate::der::{self, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, context, context_primitive};
use crate::identifiers::SignerId;

/// Writes an object identifier.
pub fn identifier(oid: &[u8]) -> Vec<u8> {
    der::write(OBJECT_IDENTIFIER, &[oid])
}

/// Writes the version of a structure.
pub fn version(number: u8) -> Vec<u8> {
    der::write(INTEGER, &[&[number]])
}

/// Writes a `ContentInfo` (RFC 5652, 3) around the members of its content.
pub fn content_info(content_type: &[u8], members: &[&[u8]]) -> Vec<u8> {
    let content = der::write(context(0), &[&der::write(SEQUENCE, members)]);
    der::write(SEQUENCE, &[&identifier(content_type), &content])
}

/// Writes the identifier by which a signature or a transported key refers to a certificate (RFC 5652, 5.3 and 6.2.1).
pub fn name(id: &SignerId) -> Vec<u8> {
    match id {
        SignerId::KeyId(id) => der::write(context_primitive(0), &[id]),
        SignerId::IssuerSerial { issuer, serial } => issuer_serial(issuer, serial),
    }
}

/// Writes an `IssuerAndSerialNumber` (RFC 5652, 10.2.4).
pub fn issuer_serial(issuer: &[u8], serial: &[u8]) -> Vec<u8> {
    der::write(SEQUENCE, &[issuer, &der::write(INTEGER, &[serial])])
}
