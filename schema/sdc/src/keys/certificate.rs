//! A certificate, parsed once: the pinned one of an agency, or the centre's at an agency.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Public};
use openssl::sha::sha1;
use openssl::x509::{X509, X509Ref};

use super::error::{KeyError, unreadable};
use super::fields::{self, Fields};
use super::pinned;
use crate::digest::Digest;
use crate::identifiers::{ContentCipher, SignerId};
use crate::prescan::{IssuerSerial, KeyKind, RecipientId};

/// A certificate, parsed: the pinned one of an agency, or the centre's at an agency.
#[derive(Clone)]
pub struct RegisteredCertificate {
    der: Arc<[u8]>,
    /// What verifies: the key alone.
    pinned: X509,
    key_id: Vec<u8>,
    has_key_id_extension: bool,
    issuer_serial: IssuerSerial,
    spki_sha256: Digest,
    fingerprint: Digest,
    algorithm: &'static str,
    key_kind: KeyKind,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
}

impl RegisteredCertificate {
    /// Parses DER.
    ///
    /// # Errors
    /// Not a certificate, not in strict DER, or of a key that is not admitted.
    pub fn from_der(der: &[u8]) -> Result<RegisteredCertificate, KeyError> {
        // What OpenSSL cannot read, other software will not take either: its owner is told now.
        X509::from_der(der).map_err(unreadable("a certificate in DER"))?;
        RegisteredCertificate::registered(der)
    }

    /// Parses PEM.
    ///
    /// # Errors
    /// Not a certificate, not in strict DER, or of a key that is not admitted.
    pub fn from_pem(pem: &[u8]) -> Result<RegisteredCertificate, KeyError> {
        let read = unreadable("a certificate in PEM");
        let der = X509::from_pem(pem).and_then(|x509| x509.to_der()).map_err(read)?;
        RegisteredCertificate::registered(&der)
    }

    /// Parses DER of a certificate whose own key signed it: whoever brings it has the key.
    ///
    /// # Errors
    /// As of [`RegisteredCertificate::from_der`]; [`KeyError::NotSelfSigned`].
    pub fn self_signed(der: &[u8]) -> Result<RegisteredCertificate, KeyError> {
        let certificate = RegisteredCertificate::from_der(der)?;
        let x509 = X509::from_der(der).map_err(unreadable("a certificate in DER"))?;
        let key = certificate.public_key().map_err(unreadable("a public key"))?;
        if x509.verify(&key).is_ok_and(|is_signed| is_signed) { Ok(certificate) } else { Err(KeyError::NotSelfSigned) }
    }

    /// Says whether the certificate names its key to others, so that another certificate of the key may bear the same name.
    pub fn has_key_id(&self) -> bool {
        self.has_key_id_extension
    }

    /// Takes DER that OpenSSL read when it was registered.
    ///
    /// # Errors
    /// Not in strict DER, or of a key that is not admitted.
    pub fn registered(der: &[u8]) -> Result<RegisteredCertificate, KeyError> {
        let fields = Fields::read(der)?;
        Ok(RegisteredCertificate {
            has_key_id_extension: fields.key_id.is_some(),
            key_id: fields.key_id.map_or_else(|| sha1(fields.public_key).to_vec(), <[u8]>::to_vec),
            issuer_serial: IssuerSerial { issuer: fields.issuer.to_vec(), serial: fields.serial.to_vec() },
            spki_sha256: Digest::of(fields.spki),
            fingerprint: Digest::of(der),
            algorithm: fields.key.algorithm(),
            key_kind: fields.key.kind(),
            not_before: fields.not_before,
            not_after: fields.not_after,
            pinned: pinned::pinned(&fields.key).map_err(unreadable("a public key"))?,
            der: der.into(),
        })
    }

    /// Returns the subject key identifier; where the certificate has none, the SHA-1 of its key (RFC 5280, 4.2.1.2).
    pub fn key_id(&self) -> &[u8] {
        &self.key_id
    }

    /// Returns the DER of the issuer's name.
    pub fn issuer(&self) -> &[u8] {
        &self.issuer_serial.issuer
    }

    /// Returns the content octets of the serial number.
    pub fn serial(&self) -> &[u8] {
        &self.issuer_serial.serial
    }

    /// Returns the certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the SHA-256 of the public key with its algorithm: what belongs to one agency for ever.
    pub fn spki_sha256(&self) -> Digest {
        self.spki_sha256
    }

    /// Returns the SHA-256 of the certificate: what people compare.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// Returns the key's kind, such as `P-256` or `RSA-2048`.
    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// Returns from when to when the certificate is valid.
    pub fn validity(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.not_before, self.not_after)
    }

    /// Says whether it is there to certify others, not to sign letters: probably the wrong one of a chain.
    pub fn is_authority(&self) -> bool {
        // Other fields than those read at construction are no reason to refuse the certificate, so an error in them counts as no.
        fields::is_authority(&self.der).unwrap_or(false)
    }

    /// Returns the ways in which a signature can name this certificate.
    pub fn signer_ids(&self) -> Vec<SignerId> {
        let IssuerSerial { issuer, serial } = self.issuer_serial.clone();
        let by_key_id = self.has_key_id_extension.then(|| SignerId::KeyId(self.key_id.clone()));
        by_key_id.into_iter().chain([SignerId::IssuerSerial { issuer, serial }]).collect()
    }

    /// Returns how what is written names it: by its key identifier, which is shortest, if the extension gives one to others
    /// too; beside AES-256-CBC by issuer and serial number, since PKCS #7 knows no other way (RFC 2315, 9.2 and 10.2).
    pub(crate) fn written_id(&self, cipher: ContentCipher) -> SignerId {
        if self.has_key_id_extension && cipher == ContentCipher::Aes256Gcm {
            return SignerId::KeyId(self.key_id.clone());
        }
        let IssuerSerial { issuer, serial } = self.issuer_serial.clone();
        SignerId::IssuerSerial { issuer, serial }
    }

    pub(crate) fn key_kind(&self) -> KeyKind {
        self.key_kind
    }

    /// Returns what verifies signatures of its key, and nothing else.
    pub(crate) fn pinned(&self) -> &X509Ref {
        &self.pinned
    }

    /// Returns the key: what seals for its owner.
    pub(crate) fn public_key(&self) -> Result<PKey<Public>, ErrorStack> {
        self.pinned.public_key()
    }

    pub(crate) fn is_named_by(&self, id: &RecipientId) -> bool {
        match id {
            RecipientId::KeyId(key_id) => self.has_key_id_extension && *key_id == self.key_id,
            RecipientId::IssuerSerial(issuer_serial) => *issuer_serial == self.issuer_serial,
        }
    }
}

impl fmt::Debug for RegisteredCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate {} ({})", hex::encode(&self.key_id), self.algorithm)
    }
}
