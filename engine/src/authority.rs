//! The centre's keys and certificates: its certification authority, a P-256 pair and an RSA-2048 pair.
//!
//! A letter is sealed for a P-256 key by key agreement, and for an RSA key by key transport (RFC 5652, 6.2). The centre needs both pairs,
//! because the software of some offices knows only RSA and cannot do key agreement. `init` makes all of them, once.

use chrono::{Datelike, Days, Months, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd,
};

/// Validity of the authority's certificate and of the centre's own certificates, in years.
const YEARS: u32 = 10;

/// File name of the authority's certificate.
pub const AUTHORITY_CERTIFICATE: &str = "authority.crt";
/// File name of the authority's key.
pub const AUTHORITY_KEY: &str = "authority.key";
/// Stems of the file names of the centre's pairs: `<stem>.crt` and `<stem>.key`. The first pair signs.
pub const CENTRE_PAIRS: [&str; 2] = ["centre-p256", "centre-rsa"];

/// Makes all keys and certificates, and returns them as file names and PEM texts.
///
/// # Errors
/// The cryptographic library refuses.
pub fn make(server_name: &str) -> Result<Vec<(&'static str, String)>, rcgen::Error> {
    let authority_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut authority = parameters(&format!("{server_name} authority"));
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::from_params(&authority, &authority_key);

    let elliptic = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let elliptic_certificate = centre(server_name, KeyUsagePurpose::KeyAgreement).signed_by(&elliptic, &issuer)?;
    let rsa_certificate = centre(server_name, KeyUsagePurpose::KeyEncipherment).signed_by(&rsa, &issuer)?;
    Ok(vec![
        (AUTHORITY_KEY, authority_key.serialize_pem()),
        (AUTHORITY_CERTIFICATE, authority_certificate.pem()),
        ("centre-p256.key", elliptic.serialize_pem()),
        ("centre-p256.crt", elliptic_certificate.pem()),
        ("centre-rsa.key", rsa.serialize_pem()),
        ("centre-rsa.crt", rsa_certificate.pem()),
    ])
}

fn centre(server_name: &str, opens_by: KeyUsagePurpose) -> CertificateParams {
    let mut parameters = parameters(server_name);
    // The certificate says that it is not an authority's, and contains the subject key identifier by which CMS refers to the recipient.
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.use_authority_key_identifier_extension = true;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature, opens_by];
    parameters
}

fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    parameters.distinguished_name = distinguished;
    // The certificates are valid from yesterday, because clocks at offices may be slow.
    let from = Utc::now().date_naive() - Days::new(1);
    let to = from + Months::new(12 * YEARS);
    let day = |date: chrono::NaiveDate| {
        // Months and days of the calendar fit into a `u8`.
        date_time_ymd(date.year(), u8::try_from(date.month()).unwrap_or(1), u8::try_from(date.day()).unwrap_or(1))
    };
    parameters.not_before = day(from);
    parameters.not_after = day(to);
    parameters
}

#[cfg(test)]
mod tests {
    use openssl::pkey::PKey;
    use openssl::x509::X509;

    use super::*;

    #[test]
    fn the_pairs_fit_and_the_authority_vouches_for_them() {
        let files: std::collections::BTreeMap<_, _> = make("centre-x").unwrap().into_iter().collect();
        let authority = X509::from_pem(files[AUTHORITY_CERTIFICATE].as_bytes()).unwrap();
        assert!(authority.verify(&authority.public_key().unwrap()).unwrap());
        for stem in CENTRE_PAIRS {
            let certificate = X509::from_pem(files[format!("{stem}.crt").as_str()].as_bytes()).unwrap();
            let key = PKey::private_key_from_pem(files[format!("{stem}.key").as_str()].as_bytes()).unwrap();
            assert!(certificate.public_key().unwrap().public_eq(&key), "{stem}");
            assert!(certificate.verify(&authority.public_key().unwrap()).unwrap(), "{stem}");
            assert!(certificate.subject_key_id().is_some_and(|id| id.as_slice().len() == 20), "{stem}");
        }
    }
}
