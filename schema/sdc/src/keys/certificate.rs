//! A parsed certificate: the centre uses it for an agency's certificate, and an agency for the centre's.

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

/// A parsed certificate: at the centre the pinned certificate of an agency, at an agency the centre's certificate.
#[derive(Clone)]
pub struct RegisteredCertificate {
    der: Arc<[u8]>,
    /// A certificate with nothing in it but the public key, because OpenSSL takes the key for a signature only inside a certificate.
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
    /// Parses a certificate in DER.
    ///
    /// # Errors
    /// The octets are no certificate or not strict DER, or the key is not admitted.
    pub fn from_der(der: &[u8]) -> Result<RegisteredCertificate, KeyError> {
        // Other software refuses a certificate that OpenSSL cannot read, so such a certificate must not be registered.
        X509::from_der(der).map_err(unreadable("a certificate in DER"))?;
        RegisteredCertificate::registered(der)
    }

    /// Parses a certificate in PEM.
    ///
    /// # Errors
    /// The text is no certificate, its DER is not strict, or the key is not admitted.
    pub fn from_pem(pem: &[u8]) -> Result<RegisteredCertificate, KeyError> {
        let read = unreadable("a certificate in PEM");
        let der = X509::from_pem(pem).and_then(|x509| x509.to_der()).map_err(read)?;
        RegisteredCertificate::registered(&der)
    }

    /// Parses the DER of a certificate that is signed with its own key. The signature proves that the maker of the certificate has the
    /// key.
    ///
    /// # Errors
    /// The errors of [`RegisteredCertificate::from_der`]; [`KeyError::NotSelfSigned`].
    pub fn self_signed(der: &[u8]) -> Result<RegisteredCertificate, KeyError> {
        let certificate = RegisteredCertificate::from_der(der)?;
        let x509 = X509::from_der(der).map_err(unreadable("a certificate in DER"))?;
        let key = certificate.public_key().map_err(unreadable("a public key"))?;
        if x509.verify(&key).is_ok_and(|is_signed| is_signed) { Ok(certificate) } else { Err(KeyError::NotSelfSigned) }
    }

    /// Says whether the certificate has a subject key identifier, by which letters can refer to its key. Another certificate of the same
    /// key may have the same identifier.
    pub fn has_key_id(&self) -> bool {
        self.has_key_id_extension
    }

    /// Parses the DER of a registered certificate. OpenSSL read it before it was registered, so the time for a second reading by OpenSSL,
    /// about as long as opening a letter, is saved.
    ///
    /// # Errors
    /// The DER is not strict, or the key is not admitted.
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

    /// Returns the SHA-256 of the public key with its algorithm, 32 bytes. By it the centre recognises a key in whatever certificate it
    /// comes, since a key belongs to one agency for ever.
    pub fn spki_sha256(&self) -> Digest {
        self.spki_sha256
    }

    /// Returns the SHA-256 of the certificate, 32 bytes. People compare this fingerprint, for example by telephone, before the centre
    /// registers the certificate.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// Returns the key's kind, such as `P-256` or `RSA-2048`.
    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// Returns the first and the last moment of the certificate's validity.
    pub fn validity(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.not_before, self.not_after)
    }

    /// Says whether the certificate's purpose is to certify others, not to sign letters. A person who registers such a certificate has
    /// probably chosen the wrong certificate of a chain.
    pub fn is_authority(&self) -> bool {
        // The fields that signatures depend on were checked when this value was made. Here other fields are read, which only help to advise
        // a person. If they are faulty, the certificate is not refused for it, so an error counts as `false`.
        fields::is_authority(&self.der).unwrap_or(false)
    }

    /// Returns the identifiers by which a signature can refer to this certificate.
    pub fn signer_ids(&self) -> Vec<SignerId> {
        let IssuerSerial { issuer, serial } = self.issuer_serial.clone();
        let by_key_id = self.has_key_id_extension.then(|| SignerId::KeyId(self.key_id.clone()));
        by_key_id.into_iter().chain([SignerId::IssuerSerial { issuer, serial }]).collect()
    }

    /// Returns the identifier by which the structures of centre and office refer to this certificate: its subject key identifier, because
    /// that is shortest. It is issuer and serial number where the certificate has no subject key identifier, and with AES-256-CBC, because
    /// PKCS #7 has no other identifier (RFC 2315, 9.2 and 10.2).
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

    /// Returns a certificate with nothing in it but the public key. It serves to verify signatures of this key.
    pub(crate) fn pinned(&self) -> &X509Ref {
        &self.pinned
    }

    /// Returns the public key, which encrypts for the certificate's owner.
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
