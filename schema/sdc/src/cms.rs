//! Seals and opens letters (CMS, RFC 5652, with OpenSSL). Sealing signs and then encrypts. Opening decrypts, and then verifies with one
//! pinned certificate.
//!
//! The types say what has been proven. An [`Opened`] container has only been decrypted, so its signer is not proven. A [`Verified`]
//! container was signed with the key of the certificate that the caller gave, so its octets may be read.

mod agreement;
mod elements;
mod enveloped_data;
mod libcrypto;
mod signed_data;

use std::fmt;

use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::error::ErrorStack;

use crate::answer::{Answer, CentreLetter};
use crate::digest::Digest;
use crate::document::Document;
use crate::expected::Expected;
pub use crate::identifiers::{ContentCipher, SignerId};
use crate::keys::{CentreKeys, RegisteredCertificate, SigningKey};
use crate::letter::Letter;
use crate::payload::{self, PayloadForm, PayloadLimits, Unreadable};
use crate::prescan::{Enveloped, ScanError, SignatureKey, Signed, scan_enveloped, scan_signed, signed_content};
use crate::refusal::{Refusal, RefusalCode};

/// A decrypted container whose inner structure is admitted. Neither its signer nor its content is proven.
pub struct Opened {
    signed: Vec<u8>,
    signer: SignerId,
    signature_key: SignatureKey,
    cipher: ContentCipher,
}

/// Octets that were signed with the key of the certificate that the caller gave.
pub struct Verified {
    octets: Vec<u8>,
}

/// Opens a document with the centre's keys, or with an office's keys.
///
/// # Errors
/// `envelope_malformed`, `envelope_forbidden`, `not_for_this_centre`, `undecryptable`, `signature_malformed`, `signature_forbidden`.
pub fn open(document: &Document, keys: &CentreKeys) -> Result<Opened, Refusal> {
    let enveloped = scan_enveloped(document.der())
        .map_err(|error| refusal(error, RefusalCode::EnvelopeMalformed, RefusalCode::EnvelopeForbidden))?;
    let key = keys.find(&enveloped.recipient).ok_or_else(|| Refusal::new(RefusalCode::NotForThisCentre))?;
    // An encrypted key of another kind than the recipient's key would reach paths in OpenSSL that no other software uses.
    if enveloped.key_kind != key.certificate.key_kind() {
        let refusal = Refusal::new(RefusalCode::EnvelopeMalformed);
        return Err(refusal.with("expected", Expected::FittingEncryptedKey));
    }
    // Whatever is wrong, the refusal has the same code. If it told a wrong padding, a wrong key and a wrong tag apart, a sender could
    // change somebody else's letter a little, send it many times, and learn its content from the refusals (CVE-2019-1563).
    let signed =
        decrypt(document.der(), &enveloped, key).map_err(|_one_reason| Refusal::new(RefusalCode::Undecryptable))?;
    let scanned = scan_signed(&signed)
        .map_err(|error| refusal(error, RefusalCode::SignatureMalformed, RefusalCode::SignatureForbidden))?;
    let Signed { signer, signature_key, der } = scanned;
    Ok(Opened { signed: der, signer, signature_key, cipher: enveloped.content.cipher() })
}

fn decrypt(der: &[u8], enveloped: &Enveloped<'_>, key: &SigningKey) -> Result<Vec<u8>, ErrorStack> {
    match &enveloped.agreement {
        Some(agreement) => enveloped_data::open(&enveloped.content, agreement, key),
        // Where the padding of the RSA-encrypted key is wrong, OpenSSL goes on with a random key, and the decryption fails later, as after
        // any other fault. It does so only where it is given the recipient's certificate. Otherwise the error would come at once, and a
        // sender who tried many letters could learn from it how to decrypt a letter of somebody else (Bleichenbacher's attack).
        None => CmsContentInfo::from_der(der)?.decrypt(&key.key, &key.x509),
    }
}

fn refusal(error: ScanError, malformed: RefusalCode, forbidden: RefusalCode) -> Refusal {
    let code = match error {
        ScanError::Malformed(_) => malformed,
        ScanError::Forbidden(_) => forbidden,
    };
    Refusal::new(code).with("expected", error)
}

impl Opened {
    /// Returns the identifier of the certificate that the container gives as its signer's.
    pub fn signer(&self) -> &SignerId {
        &self.signer
    }

    /// Returns the content before any signature is checked; `None` where the structure cannot be scanned. Only an enrolment is read from
    /// it, because an enrolment contains the certificate with which its signature is checked.
    pub(crate) fn content(&self) -> Option<&[u8]> {
        signed_content(&self.signed).ok()
    }

    /// Returns the cipher with which the content was encrypted.
    pub fn cipher(&self) -> ContentCipher {
        self.cipher
    }

