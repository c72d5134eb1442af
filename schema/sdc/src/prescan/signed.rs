//! The inner structure: `SignedData` with attached content, signed attributes and exactly one signer (RFC 5652, 5).
//!
//! The scan writes the structure anew from the parts that it has checked, so that a certificate in the letter does not reach the verifier.

use super::identifiers::{algorithm, issuer_serial, key_id};
use super::{IssuerSerial, KeyKind, ScanError, oid};
use crate::der::{self, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE, SET, context, context_primitive};
use crate::expected::Expected;
use crate::identifiers::SignerId;

/// Maximum number of signed attributes of a signer. The scan compares each attribute with all attributes before it, which would take long
/// for thousands of them.
const ATTRIBUTES_MAX: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// The kind of key to which a signature algorithm belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureKey {
    /// A key of a curve, for ECDSA.
    Elliptic,
    /// An RSA key, for PKCS #1 v1.5.
    Rsa,
}

impl SignatureKey {
    /// Says whether a key of this kind can have made the signature.
    pub fn is_of(self, kind: KeyKind) -> bool {
        match kind {
            KeyKind::P256 | KeyKind::P384 => self == SignatureKey::Elliptic,
            KeyKind::Rsa { .. } => self == SignatureKey::Rsa,
        }
    }
}

/// A signed structure that OpenSSL may verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The certificate that the signature refers to. It is a claim until the signature is verified.
    pub signer: SignerId,
    /// The kind of key that belongs to the signature algorithm. It is a claim until the signature is verified.
    pub signature_key: SignatureKey,
    /// DER of the structure, without embedded certificates.
    pub der: Vec<u8>,
}

/// Scans an inner structure.
///
/// # Errors
/// The first thing that is not admitted, as malformed or as forbidden.
pub fn scan_signed(bytes: &[u8]) -> Result<Signed, ScanError> {
    der::check(bytes)?;
    let mut outer = Reader::new(bytes).enter(SEQUENCE, Expected::ContentInfo)?;
    let content_type = outer.expect(OBJECT_IDENTIFIER, Expected::ContentType)?.content;
    if content_type != oid::SIGNED_DATA {
        return Err(ScanError::Forbidden(Expected::SignedData));
    }
    let mut content = outer.enter(context(0), Expected::Content)?;
    outer.end(Expected::NothingAfterContent)?;
    let mut body = content.enter(SEQUENCE, Expected::Signed)?;
    content.end(Expected::OneContent)?;
    let version = body.expect(INTEGER, Expected::Version1Or3)?;
    if !matches!(version.content, [1 | 3]) {
        return Err(ScanError::Malformed(Expected::Version1Or3));
    }
    let digests = body.expect(SET, Expected::DigestAlgorithms)?;
    let mut one_digest = Reader::new(digests.content);
    let digest = scan_digest(&mut one_digest)?;
    one_digest.end(Expected::OneDigestAlgorithm)?;
    let info = body.expect(SEQUENCE, Expected::SignedContent)?;
    scan_content(Reader::new(info.content))?;
    // Certificates of signers are registered at the centre. If a certificate from the letter were used, anyone could sign as anyone.
    body.optional(context(0))?;
    // If a revocation list from the letter were used, a sender could decide whose certificate is revoked.
    if body.peek() == Some(context(1)) {
        return Err(ScanError::Forbidden(Expected::NoRevocationLists));
    }
    let signers = body.expect(SET, Expected::Signers)?;
    body.end(Expected::NothingAfterSigners)?;
    let mut one_signer = Reader::new(signers.content);
    // A structure without a signer proves nothing; with several signers, readers could disagree on whose letter it is.
    if one_signer.is_empty() {
        return Err(ScanError::Forbidden(Expected::OneSigner));
    }
    let (signer, signature_key) = scan_signer(one_signer.enter(SEQUENCE, Expected::Signer)?, digest)?;
    if !one_signer.is_empty() {
        return Err(ScanError::Forbidden(Expected::OneSigner));
    }
    let body = der::write(SEQUENCE, &[version.whole, digests.whole, info.whole, signers.whole]);
    let content_type = der::write(OBJECT_IDENTIFIER, &[oid::SIGNED_DATA]);
    let der = der::write(SEQUENCE, &[&content_type, &der::write(context(0), &[&body])]);
    Ok(Signed { signer, signature_key, der })
}

/// Returns the content of a structure that [`scan_signed`] has written.
///
/// # Errors
/// The bytes are not a structure that [`scan_signed`] has written.
pub fn signed_content(bytes: &[u8]) -> Result<&[u8], ScanError> {
    let mut outer = Reader::new(bytes).enter(SEQUENCE, Expected::ContentInfo)?;
    outer.expect(OBJECT_IDENTIFIER, Expected::ContentType)?;
    let mut body = outer.enter(context(0), Expected::Content)?.enter(SEQUENCE, Expected::Signed)?;
    body.expect(INTEGER, Expected::Version1Or3)?;
    body.expect(SET, Expected::DigestAlgorithms)?;
    let info = body.expect(SEQUENCE, Expected::SignedContent)?;
    scan_content(Reader::new(info.content))
}

