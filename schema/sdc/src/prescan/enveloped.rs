//! The outer structure: `AuthEnvelopedData` with AES-256-GCM (RFC 5083, 5084), or `EnvelopedData` with AES-256-CBC.

use super::identifiers::{Algorithm, algorithm, issuer_serial, key_id};
use super::{IssuerSerial, ScanError, oid};
use crate::der::{
    self, BIT_STRING, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE, SET, context, context_primitive,
};
use crate::expected::Expected;
use crate::identifiers::ContentCipher;

pub const GCM_NONCE_BYTES: usize = 12;
pub const GCM_TAG_BYTES: usize = 16;
pub const CBC_IV_BYTES: usize = 16;
/// Length in octets of a wrapped 256-bit key (RFC 3394): the 32 octets of the key and one block of 8 octets.
const WRAPPED_KEY_BYTES: usize = 40;
/// Length in octets of an uncompressed point on P-256 (SEC 1, 2.3.3): one octet that says the form, and two coordinates of 32 octets.
const P256_POINT_BYTES: usize = 65;
/// Length in octets of an uncompressed point on P-384: one octet that says the form, and two coordinates of 48 octets.
const P384_POINT_BYTES: usize = 97;
const UNCOMPRESSED: u8 = 4;
const STD_DH_KDF: [(&[u8], KdfHash); 5] = [
    (oid::STD_DH_SHA1_KDF, KdfHash::Sha1),
    (oid::STD_DH_SHA224_KDF, KdfHash::Sha224),
    (oid::STD_DH_SHA256_KDF, KdfHash::Sha256),
    (oid::STD_DH_SHA384_KDF, KdfHash::Sha384),
    (oid::STD_DH_SHA512_KDF, KdfHash::Sha512),
];
/// Lengths in octets of the content's key after encryption with RSA. They are the lengths of a modulus of 2048 to 4096 bits.
const RSA_KEY_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// How an envelope identifies its recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientId {
    /// By subject key identifier.
    KeyId(Vec<u8>),
    /// By issuer and serial number.
    IssuerSerial(IssuerSerial),
}

/// Kind of a recipient's key. An EC key agrees on a key that unwraps the content's key; an RSA key decrypts the content's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// EC on P-256.
    P256,
    /// EC on P-384.
    P384,
    /// RSA.
    Rsa {
        /// Length of the modulus in octets.
        modulus_bytes: usize,
    },
}

/// An envelope that the pre-scan admits, and the kind of key that opens the envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enveloped<'a> {
    /// The recipient; an admitted envelope has exactly one.
    pub recipient: RecipientId,
    /// The kind of key that the recipient must have.
    pub key_kind: KeyKind,
    /// The key agreement that protects the content's key; absent where the content's key is encrypted with RSA.
    pub agreement: Option<Agreement<'a>>,
    /// The encrypted content.
    pub content: EncryptedContent<'a>,
}

/// Values of a key agreement (RFC 5753, 3.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement<'a> {
    /// The sender's ephemeral point, uncompressed. The scan does not check that the point is on its curve.
    pub point: &'a [u8],
    /// The hash of the X9.63 KDF.
    pub kdf: KdfHash,
    /// DER of the identifier of the key wrap algorithm. The KDF hashes these octets into the key, so they are kept as the sender wrote
    /// them.
    pub wrap_algorithm: &'a [u8],
    /// The content's key, wrapped with AES-256.
    pub wrapped_key: &'a [u8],
}

