//! Reads a certificate's fields (RFC 5280, 4.1) with this crate's strict reader.
//!
//! The reader admits only one encoding of a key. Otherwise the same key could be registered for two agencies, since the centre recognises a
//! key by the hash of its encoding. OpenSSL's reader would take a tenth of a millisecond more, which is as long as opening a letter.

use chrono::{DateTime, NaiveDate, Utc};

use super::error::KeyError;
use crate::der::{
    self, BIT_STRING, BOOLEAN, DerError, GENERALIZED_TIME, INTEGER, NULL, OBJECT_IDENTIFIER, OCTET_STRING, Reader,
    SEQUENCE, UTC_TIME, context,
};
use crate::expected::Expected;
use crate::prescan::{ISSUER_BYTES_MAX, KEY_ID_BYTES_MAX, KeyKind, SERIAL_BYTES_MAX, oid};

/// The fields that this crate uses.
pub struct Fields<'a> {
    /// Content octets of the serial number.
    pub serial: &'a [u8],
    /// DER of the issuer's name.
    pub issuer: &'a [u8],
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
    /// The whole SubjectPublicKeyInfo in DER.
    pub spki: &'a [u8],
    /// The public key: content of its BIT STRING without the first octet, which counts unused bits.
    pub public_key: &'a [u8],
    pub key: Key<'a>,
    /// Subject key identifier; none where the certificate does not have this extension (RFC 5280, 4.2.1.2).
    pub key_id: Option<&'a [u8]>,
}