fn scan_content(mut info: Reader<'_>) -> Result<&[u8], ScanError> {
    if info.expect(OBJECT_IDENTIFIER, Expected::ContentType)?.content != oid::DATA {
        return Err(ScanError::Forbidden(Expected::DataSigned));
    }
    // A detached signature leaves the content to the reader, so it proves nothing about the letter's own content.
    if info.is_empty() {
        return Err(ScanError::Forbidden(Expected::AttachedContent));
    }
    let mut content = info.enter(context(0), Expected::AttachedContent)?;
    info.end(Expected::OneContent)?;
    let octets = content.expect(OCTET_STRING, Expected::ContentInOnePiece)?.content;
    content.end(Expected::OneContent)?;
    Ok(octets)
}

fn scan_digest(reader: &mut Reader<'_>) -> Result<Hash, ScanError> {
    let digest = algorithm(reader, Expected::DigestAlgorithm)?;
    let hash = match digest.oid {
        oid::SHA256 => Hash::Sha256,
        oid::SHA384 => Hash::Sha384,
        oid::SHA512 => Hash::Sha512,
        // For SHA-1 and MD5, an attacker can make two letters with the same digest, have an office sign one, and send the other with that
        // signature.
        _ => return Err(ScanError::Forbidden(Expected::Sha2)),
    };
    digest.without_parameters()?;
    Ok(hash)
}

/// Checks a signature algorithm and returns the kind of its key. If the algorithm includes a hash, the hash must be the digest's hash;
/// otherwise two programs could verify with different hashes.
fn scan_signature(reader: &mut Reader<'_>, digest: Hash) -> Result<SignatureKey, ScanError> {
    let signature = algorithm(reader, Expected::SignatureAlgorithm)?;
    let (key, hash) = match signature.oid {
        oid::RSA_ENCRYPTION => (SignatureKey::Rsa, digest),
        oid::RSA_SHA256 => (SignatureKey::Rsa, Hash::Sha256),
        oid::RSA_SHA384 => (SignatureKey::Rsa, Hash::Sha384),
        oid::RSA_SHA512 => (SignatureKey::Rsa, Hash::Sha512),
        oid::ECDSA_SHA256 => (SignatureKey::Elliptic, Hash::Sha256),
        oid::ECDSA_SHA384 => (SignatureKey::Elliptic, Hash::Sha384),
        oid::ECDSA_SHA512 => (SignatureKey::Elliptic, Hash::Sha512),
        _ => return Err(ScanError::Forbidden(Expected::SignatureKind)),
    };
    if hash != digest {
        return Err(ScanError::Forbidden(Expected::OneHash));
    }
    signature.without_parameters()?;
    Ok(key)
}

fn scan_signer(mut info: Reader<'_>, digest: Hash) -> Result<(SignerId, SignatureKey), ScanError> {
    let version = info.small_integer(Expected::Version1Or3)?;
    let signer = if info.peek() == Some(context_primitive(0)) {
        SignerId::KeyId(key_id(info.element()?.content)?)
    } else {
        let IssuerSerial { issuer, serial } = issuer_serial(&mut info)?;
        SignerId::IssuerSerial { issuer, serial }
    };
    let version_expected = if matches!(signer, SignerId::KeyId(_)) { 3 } else { 1 };
    if version != version_expected {
        return Err(ScanError::Malformed(Expected::SignerVersion));
    }
    if scan_digest(&mut info)? != digest {
        return Err(ScanError::Malformed(Expected::SignerDigest));
    }
    // A signature covers either the content itself or attributes that contain the content's digest. If both were admitted, a signature over
    // attributes could be passed off as one over content that consists of the same octets, and the reverse. So attributes are demanded.
    if info.peek() != Some(context(0)) {
        return Err(ScanError::Forbidden(Expected::SignedAttributes));
    }
    scan_attributes(info.enter(context(0), Expected::SignedAttributes)?)?;
    let key = scan_signature(&mut info, digest)?;
    info.expect(OCTET_STRING, Expected::Signature)?;
    // Unsigned attributes could be changed on the way, so none is admitted.
    if info.is_empty() { Ok((signer, key)) } else { Err(ScanError::Forbidden(Expected::NoUnsignedAttributes)) }
}

fn scan_attributes(mut attributes: Reader<'_>) -> Result<(), ScanError> {
    let mut seen: Vec<&[u8]> = Vec::new();
    while !attributes.is_empty() {
        let mut attribute = attributes.enter(SEQUENCE, Expected::Attribute)?;
        let kind = attribute.expect(OBJECT_IDENTIFIER, Expected::AttributeType)?.content;
        let mut values = attribute.enter(SET, Expected::AttributeValues)?;
        attribute.end(Expected::NothingAfterAttributeValues)?;
        // Each attribute may occur only once: with two message digests, one program could compare the first and another program the last.
        if seen.contains(&kind) || seen.len() == ATTRIBUTES_MAX {
            return Err(ScanError::Forbidden(Expected::AttributesOnce));
        }
        seen.push(kind);
        match kind {
            oid::CONTENT_TYPE => {
                if values.expect(OBJECT_IDENTIFIER, Expected::ContentType)?.content != oid::DATA {
                    return Err(ScanError::Forbidden(Expected::SignedDataType));
                }
                values.end(Expected::OneContentType)?;
            }
            oid::MESSAGE_DIGEST => {
                values.expect(OCTET_STRING, Expected::MessageDigest)?;
                values.end(Expected::OneMessageDigest)?;
            }
            _ => {}
        }
    }
    if seen.contains(&oid::CONTENT_TYPE) && seen.contains(&oid::MESSAGE_DIGEST) {
        Ok(())
    } else {
        Err(ScanError::Forbidden(Expected::SignedTypeAndDigest))
    }
}
