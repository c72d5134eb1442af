//! Keys and certificates of both ends, parsed once and kept.

use std::fmt;

use chrono::{DateTime, Utc};
use openssl::asn1::Asn1Time;
use openssl::ec::PointConversionForm;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, PKeyRef, Private, Public};
use openssl::sha::sha1;
use openssl::stack::Stack;
use openssl::x509::X509;

use crate::cms::SignerId;
use crate::digest::Digest;
use crate::prescan::{IssuerSerial, RecipientId};

/// Oldest OpenSSL with every fix that the pre-scan's list was made from: 3.0.22.
const OPENSSL_FLOOR: i64 = 0x3000_0160;

/// What is wrong with a key or certificate.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not a certificate or key in the form that is expected.
    #[error("{what} cannot be read: {why}")]
    Unreadable {
        /// What was to be read.
        what: &'static str,
        /// OpenSSL's reason.
        why: ErrorStack,
    },
    /// A kind or size of key that is not admitted.
    #[error("a key of kind {0} is not admitted: P-256, P-384 or RSA of 2048 to 4096 bits is expected")]
    NotAdmitted(String),
    /// Key and certificate do not belong together.
    #[error("the private key is not the one of the certificate: give the two that were made together")]
    NotAPair,
    /// The library is too old.
    #[error(
        "OpenSSL {found} is older than 3.0.22, which fixes known attacks on CMS: install the distribution's security updates"
    )]
    OpensslTooOld {
        /// The version found.
        found: &'static str,
    },
}

/// Refuses to work with an OpenSSL below the floor.
///
/// # Errors
/// [`KeyError::OpensslTooOld`].
pub fn check_openssl_version() -> Result<(), KeyError> {
    if openssl::version::number() < OPENSSL_FLOOR {
        return Err(KeyError::OpensslTooOld { found: openssl::version::version() });
    }
    Ok(())
}

fn unreadable(what: &'static str) -> impl Fn(ErrorStack) -> KeyError {
    move |why| KeyError::Unreadable { what, why }
}

/// A certificate, parsed: the pinned one of an agency, or the centre's at an agency.
#[derive(Clone)]
pub struct RegisteredCertificate {
    x509: X509,
    /// The same as a stack of one, as verification and sealing take it.
    stack: std::sync::Arc<Stack<X509>>,
    key_id: Vec<u8>,
    has_key_id_extension: bool,
    issuer: Vec<u8>,
    serial: Vec<u8>,
    algorithm: &'static str,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
}

impl RegisteredCertificate {
    /// Parses DER.
    ///
    /// # Errors
    /// Not a certificate, or of a key that is not admitted.
    pub fn from_der(der: &[u8]) -> Result<RegisteredCertificate, KeyError> {
        RegisteredCertificate::from_x509(X509::from_der(der).map_err(unreadable("a certificate in DER"))?)
    }

    /// Parses PEM.
    ///
    /// # Errors
    /// Not a certificate, or of a key that is not admitted.
    pub fn from_pem(pem: &[u8]) -> Result<RegisteredCertificate, KeyError> {
        RegisteredCertificate::from_x509(X509::from_pem(pem).map_err(unreadable("a certificate in PEM"))?)
    }

    fn from_x509(x509: X509) -> Result<RegisteredCertificate, KeyError> {
        let read = unreadable("a certificate");
        let key = x509.public_key().map_err(&read)?;
        let algorithm = admitted(&key)?;
        let extension = x509.subject_key_id().map(|id| id.as_slice().to_vec());
        let has_key_id_extension = extension.is_some();
        let key_id = match extension {
            Some(key_id) => key_id,
            None => derived_key_id(&key).map_err(&read)?,
        };
        let mut stack = Stack::new().map_err(&read)?;
        stack.push(x509.clone()).map_err(&read)?;
        Ok(RegisteredCertificate {
            key_id,
            has_key_id_extension,
            issuer: x509.issuer_name().to_der().map_err(&read)?,
            serial: serial(&x509).map_err(&read)?,
            algorithm,
            not_before: time(x509.not_before()).map_err(&read)?,
            not_after: time(x509.not_after()).map_err(&read)?,
            stack: std::sync::Arc::new(stack),
            x509,
        })
    }

    /// Returns the subject key identifier; where the certificate has none, the SHA-1 of its key (RFC 5280, 4.2.1.2).
    pub fn key_id(&self) -> &[u8] {
        &self.key_id
    }

    /// Returns the DER of the issuer's name.
    pub fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    /// Returns the content octets of the serial number.
    pub fn serial(&self) -> &[u8] {
        &self.serial
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
    /// OpenSSL has no memory.
    pub fn spki_sha256(&self) -> Result<Digest, KeyError> {
        let der = self.x509.public_key().and_then(|key| key.public_key_to_der()).map_err(unreadable("a public key"))?;
        Ok(Digest::of(&der))
    }

    /// Returns the SHA-256 of the certificate: what people compare.
    ///
    /// # Errors
    /// OpenSSL has no memory.
    pub fn fingerprint(&self) -> Result<Digest, KeyError> {
        Ok(Digest::of(&self.to_der()?))
    }

    /// Returns the key's kind, such as `P-256` or `RSA-2048`.
    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// Returns from when to when the certificate is valid.
    pub fn validity(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.not_before, self.not_after)
    }

