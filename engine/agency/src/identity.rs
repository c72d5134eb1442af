//! An office's key and its self-signed certificate. The office signs with the key, and the centre registers the certificate.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate, Utc};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd,
};
use sdc::keys::{CentreKeys, KeyError, RegisteredCertificate, SigningKey};

/// Years that an office's certificate is valid.
const YEARS: u32 = 3;

/// Algorithm of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA with curve P-256, the default. Its letters are the smallest.
    #[default]
    P256,
    /// ECDSA with the larger curve P-384.
    P384,
    /// RSA with 2048 bits, for offices whose other software supports only RSA.
    Rsa2048,
}

/// A key and its certificate.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
    opening: CentreKeys,
}

/// An identity could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The key or certificate could not be made.
    #[error("the office's key could not be made: {0}")]
    Make(#[from] rcgen::Error),
    /// The key or certificate cannot be used.
    #[error("the office's key cannot be used: {0}")]
    Key(#[from] KeyError),
}

impl Identity {
    /// Makes a key and a self-signed certificate of it.
    ///
    /// # Errors
    /// The cryptographic library refuses.
    pub fn generate(name: &str, algorithm: Algorithm) -> Result<Identity, IdentityError> {
        let (key, certificate) = Identity::generate_pem(name, algorithm)?;
        Identity::from_pem(key.as_bytes(), certificate.as_bytes())
    }

    /// Makes a key and a self-signed certificate that ends in `days` days. The simulation uses it for offices that must renew their
    /// certificate soon.
    ///
    /// # Errors
    /// The cryptographic library refuses.
    pub fn generate_ending(name: &str, algorithm: Algorithm, days: u64) -> Result<Identity, IdentityError> {
        let ends = Utc::now().date_naive() + Days::new(days);
        let (key, certificate) = certified(&key_pair(algorithm)?, name, ends)?;
        Identity::from_pem(key.as_bytes(), certificate.as_bytes())
    }

    /// Makes a key and a self-signed certificate of it. Returns both in PEM, so that they can be stored.
    ///
    /// # Errors
    /// The cryptographic library refuses.
    pub fn generate_pem(name: &str, algorithm: Algorithm) -> Result<(String, String), IdentityError> {
        Ok(certified(&key_pair(algorithm)?, name, begins() + Months::new(12 * YEARS))?)
    }

    /// Reads a PKCS #8 key and its certificate, both in PEM.
    ///
    /// # Errors
    /// The key or the certificate cannot be read or is not allowed, or the two do not belong together.
    pub fn from_pem(key: &[u8], certificate: &[u8]) -> Result<Identity, IdentityError> {
        let key = SigningKey::from_pem(key, certificate)?;
        Ok(Identity { opening: CentreKeys::new(vec![key.clone()]), key })
    }

    /// Returns the key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Returns the certificate that the centre registers.
    pub fn certificate(&self) -> &RegisteredCertificate {
        self.key.certificate()
    }

    /// Returns the key in the form that opens answers.
    pub fn opening(&self) -> &CentreKeys {
        &self.opening
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({:?})", self.certificate())
    }
}

/// Returns the day on which certificates begin: yesterday, since clocks at offices are wrong.
fn begins() -> NaiveDate {
    Utc::now().date_naive() - Days::new(1)
}

/// Makes a self-signed certificate that ends at midnight UTC, when the day `ends` begins. Returns key and certificate in PEM.
fn certified(key: &KeyPair, name: &str, ends: NaiveDate) -> Result<(String, String), rcgen::Error> {
    let mut parameters = CertificateParams::default();
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    parameters.distinguished_name = distinguished;
    // The certificate states that it belongs to no authority. It contains the subject key identifier by which CMS refers to the signer.
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_identifier_method = KeyIdMethod::Sha256;
    parameters.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyAgreement, KeyUsagePurpose::KeyEncipherment];
    let midnight = |date: NaiveDate| {
        // Months and days of the calendar fit into a `u8`.
        date_time_ymd(date.year(), u8::try_from(date.month()).unwrap_or(1), u8::try_from(date.day()).unwrap_or(1))
    };
    parameters.not_before = midnight(begins());
    parameters.not_after = midnight(ends);
    let certificate = parameters.self_signed(key)?;
    Ok((key.serialize_pem(), certificate.pem()))
}

fn key_pair(algorithm: Algorithm) -> Result<KeyPair, rcgen::Error> {
    match algorithm {
        Algorithm::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        Algorithm::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        Algorithm::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_key_is_admitted_by_the_centre() {
        for (algorithm, name) in
            [(Algorithm::P256, "P-256"), (Algorithm::P384, "P-384"), (Algorithm::Rsa2048, "RSA-2048")]
        {
            let identity = Identity::generate("office", algorithm).unwrap();
            assert_eq!(identity.certificate().algorithm(), name);
        }
    }
}