/// The hash with which the X9.63 KDF makes a key from the agreed secret (RFC 5753, 7.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KdfHash {
    /// SHA-1, the default of OpenSSL. Two inputs with the same SHA-1 can be found, but that does not help anybody to guess the secret or
    /// the key that is made from it.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Encrypted content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EncryptedContent<'a> {
    /// AES-256-GCM, which authenticates the content.
    Aes256Gcm {
        /// The nonce. A sender never uses a nonce twice with one key.
        nonce: &'a [u8; GCM_NONCE_BYTES],
        /// The encrypted octets, without the tag.
        octets: &'a [u8],
        /// The authentication tag at its full length of 16 octets. A shorter tag is easier to forge (RFC 5084, 4).
        tag: &'a [u8; GCM_TAG_BYTES],
    },
    /// AES-256-CBC, which older software writes. It does not authenticate the content.
    Aes256Cbc {
        /// The initialisation vector.
        vector: &'a [u8; CBC_IV_BYTES],
        /// The encrypted octets.
        octets: &'a [u8],
    },
}

impl EncryptedContent<'_> {
    /// Returns the cipher of the content.
    pub fn cipher(&self) -> ContentCipher {
        match self {
            EncryptedContent::Aes256Gcm { .. } => ContentCipher::Aes256Gcm,
            EncryptedContent::Aes256Cbc { .. } => ContentCipher::Aes256Cbc,
        }
    }
}

/// Scans an outer structure.
///
/// # Errors
/// The first thing in the structure that is not admitted, as malformed or as forbidden.
pub fn scan_enveloped(bytes: &[u8]) -> Result<Enveloped<'_>, ScanError> {
    der::check(bytes)?;
    let mut outer = Reader::new(bytes).enter(SEQUENCE, Expected::ContentInfo)?;
    let content_type = outer.expect(OBJECT_IDENTIFIER, Expected::ContentType)?.content;
    let mut content = outer.enter(context(0), Expected::Content)?;
    outer.end(Expected::NothingAfterContent)?;
    let mut body = content.enter(SEQUENCE, Expected::Envelope)?;
    content.end(Expected::OneContent)?;
    match content_type {
        oid::AUTH_ENVELOPED_DATA => scan_authenticated(&mut body),
        oid::ENVELOPED_DATA => scan_unauthenticated(&mut body),
        _ => Err(ScanError::Forbidden(Expected::EnvelopeType)),
    }
}

fn scan_authenticated<'a>(body: &mut Reader<'a>) -> Result<Enveloped<'a>, ScanError> {
    if body.small_integer(Expected::Version0)? != 0 {
        return Err(ScanError::Malformed(Expected::Version0));
    }
    let Recipient { id: recipient, key_kind, agreement } = scan_recipients(body)?;
    let (algorithm, octets) = scan_encrypted_content(body)?;
    if algorithm.oid != oid::AES256_GCM {
        return Err(ScanError::Forbidden(Expected::Aes256Gcm));
    }
    let nonce = scan_gcm_parameters(algorithm)?;
    if body.peek() == Some(context(1)) {
        return Err(ScanError::Forbidden(Expected::NoAttributes));
    }
    let tag = body.expect(OCTET_STRING, Expected::Tag)?.content;
    no_attributes(body)?;
    let tag = exactly(tag, Expected::TagBytes)?;
    let content = EncryptedContent::Aes256Gcm { nonce, octets, tag };
    Ok(Enveloped { recipient, key_kind, agreement, content })
}

fn scan_unauthenticated<'a>(body: &mut Reader<'a>) -> Result<Enveloped<'a>, ScanError> {
    // An envelope of version 3 has a recipient with a password or of an unknown kind (RFC 5652, 6.1).
    if !matches!(body.small_integer(Expected::Version0Or2)?, 0 | 2) {
        return Err(ScanError::Forbidden(Expected::VersionOfKnownRecipient));
    }
    let Recipient { id: recipient, key_kind, agreement } = scan_recipients(body)?;
    let (algorithm, octets) = scan_encrypted_content(body)?;
    if algorithm.oid != oid::AES256_CBC {
        return Err(ScanError::Forbidden(Expected::Aes256Cbc));
    }
    let vector = exactly(algorithm.octets(Expected::Vector)?, Expected::VectorBytes)?;
    no_attributes(body)?;
    let content = EncryptedContent::Aes256Cbc { vector, octets };
    Ok(Enveloped { recipient, key_kind, agreement, content })
}