/// An admitted public key.
#[derive(Clone, Copy)]
pub enum Key<'a> {
    /// Uncompressed point on P-256.
    P256(&'a [u8]),
    /// Uncompressed point on P-384.
    P384(&'a [u8]),
    /// Two big-endian numbers without leading zeros.
    Rsa { modulus: &'a [u8], exponent: &'a [u8] },
}

impl<'a> Fields<'a> {
    /// Reads the fields of a certificate.
    ///
    /// # Errors
    /// The certificate is not strict DER, or its key is not admitted.
    pub fn read(certificate: &'a [u8]) -> Result<Fields<'a>, KeyError> {
        der::check(certificate)?;
        let mut outer = Reader::new(certificate).enter(SEQUENCE, Expected::Certificate)?;
        let mut signed = outer.enter(SEQUENCE, Expected::CertificateContent)?;
        signed.optional(context(0))?;
        let serial = bounded(signed.expect(INTEGER, Expected::Serial)?.content, SERIAL_BYTES_MAX)?;
        signed.expect(SEQUENCE, Expected::SignatureAlgorithm)?;
        let issuer = bounded(signed.expect(SEQUENCE, Expected::Issuer)?.whole, ISSUER_BYTES_MAX)?;
        let mut validity = signed.enter(SEQUENCE, Expected::Validity)?;
        let (not_before, not_after) = (time(&mut validity)?, time(&mut validity)?);
        validity.end(Expected::TwoTimes)?;
        signed.expect(SEQUENCE, Expected::Subject)?;
        let spki = signed.expect(SEQUENCE, Expected::PublicKey)?;
        let mut info = Reader::new(spki.content);
        let algorithm = info.enter(SEQUENCE, Expected::PublicKeyAlgorithm)?;
        let bits = info.expect(BIT_STRING, Expected::PublicKeyBits)?.content;
        info.end(Expected::NothingAfterPublicKey)?;
        let public_key = bits.strip_prefix(&[0]).ok_or(DerError(Expected::WholePublicKey))?;
        let (key, key_id) = (Key::admitted(algorithm, public_key)?, key_id(signed)?);
        Ok(Fields { serial, issuer, not_before, not_after, spki: spki.whole, public_key, key, key_id })
    }
}

impl<'a> Key<'a> {
    /// Reads an admitted key in its one usual encoding.
    fn admitted(mut algorithm: Reader<'a>, public_key: &'a [u8]) -> Result<Key<'a>, KeyError> {
        let refused = |kind: &str| Err(KeyError::NotAdmitted(kind.to_owned()));
        match algorithm.expect(OBJECT_IDENTIFIER, Expected::PublicKeyAlgorithm)?.content {
            oid::EC_PUBLIC_KEY => {
                // A curve that is written out in numbers and a compressed point are refused: they are other encodings of the same key, so
                // the key would have a second hash.
                let Some(curve) = algorithm.optional(OBJECT_IDENTIFIER)? else {
                    return refused("EC without a named curve");
                };
                algorithm.end(Expected::OneCurve)?;
                let key = match curve.content {
                    oid::P256 => Key::P256(public_key),
                    oid::P384 => Key::P384(public_key),
                    _ => return refused("EC on another curve"),
                };
                if public_key.first() == Some(&4) { Ok(key) } else { refused("EC with a compressed point") }
            }
            oid::RSA_ENCRYPTION => {
                algorithm.expect(NULL, Expected::RsaWithoutParameters)?;
                algorithm.end(Expected::RsaWithoutParameters)?;
                Key::admitted_rsa(public_key)
            }
            oid::RSASSA_PSS => refused("RSA-PSS"),
            _ => refused("another algorithm"),
        }
    }

    fn admitted_rsa(public_key: &'a [u8]) -> Result<Key<'a>, KeyError> {
        let mut numbers = Reader::new(public_key).enter(SEQUENCE, Expected::RsaKey)?;
        let modulus = positive(&mut numbers)?;
        let exponent = positive(&mut numbers)?;
        numbers.end(Expected::TwoRsaNumbers)?;
        let key = Key::Rsa { modulus, exponent };
        // With an exponent of 1, every text would be its own signature.
        if exponent.last().is_none_or(|last| last & 1 == 0) || exponent == [1] {
            return Err(KeyError::NotAdmitted("RSA with a public exponent below 3 or even".to_owned()));
        }
        match key.bits() {
            2048..=4096 => Ok(key),
            bits => Err(KeyError::NotAdmitted(format!("RSA-{bits}"))),
        }
    }

    fn bits(&self) -> usize {
        match self {
            Key::P256(_) => 256,
            Key::P384(_) => 384,
            Key::Rsa { modulus, .. } => {
                modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize)
            }
        }
    }

    /// Returns the usual name of the key's kind.
    pub fn algorithm(&self) -> &'static str {
        match (self, self.bits()) {
            (Key::P256(_), _) => "P-256",
            (Key::P384(_), _) => "P-384",
            (Key::Rsa { .. }, 2048) => "RSA-2048",
            (Key::Rsa { .. }, 3072) => "RSA-3072",
            (Key::Rsa { .. }, 4096) => "RSA-4096",
            (Key::Rsa { .. }, _) => "RSA",
        }
    }

    /// Returns the kind of the key, which decides its use in CMS.
    pub fn kind(&self) -> KeyKind {
        match self {
            Key::P256(_) => KeyKind::P256,
            Key::P384(_) => KeyKind::P384,
            Key::Rsa { modulus, .. } => KeyKind::Rsa { modulus_bytes: modulus.len() },
        }
    }
}

/// Reads a positive INTEGER, without the zero octet that only marks it as positive.
fn positive<'a>(numbers: &mut Reader<'a>) -> Result<&'a [u8], DerError> {
    match numbers.expect(INTEGER, Expected::RsaNumber)?.content {
        [0, rest @ ..] => Ok(rest),
        [first, ..] if *first >= 0x80 => Err(DerError(Expected::PositiveRsaNumbers)),
        number => Ok(number),
    }
}

/// Reads a time in UTC to the second (RFC 5280, 4.1.2.5). The year has two digits up to 2049, and four digits from 2050 on.
pub(super) fn time(validity: &mut Reader<'_>) -> Result<DateTime<Utc>, DerError> {
    const WHAT: Expected = Expected::ValidityTime;
    let element = validity.element()?;
    let digits = element.content.strip_suffix(b"Z").ok_or(DerError(WHAT))?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(DerError(WHAT));
    }
    let pairs: Vec<u32> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |n, d| n * 10 + u32::from(d - b'0'))).collect();
    let (year, rest) = match (element.tag, digits.len(), pairs.as_slice()) {
        (UTC_TIME, 12, [year, rest @ ..]) => (if *year < 50 { 2000 + year } else { 1900 + year }, rest),
        (GENERALIZED_TIME, 14, [century, year, rest @ ..]) => (century * 100 + year, rest),
        _ => return Err(DerError(WHAT)),
    };
    let &[month, day, hour, minute, second] = rest else { return Err(DerError(WHAT)) };
    let date = i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, month, day));
    let time = date.and_then(|date| date.and_hms_opt(hour, minute, second));
    Ok(time.ok_or(DerError(WHAT))?.and_utc())
}

