//! The inner structure: `SignedData` with attached content, signed attributes and exactly one signer (RFC 5652, 5).

use super::identifiers::{algorithm, issuer_serial, key_id};
use super::{IssuerSerial, ScanError, oid};
use crate::cms::SignerId;
use crate::der::{self, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE, SET, context, context_primitive};

/// Attributes that a signer may add; each costs a comparison.
const ATTRIBUTES_MAX: usize = 16;

/// A signed structure that OpenSSL may verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Who is said to have signed.
    pub signer: SignerId,
}

/// Scans an inner structure.
///
/// # Errors
/// What is not admitted, and whether it is malformed or forbidden.
pub fn scan_signed(bytes: &[u8]) -> Result<Signed, ScanError> {
    der::check(bytes)?;
    let mut outer = Reader::new(bytes).enter(SEQUENCE, "a ContentInfo")?;
    let content_type = outer.expect(OBJECT_IDENTIFIER, "a content type")?.content;
    if content_type != oid::SIGNED_DATA {
        return Err(ScanError::Forbidden("SignedData"));
    }
    let mut content = outer.enter(context(0), "a content")?;
    outer.end("nothing after the content")?;
    let mut body = content.enter(SEQUENCE, "a signed structure")?;
    content.end("one content")?;
    if !matches!(body.small_integer("version 1 or 3")?, 1 | 3) {
        return Err(ScanError::Malformed("version 1 or 3"));
    }
    let mut digests = body.enter(SET, "digest algorithms")?;
    scan_digest(&mut digests)?;
    digests.end("one digest algorithm")?;
    scan_content(&mut body)?;
    // Certificates are skipped, never used: who may sign is registered, not brought along.
    body.optional(context(0))?;
    if body.peek() == Some(context(1)) {
        return Err(ScanError::Forbidden("no revocation lists"));
    }
    let mut signers = body.enter(SET, "signers")?;
    body.end("nothing after the signers")?;
    if signers.is_empty() {
        return Err(ScanError::Forbidden("one signer"));
    }
    let signer = scan_signer(signers.enter(SEQUENCE, "a signer")?)?;
    if !signers.is_empty() {
        return Err(ScanError::Forbidden("one signer"));
    }
    Ok(Signed { signer })
}

fn scan_content(body: &mut Reader<'_>) -> Result<(), ScanError> {
    let mut info = body.enter(SEQUENCE, "signed content")?;
    if info.expect(OBJECT_IDENTIFIER, "a content type")?.content != oid::DATA {
        return Err(ScanError::Forbidden("signed content of type data"));
    }
    if info.is_empty() {
        return Err(ScanError::Forbidden("attached content"));
    }
    let mut content = info.enter(context(0), "attached content")?;
    info.end("one content")?;
    content.expect(OCTET_STRING, "content in one piece")?;
    Ok(content.end("one content")?)
}

fn scan_digest(reader: &mut Reader<'_>) -> Result<(), ScanError> {
    let digest = algorithm(reader, "a digest algorithm")?;
    if ![oid::SHA256, oid::SHA384, oid::SHA512].contains(&digest.oid) {
        return Err(ScanError::Forbidden("SHA-256, SHA-384 or SHA-512"));
    }
    digest.without_parameters()
}

fn scan_signer(mut info: Reader<'_>) -> Result<SignerId, ScanError> {
    let version = info.small_integer("version 1 or 3")?;
    let signer = if info.peek() == Some(context_primitive(0)) {
        SignerId::KeyId(key_id(info.element()?.content)?)
    } else {
        let IssuerSerial { issuer, serial } = issuer_serial(&mut info)?;
        SignerId::IssuerSerial { issuer, serial }
    };
    let version_expected = if matches!(signer, SignerId::KeyId(_)) { 3 } else { 1 };
    if version != version_expected {
        return Err(ScanError::Malformed("the version that fits the signer's identifier"));
    }
    scan_digest(&mut info)?;
    // Without signed attributes, a signature over content can be passed off as one over attributes, and the reverse.
    if info.peek() != Some(context(0)) {
        return Err(ScanError::Forbidden("signed attributes"));
    }
    scan_attributes(info.enter(context(0), "signed attributes")?)?;
    let signature = algorithm(&mut info, "a signature algorithm")?;
    if signature.oid != oid::RSA_ENCRYPTION && !oid::SIGNATURES.contains(&signature.oid) {
        return Err(ScanError::Forbidden("ECDSA or RSA PKCS #1 v1.5 with SHA-2"));
    }
    signature.without_parameters()?;
    info.expect(OCTET_STRING, "a signature")?;
    // Anybody can change what is not signed, so nothing stands there.
    if info.is_empty() { Ok(signer) } else { Err(ScanError::Forbidden("no unsigned attributes")) }
}

fn scan_attributes(mut attributes: Reader<'_>) -> Result<(), ScanError> {
    let mut seen: Vec<&[u8]> = Vec::new();
    while !attributes.is_empty() {
        let mut attribute = attributes.enter(SEQUENCE, "an attribute")?;
        let kind = attribute.expect(OBJECT_IDENTIFIER, "an attribute's type")?.content;
        let mut values = attribute.enter(SET, "an attribute's values")?;
        attribute.end("nothing after an attribute's values")?;
        if seen.contains(&kind) || seen.len() == ATTRIBUTES_MAX {
            return Err(ScanError::Forbidden("each of a few attributes once"));
        }
        seen.push(kind);
        match kind {
            oid::CONTENT_TYPE => {
                if values.expect(OBJECT_IDENTIFIER, "a content type")?.content != oid::DATA {
                    return Err(ScanError::Forbidden("a signed content type of data"));
                }
                values.end("one content type")?;
            }
            oid::MESSAGE_DIGEST => {
                values.expect(OCTET_STRING, "a message digest")?;
                values.end("one message digest")?;
            }
            _ => {}
        }
    }
    if seen.contains(&oid::CONTENT_TYPE) && seen.contains(&oid::MESSAGE_DIGEST) {
        Ok(())
    } else {
        Err(ScanError::Forbidden("a signed content type and message digest"))
    }
}