    pub(crate) fn x509(&self) -> &X509 {
        &self.x509
    }

    pub(crate) fn stack(&self) -> &Stack<X509> {
        &self.stack
    }

    /// Says whether others can name this certificate by its key identifier.
    pub(crate) fn has_key_id_extension(&self) -> bool {
        self.has_key_id_extension
    }

    fn is_named_by(&self, id: &RecipientId) -> bool {
        match id {
            RecipientId::KeyId(key_id) => *key_id == self.key_id,
            RecipientId::IssuerSerial(IssuerSerial { issuer, serial }) => {
                *issuer == self.issuer && *serial == self.serial
            }
        }
    }

    /// Returns the two ways in which a signature can name this certificate.
    pub fn signer_ids(&self) -> [SignerId; 2] {
        let by_issuer = SignerId::IssuerSerial { issuer: self.issuer.clone(), serial: self.serial.clone() };
        [SignerId::KeyId(self.key_id.clone()), by_issuer]
    }
}

impl fmt::Debug for RegisteredCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate {} ({})", hex::encode(&self.key_id), self.algorithm)
    }
}

fn admitted(key: &PKeyRef<Public>) -> Result<&'static str, KeyError> {
    let refused = |kind: String| Err(KeyError::NotAdmitted(kind));
    match key.id() {
        Id::EC => {
            let curve = key.ec_key().map_err(unreadable("an EC key"))?.group().curve_name();
            match curve {
                Some(Nid::X9_62_PRIME256V1) => Ok("P-256"),
                Some(Nid::SECP384R1) => Ok("P-384"),
                other => refused(other.and_then(|nid| nid.short_name().ok()).unwrap_or("an unnamed curve").to_owned()),
            }
        }
        Id::RSA => match key.bits() {
            2048 => Ok("RSA-2048"),
            3072 => Ok("RSA-3072"),
            4096 => Ok("RSA-4096"),
            2049..=4095 => Ok("RSA"),
            bits => refused(format!("RSA-{bits}")),
        },
        other => refused(format!("{other:?}")),
    }
}

fn derived_key_id(key: &PKeyRef<Public>) -> Result<Vec<u8>, ErrorStack> {
    let bits = match key.id() {
        Id::EC => {
            let key = key.ec_key()?;
            let mut context = openssl::bn::BigNumContext::new()?;
            key.public_key().to_bytes(key.group(), PointConversionForm::UNCOMPRESSED, &mut context)?
        }
        _ => key.rsa()?.public_key_to_der_pkcs1()?,
    };
    Ok(sha1(&bits).to_vec())
}

/// The content octets of the serial number's DER: two's complement, minimal.
fn serial(x509: &X509) -> Result<Vec<u8>, ErrorStack> {
    let number = x509.serial_number().to_bn()?;
    let mut octets = number.to_vec();
    if octets.first().is_none_or(|first| first & 0x80 != 0) {
        octets.insert(0, 0);
    }
    Ok(octets)
}

fn time(time: &openssl::asn1::Asn1TimeRef) -> Result<DateTime<Utc>, ErrorStack> {
    let difference = Asn1Time::from_unix(0)?.diff(time)?;
    let seconds = i64::from(difference.days) * 86_400 + i64::from(difference.secs);
    // OpenSSL's years end at 9999, well inside.
    Ok(DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC))
}

/// A private key with its certificate: what opens and signs.
#[derive(Clone)]
pub struct SigningKey {
    pub(crate) key: PKey<Private>,
    pub(crate) certificate: RegisteredCertificate,
}

impl SigningKey {
    /// Reads a PKCS #8 key and its certificate, both in PEM.
    ///
    /// # Errors
    /// One of them cannot be read, is not admitted, or they do not belong together.
    pub fn from_pem(key: &[u8], certificate: &[u8]) -> Result<SigningKey, KeyError> {
        let key = PKey::private_key_from_pem(key).map_err(unreadable("a private key in PEM"))?;
        let certificate = RegisteredCertificate::from_pem(certificate)?;
        let public = certificate.x509.public_key().map_err(unreadable("a public key"))?;
        if !key.public_eq(&public) {
            return Err(KeyError::NotAPair);
        }
        Ok(SigningKey { key, certificate })
    }

    /// Returns the certificate.
    pub fn certificate(&self) -> &RegisteredCertificate {
        &self.certificate
    }

    /// Signs octets with SHA-256, for the proofs that are not letters.
    ///
    /// # Errors
    /// OpenSSL's own.
    pub fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signing = || -> Result<Vec<u8>, ErrorStack> {
            openssl::sign::Signer::new(MessageDigest::sha256(), &self.key)?.sign_oneshot_to_vec(octets)
        };
        signing().map_err(unreadable("a signature"))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key of {:?}", self.certificate)
    }
}

/// Every key that opens mail: the present ones, P-256 and RSA, and those retired, which still open old mail.
#[derive(Clone, Debug)]
pub struct CentreKeys {
    keys: Vec<SigningKey>,
}

impl CentreKeys {
    /// Joins keys.
    pub fn new(keys: Vec<SigningKey>) -> CentreKeys {
        CentreKeys { keys }
    }

    pub(crate) fn find(&self, id: &RecipientId) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.certificate.is_named_by(id))
    }
}