    /// Verifies the signature with one certificate, and ignores certificates in the container.
    ///
    /// The caller checks validity and revocation. The certificate is trusted because it is registered.
    ///
    /// # Errors
    /// `signature_invalid`; `signature_forbidden` where the signature's algorithm does not fit the kind of the certificate's key.
    pub fn verify(self, certificate: &RegisteredCertificate) -> Result<Verified, Refusal> {
        // OpenSSL looks only at the key, so it would verify an ECDSA signature that is labelled as RSA. Other software refuses such a
        // signature.
        if !self.signature_key.is_of(certificate.key_kind()) {
            let refusal = Refusal::new(RefusalCode::SignatureForbidden);
            return Err(refusal.with("expected", Expected::SignatureOfKey));
        }
        let invalid = |_one_reason: ErrorStack| Refusal::new(RefusalCode::SignatureInvalid);
        let mut content = CmsContentInfo::from_der(&self.signed).map_err(invalid)?;
        // A signature that refers to another certificate is not verified with this certificate.
        if !certificate.signer_ids().contains(&self.signer)
            || !libcrypto::set_signer(&mut content, certificate.pinned())
        {
            return Err(Refusal::new(RefusalCode::SignatureInvalid));
        }
        let mut octets = Vec::new();
        // Without NOINTERN, OpenSSL would verify with a certificate that an attacker put into the container, instead of the pinned one.
        let flags = CMSOptions::BINARY | CMSOptions::NOINTERN | CMSOptions::NO_SIGNER_CERT_VERIFY;
        content.verify(None, None, None, Some(&mut octets), flags).map_err(invalid)?;
        Ok(Verified { octets })
    }
}

impl Verified {
    /// Returns the signed octets.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Returns the letter's digest: the SHA-256 of the signed octets, 32 bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.octets)
    }

    /// Returns how the payload is packed; only its first octets are read.
    pub fn form(&self) -> PayloadForm {
        payload::form(&self.octets)
    }

    /// Returns the maximum number of octets of JSON that the payload can unpack to. The parsed JSON takes about ten times as much memory.
    pub fn unpacked_bytes(&self, limits: &PayloadLimits) -> usize {
        payload::unpacked_bytes(&self.octets, limits)
    }

    /// Reads the letter of an office.
    ///
    /// # Errors
    /// See [`payload::read_letter`].
    pub fn letter(&self, limits: &PayloadLimits) -> Result<Letter, Unreadable> {
        payload::read_letter(&self.octets, limits)
    }

    /// Reads an answer from the centre.
    ///
    /// # Errors
    /// See [`payload::read_answer`].
    pub fn answer(&self, limits: &PayloadLimits) -> Result<Answer, Refusal> {
        payload::read_answer(&self.octets, limits)
    }

    /// Reads a letter from the centre: an answer, a part of one, or a notice.
    ///
    /// # Errors
    /// See [`payload::read_centre_letter`].
    pub fn centre_letter(&self, limits: &PayloadLimits) -> Result<CentreLetter, Refusal> {
        payload::read_centre_letter(&self.octets, limits)
    }
}

// Decrypted or signed octets are personal data, so `Debug` shows only their number.
impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({:?}, {} bytes)", self.signer, self.signed.len())
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({}, {} bytes)", self.digest(), self.octets.len())
    }
}

/// Error: OpenSSL could not seal the letter.
#[derive(Debug, thiserror::Error)]
#[error("the letter cannot be sealed: {0}")]
pub struct SealError(#[from] ErrorStack);

/// Signs octets and encrypts them for one recipient. Returns the DER of the envelope.
///
/// # Errors
/// OpenSSL fails.
pub fn seal(
    octets: &[u8],
    key: &SigningKey,
    recipient: &RegisteredCertificate,
    cipher: ContentCipher,
) -> Result<Vec<u8>, SealError> {
    let signed = signed_data::write(octets, key, cipher)?;
    encrypt(&signed, recipient, cipher)
}

/// Signs octets that will be encrypted with AES-256-GCM. Returns the DER of `SignedData`. It is separate from the encryption, because a
/// letter that is sent again keeps its signature and may get a new envelope.
///
/// # Errors
/// OpenSSL fails.
pub fn sign(octets: &[u8], key: &SigningKey) -> Result<Vec<u8>, SealError> {
    Ok(signed_data::write(octets, key, ContentCipher::Aes256Gcm)?)
}

/// Encrypts a signed structure for one recipient. Returns the DER of the envelope.
///
/// # Errors
/// OpenSSL fails.
pub fn encrypt(signed: &[u8], recipient: &RegisteredCertificate, cipher: ContentCipher) -> Result<Vec<u8>, SealError> {
    Ok(enveloped_data::write(signed, recipient, cipher)?)
}