fn exactly<const LENGTH: usize>(octets: &[u8], what: Expected) -> Result<&[u8; LENGTH], ScanError> {
    octets.try_into().map_err(|_other_length| ScanError::Forbidden(what))
}

/// Demands that there are no unprotected attributes: anybody who transports the letter could change them.
fn no_attributes(body: &Reader<'_>) -> Result<(), ScanError> {
    if body.is_empty() { Ok(()) } else { Err(ScanError::Forbidden(Expected::NoAttributes)) }
}

/// Returns the nonce. The parameter `ICVlen`, the length of the tag, must be 16. It must be present, since its default is 12.
fn scan_gcm_parameters(mut algorithm: Algorithm<'_>) -> Result<&[u8; GCM_NONCE_BYTES], ScanError> {
    let mut parameters = algorithm.parameters.enter(SEQUENCE, Expected::GcmParameters)?;
    algorithm.parameters.end(Expected::OnlyGcmParameters)?;
    let nonce = parameters.expect(OCTET_STRING, Expected::GcmNonce)?;
    let tag_bytes = parameters.optional(INTEGER)?.map(|element| element.content);
    parameters.end(Expected::OnlyNonceAndIcvLength)?;
    let nonce = exactly(nonce.content, Expected::GcmNonceBytes)?;
    if tag_bytes != Some(&[16]) {
        return Err(ScanError::Forbidden(Expected::IcvLength));
    }
    Ok(nonce)
}

fn scan_encrypted_content<'a>(body: &mut Reader<'a>) -> Result<(Algorithm<'a>, &'a [u8]), ScanError> {
    let mut info = body.enter(SEQUENCE, Expected::EncryptedContent)?;
    let content_type = info.expect(OBJECT_IDENTIFIER, Expected::ContentType)?.content;
    // The encrypted content must be plain data. If it were `CompressedData`, OpenSSL would decompress it without the limits of this
    // program.
    if content_type != oid::DATA {
        return Err(ScanError::Forbidden(Expected::DataEncrypted));
    }
    let algorithm = algorithm(&mut info, Expected::ContentAlgorithm)?;
    let octets = info.expect(context_primitive(0), Expected::EncryptedInOnePiece)?.content;
    info.end(Expected::NothingAfterEncryptedContent)?;
    Ok((algorithm, octets))
}

struct Recipient<'a> {
    id: RecipientId,
    key_kind: KeyKind,
    agreement: Option<Agreement<'a>>,
}

fn scan_recipients<'a>(body: &mut Reader<'a>) -> Result<Recipient<'a>, ScanError> {
    // Originator information contains further certificates and revocation lists, which this format does not use.
    if body.peek() == Some(context(0)) {
        return Err(ScanError::Forbidden(Expected::NoOriginatorInformation));
    }
    let mut recipients = body.enter(SET, Expected::Recipients)?;
    let recipient = match recipients.peek() {
        Some(SEQUENCE) => scan_key_transport(recipients.enter(SEQUENCE, Expected::Recipient)?)?,
        Some(tag) if tag == context(1) => scan_key_agreement(recipients.enter(context(1), Expected::Recipient)?)?,
        // A recipient with a key encryption key ([2]), a password ([3]) or of another kind ([4]) has no key of the centre. OpenSSL's code
        // for these kinds has had vulnerabilities.
        Some(_) => return Err(ScanError::Forbidden(Expected::RecipientKind)),
        None => return Err(ScanError::Malformed(Expected::OneRecipient)),
    };
    // Of two recipients, one is not the centre: somebody else could read the letter. Each one would also cost the centre a key operation.
    if recipients.is_empty() { Ok(recipient) } else { Err(ScanError::Forbidden(Expected::OneRecipient)) }
}

