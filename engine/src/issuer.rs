//! Issues certificates to offices with the key of the centre's authority, if that key is in the folder of keys. A centre that keeps the key
//! elsewhere issues no certificates, and its offices bring their own. Letters are verified in both cases: the centre trusts a certificate
//! because it is registered, not because of who has issued it.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::x509::extension::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage};
use openssl::x509::{X509, X509Builder, X509Extension, X509NameBuilder};
use sdc::keys::KeyError;
use store::certificates::issuer::{CertificateIssuer, Issuing};

use crate::authority::{AUTHORITY_CERTIFICATE, AUTHORITY_KEY};
use crate::keys::LoadError;

/// Bits of a serial number, which is random so that no number occurs twice (RFC 5280, 4.1.2.2, admits 20 octets).
const SERIAL_BITS: i32 = 120;
/// Largest number of characters of a common name (RFC 5280, appendix A.1).
const NAME_CHARS_MAX: usize = 64;
/// Object identifier of the extension for the subject key identifier (RFC 5280, 4.2.1.2).
const SUBJECT_KEY_ID: &str = "2.5.29.14";
/// Value of the version field of X.509 version 3 (RFC 5280, 4.1.2.1).
const VERSION_3: i32 = 2;

/// The centre's authority with its key.
pub struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    /// Loads the authority from a folder of keys; none where the authority's key is not in the folder.
    ///
    /// # Errors
    /// A file cannot be read, or key and certificate do not belong together.
    pub fn load(folder: &Path) -> Result<Option<Authority>, LoadError> {
        let (key_path, certificate_path) = (folder.join(AUTHORITY_KEY), folder.join(AUTHORITY_CERTIFICATE));
        let key = match std::fs::read(&key_path) {
            Ok(pem) => pem,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LoadError::Read { path: key_path, source }),
        };
        let certificate = std::fs::read(&certificate_path)
            .map_err(|source| LoadError::Read { path: certificate_path.clone(), source })?;
        let unfit = |path: &Path, source| LoadError::Unfit { path: path.to_path_buf(), source };
        let certificate = X509::from_pem(&certificate)
            .map_err(|why| unfit(&certificate_path, KeyError::Unreadable { what: "a certificate in PEM", why }))?;
        let key = PKey::private_key_from_pem(&key)
            .map_err(|why| unfit(&key_path, KeyError::Unreadable { what: "a private key in PEM", why }))?;
        if !certificate.public_key().is_ok_and(|public| public.public_eq(&key)) {
            return Err(unfit(&key_path, KeyError::NotAPair));
        }
        Ok(Some(Authority { certificate, key }))
    }

    fn issued(&self, issuing: &Issuing<'_>) -> Result<Vec<u8>, ErrorStack> {
        let mut name = X509NameBuilder::new()?;
        let common: String = format!("agency {:06} {}", u32::from(issuing.agency), issuing.installation)
            .chars()
            .take(NAME_CHARS_MAX)
            .collect();
        name.append_entry_by_nid(Nid::COMMONNAME, &common)?;
        let mut serial = BigNum::new()?;
        // The highest bit is set, so that all serial numbers have the same length.
        serial.rand(SERIAL_BITS, MsbOption::ONE, false)?;
        let brought = X509::from_der(issuing.brought.der())?;
        let key = brought.public_key()?;
        let mut builder = X509Builder::new()?;
        builder.set_version(VERSION_3)?;
        let serial = Asn1Integer::from_bn(&serial)?;
        builder.set_serial_number(&serial)?;
        builder.set_issuer_name(self.certificate.subject_name())?;
        builder.set_subject_name(&name.build())?;
        builder.set_pubkey(&key)?;
        let (not_before, not_after) = (issuing.not_before.timestamp(), issuing.not_after.timestamp());
        let (not_before, not_after) = (Asn1Time::from_unix(not_before)?, Asn1Time::from_unix(not_after)?);
        builder.set_not_before(&not_before)?;
        builder.set_not_after(&not_after)?;
        builder.append_extension(BasicConstraints::new().critical().build()?)?;
        let mut usage = KeyUsage::new();
        usage.critical().digital_signature();
        // The key usage admits encryption too, because answers are encrypted for this key.
        let usage = if key.id() == Id::RSA { usage.key_encipherment() } else { usage.key_agreement() };
        builder.append_extension(usage.build()?)?;
        builder.append_extension(key_id(issuing.brought.key_id())?)?;
        let authority_key_id = {
            let context = builder.x509v3_context(Some(&self.certificate), None);
            AuthorityKeyIdentifier::new().keyid(false).build(&context)?
        };
        builder.append_extension(authority_key_id)?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        builder.build().to_der()
    }
}

/// Makes the extension with the key identifier of the office's own certificate, so that the office's letters refer to the key as before.
fn key_id(id: &[u8]) -> Result<X509Extension, ErrorStack> {
    let length = u8::try_from(id.len()).unwrap_or(u8::MAX);
    // The value is a DER octet string; its length takes one octet, since key identifiers have at most 64 octets.
    let value: Vec<u8> = [0x04, length].into_iter().chain(id.iter().copied()).collect();
    let (object, value) = (Asn1Object::from_str(SUBJECT_KEY_ID)?, Asn1OctetString::new_from_bytes(&value)?);
    X509Extension::new_from_der(&object, false, &value)
}

impl CertificateIssuer for Authority {
    fn issue(&self, issuing: &Issuing<'_>) -> Result<Vec<u8>, String> {
        self.issued(issuing).map_err(|error| error.to_string())
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

#[cfg(test)]
mod tests {
    use chrono::{SubsecRound, TimeDelta, Utc};
    use sdc::keys::RegisteredCertificate;
    use sdc::letter::Matricule;

    use super::*;
    use crate::authority;

    #[test]
    fn issued_is_a_certificate_of_the_same_key_by_the_same_name() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Authority::load(folder.path()).unwrap().is_none());
        let files = authority::make("centre-x").unwrap();
        for (name, text) in &files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let authority = Authority::load(folder.path()).unwrap().unwrap();
        let (from, to) = (Utc::now().trunc_subsecs(0), Utc::now().trunc_subsecs(0) + TimeDelta::days(825));
        for stem in authority::CENTRE_PAIRS {
            // The centre's certificates serve as examples: they have a key identifier, and one is of each kind of key.
            let pem = std::fs::read(folder.path().join(format!("{stem}.crt"))).unwrap();
            let brought = RegisteredCertificate::from_pem(&pem).unwrap();
            let (agency, installation) = (Matricule::try_from(42).unwrap(), "main");
            let issuing = Issuing { agency, installation, brought: &brought, not_before: from, not_after: to };
            let der = authority.issue(&issuing).unwrap();
            let issued = RegisteredCertificate::from_der(&der).unwrap();
            assert_eq!((issued.spki_sha256(), issued.key_id()), (brought.spki_sha256(), brought.key_id()), "{stem}");
            assert_eq!((issued.validity(), issued.is_authority()), ((from, to), false));
            let x509 = X509::from_der(&der).unwrap();
            assert!(x509.verify(&authority.certificate.public_key().unwrap()).unwrap());
            assert_eq!(authority.certificate.issued(&x509), openssl::x509::X509VerifyResult::OK);
            assert_ne!(der, authority.issue(&issuing).unwrap(), "no serial number comes twice");
        }
        std::fs::copy(folder.path().join("centre-p256.key"), folder.path().join(AUTHORITY_KEY)).unwrap();
        Authority::load(folder.path()).unwrap_err();
    }
}