/// Checks the length of a name. The pre-scan refuses longer names in letters, so no envelope and no signature could refer to a certificate
/// with a longer name.
fn bounded(name: &[u8], bytes_max: usize) -> Result<&[u8], DerError> {
    const WHAT: Expected = Expected::BoundedNames;
    if (1..=bytes_max).contains(&name.len()) { Ok(name) } else { Err(DerError(WHAT)) }
}

/// Finds the subject key identifier among the fields after the public key.
fn key_id(rest: Reader<'_>) -> Result<Option<&[u8]>, DerError> {
    let mut found = None;
    each_extension(rest, |name, value| {
        if name != oid::SUBJECT_KEY_ID {
            return Ok(());
        }
        let mut value = Reader::new(value);
        let id = bounded(value.expect(OCTET_STRING, Expected::KeyId)?.content, KEY_ID_BYTES_MAX)?;
        value.end(Expected::OneKeyId)?;
        // A second identifier is refused, because one reader would take the first and another reader the last.
        if found.replace(id).is_some() { Err(DerError(Expected::OneKeyId)) } else { Ok(()) }
    })?;
    Ok(found)
}

/// Calls `take` with the name and the value of each extension after the public key.
fn each_extension<'a>(
    mut rest: Reader<'a>,
    mut take: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), DerError>,
) -> Result<(), DerError> {
    while let Some(tag) = rest.peek() {
        let mut field = Reader::new(rest.element()?.content);
        if tag != context(3) {
            continue;
        }
        let mut extensions = field.enter(SEQUENCE, Expected::Extensions)?;
        while !extensions.is_empty() {
            let mut extension = extensions.enter(SEQUENCE, Expected::Extension)?;
            let name = extension.expect(OBJECT_IDENTIFIER, Expected::ExtensionName)?.content;
            extension.optional(BOOLEAN)?;
            take(name, extension.expect(OCTET_STRING, Expected::ExtensionValue)?.content)?;
        }
    }
    Ok(())
}

/// Says whether a certificate's purpose is to certify others. The certificate must say CA:TRUE. In addition, another certificate must have
/// issued it, or its key must not be allowed to sign content (RFC 5280, 4.2.1.3 and 4.2.1.9). CA:TRUE alone is not enough, because `openssl
/// req -x509` writes it into every certificate.
///
/// # Errors
/// The certificate is not strict DER.
pub fn is_authority(certificate: &[u8]) -> Result<bool, DerError> {
    let mut outer = Reader::new(certificate).enter(SEQUENCE, Expected::Certificate)?;
    let mut signed = outer.enter(SEQUENCE, Expected::CertificateContent)?;
    signed.optional(context(0))?;
    signed.expect(INTEGER, Expected::Serial)?;
    signed.expect(SEQUENCE, Expected::SignatureAlgorithm)?;
    let issuer = signed.expect(SEQUENCE, Expected::Issuer)?.whole;
    signed.expect(SEQUENCE, Expected::Validity)?;
    let subject = signed.expect(SEQUENCE, Expected::Subject)?.whole;
    signed.expect(SEQUENCE, Expected::PublicKey)?;
    let (mut is_ca, mut signs_content) = (false, true);
    each_extension(signed, |name, value| {
        let mut value = Reader::new(value);
        if name == oid::BASIC_CONSTRAINTS {
            let mut constraints = value.enter(SEQUENCE, Expected::BasicConstraints)?;
            is_ca = constraints.optional(BOOLEAN)?.is_some_and(|ca| ca.content == [0xff]);
        } else if name == oid::KEY_USAGE {
            // After the octet that counts unused bits, the first bit is digitalSignature.
            let bits = value.expect(BIT_STRING, Expected::KeyUsage)?.content;
            signs_content = bits.get(1).is_some_and(|first| first & 0x80 != 0);
        }
        Ok(())
    })?;
    Ok(is_ca && (issuer != subject || !signs_content))
}
