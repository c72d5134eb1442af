//! A certificate, parsed once: the pinned one of an agency, or the centre's at an agency.
//!
//! What identifies it is read by our own strict reader, not by OpenSSL's: one key has one encoding, so that it cannot be
//! registered twice under two hashes.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::pkey::{Id, PKeyRef, Public};
use openssl::sha::sha1;
use openssl::stack::Stack;
use openssl::x509::X509;

use super::{KeyError, unreadable};
use crate::cms::SignerId;
use crate::der::{self, BIT_STRING, DerError, INTEGER, NULL, OBJECT_IDENTIFIER, Reader, SEQUENCE, context};
use crate::digest::Digest;
use crate::prescan::{IssuerSerial, KeyKind, RecipientId, oid};

/// A certificate, parsed: the pinned one of an agency, or the centre's at an agency.
#[derive(Clone)]
pub struct RegisteredCertificate {
    x509: X509,
    /// The same as a stack of one, as verification and sealing take it.
    stack: Arc<Stack<X509>>,
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
        RegisteredCertificate::new(X509::from_der(der).map_err(unreadable("a certificate in DER"))?, der)
    }

    /// Parses PEM.
    ///
    /// # Errors
    /// Not a certificate, not in strict DER, or of a key that is not admitted.
    pub fn from_pem(pem: &[u8]) -> Result<RegisteredCertificate, KeyError> {
        let read = unreadable("a certificate in PEM");
        let x509 = X509::from_pem(pem).map_err(&read)?;
        let der = x509.to_der().map_err(&read)?;
        RegisteredCertificate::new(x509, &der)
    }

    fn new(x509: X509, der: &[u8]) -> Result<RegisteredCertificate, KeyError> {
        let read = unreadable("a certificate");
        let identity = Identity::read(der)?;
        let key = x509.public_key().map_err(&read)?;
        let (algorithm, key_kind) = admitted(&key, &identity)?;
        let extension = x509.subject_key_id().map(|id| id.as_slice().to_vec());
        let mut stack = Stack::new().map_err(&read)?;
        stack.push(x509.clone()).map_err(&read)?;
        Ok(RegisteredCertificate {
            has_key_id_extension: extension.is_some(),
            key_id: extension.unwrap_or_else(|| sha1(identity.public_key).to_vec()),
            issuer_serial: IssuerSerial { issuer: identity.issuer.to_vec(), serial: identity.serial.to_vec() },
            spki_sha256: Digest::of(identity.spki),
            fingerprint: Digest::of(der),
            algorithm,
            key_kind,
            not_before: time(x509.not_before()).map_err(&read)?,
            not_after: time(x509.not_after()).map_err(&read)?,
            stack: Arc::new(stack),
            x509,
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
    ///
    /// # Errors
    /// OpenSSL has no memory.
    pub fn to_der(&self) -> Result<Vec<u8>, KeyError> {
        self.x509.to_der().map_err(unreadable("a certificate"))
    }

    /// Returns the SHA-256 of the public key with its algorithm: what belongs to one agency for ever.
    ///
    /// # Errors
    /// None at present.
    pub fn spki_sha256(&self) -> Result<Digest, KeyError> {
        Ok(self.spki_sha256)
    }

    /// Returns the SHA-256 of the certificate: what people compare.
    ///
    /// # Errors
    /// None at present.
    pub fn fingerprint(&self) -> Result<Digest, KeyError> {
        Ok(self.fingerprint)
    }

    /// Returns the key's kind, such as `P-256` or `RSA-2048`.
    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// Returns from when to when the certificate is valid.
    pub fn validity(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.not_before, self.not_after)
    }

    /// Returns the ways in which a signature can name this certificate.
    pub fn signer_ids(&self) -> Vec<SignerId> {
        let IssuerSerial { issuer, serial } = self.issuer_serial.clone();
        let by_key_id = self.has_key_id_extension.then(|| SignerId::KeyId(self.key_id.clone()));
        by_key_id.into_iter().chain([SignerId::IssuerSerial { issuer, serial }]).collect()
    }

    /// Returns the way that its owner's own signatures name it.
    pub(crate) fn shortest_id(&self) -> SignerId {
        if self.has_key_id_extension {
            return SignerId::KeyId(self.key_id.clone());
        }
        let IssuerSerial { issuer, serial } = self.issuer_serial.clone();
        SignerId::IssuerSerial { issuer, serial }
    }

    pub(crate) fn key_kind(&self) -> KeyKind {
        self.key_kind
    }

    pub(crate) fn x509(&self) -> &X509 {
        &self.x509
    }

    pub(crate) fn stack(&self) -> &Stack<X509> {
        &self.stack
    }

    /// Says whether others can name this certificate by its key identifier: OpenSSL looks in the extension alone.
    pub(crate) fn has_key_id_extension(&self) -> bool {
        self.has_key_id_extension
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

/// What identifies a certificate and its key, in the certificate's own octets (RFC 5280, 4.1).
struct Identity<'a> {
    serial: &'a [u8],
    issuer: &'a [u8],
    /// Whole SubjectPublicKeyInfo.
    spki: &'a [u8],
    key_algorithm: &'a [u8],
    key_parameters: Reader<'a>,
    /// Content of its BIT STRING without the count of unused bits.
    public_key: &'a [u8],
}

impl<'a> Identity<'a> {
    fn read(certificate: &'a [u8]) -> Result<Identity<'a>, DerError> {
        der::check(certificate)?;
        let mut outer = Reader::new(certificate).enter(SEQUENCE, "a certificate")?;
        let mut signed = outer.enter(SEQUENCE, "a certificate's content")?;
        signed.optional(context(0))?;
        let serial = signed.expect(INTEGER, "a serial number")?.content;
        signed.expect(SEQUENCE, "a signature algorithm")?;
        let issuer = signed.expect(SEQUENCE, "an issuer")?.whole;
        signed.expect(SEQUENCE, "a validity")?;
        signed.expect(SEQUENCE, "a subject")?;
        let spki = signed.expect(SEQUENCE, "a public key")?;
        let mut key = Reader::new(spki.content);
        let mut algorithm = key.enter(SEQUENCE, "a public key's algorithm")?;
        let key_algorithm = algorithm.expect(OBJECT_IDENTIFIER, "a public key's algorithm")?.content;
        let bits = key.expect(BIT_STRING, "a public key's bits")?.content;
        key.end("nothing after a public key")?;
        let public_key = bits.strip_prefix(&[0]).ok_or(DerError("a public key of whole octets"))?;
        Ok(Identity { serial, issuer, spki: spki.whole, key_algorithm, key_parameters: algorithm, public_key })
    }
}

/// Names the kind of an admitted key, which must be in its one usual encoding.
fn admitted(key: &PKeyRef<Public>, identity: &Identity<'_>) -> Result<(&'static str, KeyKind), KeyError> {
    let refused = |kind: &str| Err(KeyError::NotAdmitted(kind.to_owned()));
    let mut parameters = identity.key_parameters;
    match identity.key_algorithm {
        oid::EC_PUBLIC_KEY => {
            // Explicit parameters, or a compressed point, would be the same key under another hash.
            let curve = match parameters.optional(OBJECT_IDENTIFIER)?.map(|curve| curve.content) {
                Some(oid::P256) => ("P-256", KeyKind::P256),
                Some(oid::P384) => ("P-384", KeyKind::P384),
                Some(_) => return refused("EC on another curve"),
                None => return refused("EC without a named curve"),
            };
            parameters.end("one curve")?;
            if identity.public_key.first() == Some(&4) { Ok(curve) } else { refused("EC with a compressed point") }
        }
        oid::RSA_ENCRYPTION => {
            parameters.expect(NULL, "RSA without parameters")?;
            parameters.end("RSA without parameters")?;
            if !has_sound_exponent(key).map_err(unreadable("an RSA key"))? {
                return refused("RSA with a public exponent below 3 or even");
            }
            let name = match key.bits() {
                2048 => "RSA-2048",
                3072 => "RSA-3072",
                4096 => "RSA-4096",
                2049..4096 => "RSA",
                bits => return refused(&format!("RSA-{bits}")),
            };
            Ok((name, KeyKind::Rsa { modulus_bytes: key.size() }))
        }
        _ => refused(if key.id() == Id::RSA_PSS { "RSA-PSS" } else { "another algorithm" }),
    }
}

/// With an exponent of 1 every text is its own signature.
fn has_sound_exponent(key: &PKeyRef<Public>) -> Result<bool, ErrorStack> {
    let rsa = key.rsa()?;
    Ok(rsa.e().num_bits() > 1 && rsa.e().is_bit_set(0))
}

fn time(time: &Asn1TimeRef) -> Result<DateTime<Utc>, ErrorStack> {
    let difference = Asn1Time::from_unix(0)?.diff(time)?;
    let seconds = i64::from(difference.days) * 86_400 + i64::from(difference.secs);
    // OpenSSL's years end at 9999, well inside.
    Ok(DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC))
}
