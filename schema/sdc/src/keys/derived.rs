//! Keys that are derived from a private key. Only the programs of a centre have its private keys, so only they can compute the derived
//! keys, and no other secret has to be made, shared and kept.

use std::fmt;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use zeroize::Zeroizing;

use super::error::unreadable;
use super::{CentreKeys, KeyError, SigningKey};

/// A symmetric key of 32 octets for one purpose. The private key cannot be computed from the derived key.
#[derive(Clone)]
pub struct DerivedKey(Zeroizing<Vec<u8>>);

impl DerivedKey {
    /// Computes the HMAC-SHA256 (RFC 2104) of octets; returns 32 octets.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn mac(&self, octets: &[u8]) -> Result<Vec<u8>, KeyError> {
        mac(&self.0, octets).map_err(unreadable("a derived key"))
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKey")
    }
}

impl SigningKey {
    /// Derives a key for a purpose: the HMAC-SHA256 of the purpose's name, keyed with the private number. The same private key and purpose
    /// give the same derived key on every machine. Another purpose or private key gives an unrelated key.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn derive(&self, purpose: &str) -> Result<DerivedKey, KeyError> {
        let derived = self.private_number().and_then(|number| mac(&number, purpose.as_bytes()));
        derived.map(|key| DerivedKey(Zeroizing::new(key))).map_err(unreadable("a private key in PEM"))
    }

    /// Returns the secret number of the private key. Leading zeros are kept, so all keys of one kind have the same number of octets.
    fn private_number(&self) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
        let number = match &self.agreement_key {
            Some(key) => {
                let octets = key.group().order_bits().div_ceil(8);
                key.private_key().to_vec_padded(i32::try_from(octets).unwrap_or(i32::MAX))?
            }
            None => self.key.rsa()?.d().to_vec(),
        };
        Ok(Zeroizing::new(number))
    }
}

impl CentreKeys {
    /// Derives a key for a purpose from each of the centre's keys, in their order. The first is from the present signing key, and makes new
    /// MACs. Those from retired keys only check the MACs that they made while they were in use.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn derive(&self, purpose: &str) -> Result<Vec<DerivedKey>, KeyError> {
        self.keys.iter().map(|key| key.derive(purpose)).collect()
    }
}

fn mac(key: &[u8], octets: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let key = PKey::hmac(key)?;
    Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(octets)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, IsCa, KeyPair};

    use super::*;

    fn key() -> SigningKey {
        let pair = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec![]).unwrap();
        parameters.is_ca = IsCa::ExplicitNoCa;
        let certificate = parameters.self_signed(&pair).unwrap();
        SigningKey::from_pem(pair.serialize_pem().as_bytes(), certificate.pem().as_bytes()).unwrap()
    }

    /// The expected value is that of RFC 4231, test case 2.
    #[test]
    fn the_code_is_that_of_the_standard() {
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex::encode(mac(b"Jefe", b"what do ya want for nothing?").unwrap()), expected);
    }

    #[test]
    fn the_same_key_and_purpose_give_the_same_and_others_another() {
        let (one, other) = (key(), key());
        let code = |key: &SigningKey, purpose: &str| key.derive(purpose).unwrap().mac(b"1234").unwrap();
        assert_eq!(code(&one, "vouchers"), code(&one.clone(), "vouchers"));
        assert_ne!(code(&one, "vouchers"), code(&one, "passwords"));
        assert_ne!(code(&one, "vouchers"), code(&other, "vouchers"));
        let of_centre = CentreKeys::new(vec![one.clone(), other]).derive("vouchers").unwrap();
        assert_eq!((of_centre.len(), of_centre[0].mac(b"1234").unwrap()), (2, code(&one, "vouchers")));
        assert_eq!(format!("{:?}", of_centre[0]), "DerivedKey", "it prints nothing of itself");
    }
}
