//! Prints what a letter costs on one core: bytes on the wire, and microseconds to seal, open and verify.
//!
//! `cargo run --release -p sdc --example cost`

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use rcgen::{
    CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, RsaKeySize,
};
use sdc::cms::{self, ContentCipher};
use sdc::document::{Document, DocumentLimits};
use sdc::keys::{CentreKeys, RegisteredCertificate, SigningKey};
use sdc::prescan::scan_enveloped;

const BATCHES: u32 = 100;
const ROUNDS: u32 = 10;
/// About what a birth record takes once compressed.
const OCTETS: [u8; 200] = [b'x'; 200];

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let pairs = [
        ("P-256", KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?, KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?),
        ("P-384", KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?, KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?),
        (
            "RSA-2048",
            KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?,
            KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?,
        ),
    ];
    println!("{} signed octets, {}", OCTETS.len(), openssl::version::version());
    println!("             empty  letter     seal  prescan     open   verify  certificate");
    println!("             bytes   bytes       µs       µs       µs       µs           µs");
    for (kind, office, centre) in pairs {
        print_costs(kind, &signing_key(&office)?, &signing_key(&centre)?)?;
    }
    Ok(())
}

fn signing_key(key: &KeyPair) -> Outcome<SigningKey> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::ExplicitNoCa;
    let certificate = params.self_signed(key)?;
    Ok(SigningKey::from_pem(key.serialize_pem().as_bytes(), certificate.pem().as_bytes())?)
}

fn print_costs(kind: &str, office: &SigningKey, centre: &SigningKey) -> Outcome<()> {
    let keys = CentreKeys::new(vec![centre.clone()]);
    let seal = |octets: &[u8]| -> Outcome<Vec<u8>> {
        Ok(Document::render(&cms::seal(octets, office, centre.certificate(), ContentCipher::Aes256Gcm)?, None))
    };
    let text = seal(&OCTETS)?;
    let document = Document::parse(&text, &DocumentLimits::default())?;
    let certificate = office.certificate().der().to_vec();
    let read = || Document::parse(&text, &DocumentLimits::default());
    let sealing = micros(|| seal(&OCTETS))?;
    let scanning = micros(|| Ok(scan_enveloped(document.der())?))?;
    let opening = micros(|| Ok(cms::open(&read()?, &keys)?))?;
    let both = micros(|| Ok(cms::open(&read()?, &keys)?.verify(office.certificate())?))?;
    let parsing = micros(|| Ok(RegisteredCertificate::registered(&certificate)?))?;
    println!(
        "{kind:9} {:8} {:7} {sealing:8.1} {scanning:8.2} {opening:8.1} {:8.1} {parsing:12.1}",
        seal(&[])?.len(),
        text.len(),
        both - opening
    );
    Ok(())
}

/// Times the quietest of many batches, since other programs only ever make it slower.
fn micros<T>(mut work: impl FnMut() -> Outcome<T>) -> Outcome<f64> {
    let mut quietest = f64::MAX;
    for _ in 0..BATCHES {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(work()?);
        }
        quietest = quietest.min(start.elapsed().as_secs_f64());
    }
    Ok(quietest * 1e6 / f64::from(ROUNDS))
}