fn scan_key_transport(mut info: Reader<'_>) -> Result<Recipient<'_>, ScanError> {
    let version = info.small_integer(Expected::Version0Or2)?;
    let recipient = if info.peek() == Some(context_primitive(0)) {
        RecipientId::KeyId(key_id(info.element()?.content)?)
    } else {
        RecipientId::IssuerSerial(issuer_serial(&mut info)?)
    };
    let version_expected = if matches!(recipient, RecipientId::KeyId(_)) { 2 } else { 0 };
    if version != version_expected {
        return Err(ScanError::Malformed(Expected::RecipientVersion));
    }
    let algorithm = algorithm(&mut info, Expected::KeyAlgorithm)?;
    match algorithm.oid {
        oid::RSA_ENCRYPTION => algorithm.without_parameters()?,
        oid::RSAES_OAEP => scan_oaep(algorithm)?,
        _ => return Err(ScanError::Forbidden(Expected::KeyTransport)),
    }
    let key = info.expect(OCTET_STRING, Expected::EncryptedKey)?;
    info.end(Expected::NothingAfterEncryptedKey)?;
    if !RSA_KEY_BYTES.contains(&key.content.len()) {
        return Err(ScanError::Forbidden(Expected::RsaBits));
    }
    Ok(Recipient { id: recipient, key_kind: KeyKind::Rsa { modulus_bytes: key.content.len() }, agreement: None })
}

/// Demands OAEP with explicit parameters: SHA-256 as hash and as mask hash, and no label. If the parameters are absent, the hash is SHA-1;
/// absent parameters have also crashed OpenSSL.
fn scan_oaep(mut outer: Algorithm<'_>) -> Result<(), ScanError> {
    let forbidden = ScanError::Forbidden(Expected::OaepSha256);
    let Some(parameters) = outer.parameters.optional(SEQUENCE)? else { return Err(forbidden) };
    outer.parameters.end(Expected::OnlyOaepParameters)?;
    let mut parameters = Reader::new(parameters.content);
    let (Some(hash), Some(mask)) = (parameters.optional(context(0))?, parameters.optional(context(1))?) else {
        return Err(forbidden);
    };
    if !parameters.is_empty() {
        return Err(forbidden);
    }
    let (mut hash, mut mask) = (Reader::new(hash.content), Reader::new(mask.content));
    let hash_algorithm = algorithm(&mut hash, Expected::Hash)?;
    let mut mask_algorithm = algorithm(&mut mask, Expected::Mask)?;
    let mask_hash = algorithm(&mut mask_algorithm.parameters, Expected::MaskHash)?;
    let is_sha256 = hash_algorithm.oid == oid::SHA256 && mask_hash.oid == oid::SHA256;
    let nothing_left = hash.is_empty() && mask.is_empty() && mask_algorithm.parameters.is_empty();
    if !is_sha256 || mask_algorithm.oid != oid::MGF1 || !nothing_left {
        return Err(forbidden);
    }
    hash_algorithm.without_parameters()?;
    mask_hash.without_parameters()
}

fn scan_key_agreement(mut info: Reader<'_>) -> Result<Recipient<'_>, ScanError> {
    if info.small_integer(Expected::Version3)? != 3 {
        return Err(ScanError::Malformed(Expected::Version3));
    }
    let mut originator = info.enter(context(0), Expected::Originator)?;
    // The originator must be an ephemeral key. An originator may also refer to a certificate, whose key then takes part in the agreement
    // (static DH). A stranger would so decide which certificate the centre looks up.
    if originator.peek() != Some(context(1)) {
        return Err(ScanError::Forbidden(Expected::EphemeralKey));
    }
    let (key_kind, point) = scan_originator_key(originator.enter(context(1), Expected::OriginatorKey)?)?;
    originator.end(Expected::OneOriginator)?;
    // User keying material is not needed, and a sender could make it as long as it likes.
    if info.peek() == Some(context(1)) {
        return Err(ScanError::Forbidden(Expected::NoKeyingMaterial));
    }
    let mut agreement = algorithm(&mut info, Expected::AgreementAlgorithm)?;
    let Some((_, kdf)) = STD_DH_KDF.into_iter().find(|(oid, _)| *oid == agreement.oid) else {
        return Err(ScanError::Forbidden(Expected::StandardAgreement));
    };
    let wrap_algorithm = agreement.parameters.rest();
    let wrap = algorithm(&mut agreement.parameters, Expected::WrapAlgorithm)?;
    agreement.parameters.end(Expected::OneWrapAlgorithm)?;
    // Only key wrap without padding is admitted: OpenSSL's unwrapping with padding has written beyond its buffer (CVE-2026-63072).
    if wrap.oid != oid::AES256_WRAP {
        return Err(ScanError::Forbidden(Expected::Aes256Wrap));
    }
    wrap.without_parameters()?;
    let mut keys = info.enter(SEQUENCE, Expected::EncryptedKeys)?;
    info.end(Expected::NothingAfterEncryptedKeys)?;
    let mut key = keys.enter(SEQUENCE, Expected::EncryptedKey)?;
    if !keys.is_empty() {
        return Err(ScanError::Forbidden(Expected::OneRecipient));
    }
    let id = scan_agreement_recipient(&mut key)?;
    let wrapped = key.expect(OCTET_STRING, Expected::WrappedKey)?;
    key.end(Expected::NothingAfterWrappedKey)?;
    if wrapped.content.len() != WRAPPED_KEY_BYTES {
        return Err(ScanError::Forbidden(Expected::WrappedKeyBytes));
    }
    let agreement = Agreement { point, kdf, wrap_algorithm, wrapped_key: wrapped.content };
    Ok(Recipient { id, key_kind, agreement: Some(agreement) })
}

fn scan_originator_key(mut key: Reader<'_>) -> Result<(KeyKind, &[u8]), ScanError> {
    let mut algorithm = algorithm(&mut key, Expected::OriginatorAlgorithm)?;
    if algorithm.oid != oid::EC_PUBLIC_KEY {
        return Err(ScanError::Forbidden(Expected::EcKey));
    }
    // If the originator's key names no curve, its curve is that of the recipient's key (RFC 5753, 3.1.1).
    let curve = algorithm.parameters.optional(OBJECT_IDENTIFIER)?.map(|curve| curve.content);
    match curve {
        Some(_) => algorithm.parameters.end(Expected::OneCurve)?,
        None => algorithm.without_parameters()?,
    }
    let point = key.expect(BIT_STRING, Expected::OriginatorPoint)?;
    key.end(Expected::NothingAfterPoint)?;
    // Compressed points are not admitted: they are a second encoding of the same point, and this program would have to decompress them.
    let (point_kind, point) = match point.content {
        [0, point @ ..] if point.len() == P256_POINT_BYTES && point[0] == UNCOMPRESSED => (KeyKind::P256, point),
        [0, point @ ..] if point.len() == P384_POINT_BYTES && point[0] == UNCOMPRESSED => (KeyKind::P384, point),
        _ => return Err(ScanError::Forbidden(Expected::UncompressedPoint)),
    };
    // In an attack with an invalid curve, the sender's point is on another curve than its key names, and the agreed secret betrays the
    // centre's private key bit by bit. So the point must have the length of a point on the named curve; OpenSSL checks later that it is on
    // that curve.
    match (curve, point_kind) {
        (None, _) | (Some(oid::P256), KeyKind::P256) | (Some(oid::P384), KeyKind::P384) => Ok((point_kind, point)),
        _ => Err(ScanError::Forbidden(Expected::PointOfCurve)),
    }
}

fn scan_agreement_recipient(key: &mut Reader<'_>) -> Result<RecipientId, ScanError> {
    if key.peek() != Some(context(0)) {
        return Ok(RecipientId::IssuerSerial(issuer_serial(key)?));
    }
    let mut id = key.enter(context(0), Expected::RecipientKeyId)?;
    let content = id.expect(OCTET_STRING, Expected::KeyId)?.content;
    id.end(Expected::NoOtherAttribute)?;
    Ok(RecipientId::KeyId(key_id(content)?))
}
