//! Keys that are built from their numbers: a sender's point, a key pair for one agreement, and a certificate with nothing in it but a
//! pinned public key. OpenSSL's CMS functions take a key only inside a certificate.
//!
//! OpenSSL 3.0 could also read an encoded key, but it tries all its decoders on it. It makes a key from the key's numbers in a tenth of
//! that time.

use std::sync::LazyLock;

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::X509;

use super::fields::Key;
use crate::prescan::KeyKind;

type Curve = LazyLock<Result<EcGroup, ErrorStack>>;

static P256: Curve = LazyLock::new(|| EcGroup::from_curve_name(Nid::X9_62_PRIME256V1));
static P384: Curve = LazyLock::new(|| EcGroup::from_curve_name(Nid::SECP384R1));

/// Reads an uncompressed point, which must be on its curve and not at infinity. An RSA key has no point, so RSA is an error.
///
/// # Errors
/// OpenSSL's own errors where the point is not on the curve; an error without a reason where the point is at infinity.
pub fn point(kind: KeyKind, point: &[u8]) -> Result<EcPoint, ErrorStack> {
    let group = group(kind)?;
    let point = EcPoint::from_bytes(group, point, &mut *BigNumContext::new()?)?;
    // The point at infinity has an encoding but is no key: an agreement with it gives everybody the same secret.
    if point.is_infinity(group) {
        return Err(ErrorStack::get());
    }
    Ok(point)
}

/// Makes a key pair for one agreement; returns the pair with its uncompressed point. An RSA key has no point, so RSA is an error.
///
/// # Errors
/// OpenSSL's own errors.
pub fn ephemeral(kind: KeyKind) -> Result<(EcKey<Private>, Vec<u8>), ErrorStack> {
    let group = group(kind)?;
    let key = EcKey::generate(group)?;
    let point = key.public_key().to_bytes(group, PointConversionForm::UNCOMPRESSED, &mut *BigNumContext::new()?)?;
    Ok((key, point))
}

/// Puts a public key into a certificate that contains nothing else.
///
/// # Errors
/// OpenSSL's own errors, such as a point that is not on its curve.
pub fn pinned(key: &Key<'_>) -> Result<X509, ErrorStack> {
    let key = match key {
        Key::P256(octets) | Key::P384(octets) => {
            let point = point(key.kind(), octets)?;
            PKey::from_ec_key(EcKey::from_public_key(group(key.kind())?, &point)?)?
        }
        Key::Rsa { modulus, exponent } => {
            PKey::from_rsa(Rsa::from_public_components(BigNum::from_slice(modulus)?, BigNum::from_slice(exponent)?)?)?
        }
    };
    let mut bare = X509::builder()?;
    bare.set_pubkey(&key)?;
    Ok(bare.build())
}

fn group(kind: KeyKind) -> Result<&'static EcGroup, ErrorStack> {
    let curve = match kind {
        KeyKind::P256 => &P256,
        KeyKind::P384 => &P384,
        KeyKind::Rsa { .. } => return Err(ErrorStack::get()),
    };
    curve.as_ref().map_err(Clone::clone)
}
