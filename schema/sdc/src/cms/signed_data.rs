//! Writes `SignedData` (RFC 5652, 5) with only the elements that it must have.
//!
//! OpenSSL's writer would add the time of signing, which the payload of every letter contains anyway: forty bytes more for each letter over
//! a satellite link, where an office pays for each byte. So this module writes the structure. OpenSSL still computes the signature, and its
//! `cms -verify` reads these structures.

use openssl::error::ErrorStack;

use super::elements::{content_info, identifier, name, version};
use crate::der::{self, NULL, OCTET_STRING, SEQUENCE, SET, context};
use crate::digest::Digest;
use crate::identifiers::{ContentCipher, SignerId};
use crate::keys::SigningKey;
use crate::prescan::{KeyKind, oid};

/// Version of the structure and of its signer, where issuer and serial number refer to the signer (RFC 5652, 5.1 and 5.3).
const VERSION_ISSUER_SERIAL: u8 = 1;
/// Version of the structure and of its signer, where a key id refers to the signer.
const VERSION_KEY_ID: u8 = 3;

/// Signs octets with SHA-256. The structure identifies the signer in the way that software for this cipher expects
/// (`RegisteredCertificate::written_id`).
///
/// # Errors
/// OpenSSL fails.
pub fn write(octets: &[u8], key: &SigningKey, cipher: ContentCipher) -> Result<Vec<u8>, ErrorStack> {
    let id = key.certificate().written_id(cipher);
    let version = version(if matches!(id, SignerId::KeyId(_)) { VERSION_KEY_ID } else { VERSION_ISSUER_SERIAL });
    let digest_algorithm = der::write(SEQUENCE, &[&identifier(oid::SHA256)]);
    let content_type = identifier(oid::DATA);
    let attributes = [
        attribute(oid::CONTENT_TYPE, &content_type),
        attribute(oid::MESSAGE_DIGEST, &der::write(OCTET_STRING, &[Digest::of(octets).as_bytes()])),
    ];
    // DER wants the members of a SET OF sorted by their octets. The content type's attribute is shorter than the digest's, so its length
    // octet is smaller, and it comes first.
    let attributes = attributes.concat();
    // The signature covers the attributes with the tag of a SET; the structure holds them with another tag (RFC 5652, 5.4).
    let signature = key.sign(&der::write(SET, &[&attributes]))?;
    let signer_info = der::write(
        SEQUENCE,
        &[
            &version,
            &name(&id),
            &digest_algorithm,
            &der::write(context(0), &[&attributes]),
            &signature_algorithm(key.certificate().key_kind()),
            &der::write(OCTET_STRING, &[&signature]),
        ],
    );
    let content = der::write(context(0), &[&der::write(OCTET_STRING, &[octets])]);
    let members = [
        &version,
        &der::write(SET, &[&digest_algorithm]),
        &der::write(SEQUENCE, &[&content_type, &content]),
        &der::write(SET, &[&signer_info]),
    ];
    Ok(content_info(oid::SIGNED_DATA, &members.map(Vec::as_slice)))
}

fn attribute(oid: &[u8], value: &[u8]) -> Vec<u8> {
    der::write(SEQUENCE, &[&identifier(oid), &der::write(SET, &[value])])
}

fn signature_algorithm(kind: KeyKind) -> Vec<u8> {
    match kind {
        // ECDSA has no parameters (RFC 5754, 3.3), and RSA has NULL (RFC 3370, 3.2).
        KeyKind::P256 | KeyKind::P384 => der::write(SEQUENCE, &[&identifier(oid::ECDSA_SHA256)]),
        KeyKind::Rsa { .. } => der::write(SEQUENCE, &[&identifier(oid::RSA_ENCRYPTION), &der::write(NULL, &[])]),
    }
}
