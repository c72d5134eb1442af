//! A letter whose key is not registered is read only if it is an enrolment that this key has signed.

use chrono::Utc;
use rcgen::{CertificateParams, IsCa, Issuer, KeyPair};
use uuid::Uuid;

use super::*;
use crate::cms::{self, ContentCipher};
use crate::document::{Document, DocumentLimits};
use crate::keys::{CentreKeys, SigningKey};
use crate::letter::{FORMAT_VERSION, Mode, Office};
use crate::request::{EnrolmentCode, Message};

struct Key {
    pair: KeyPair,
    key: SigningKey,
}

fn key() -> Key {
    let pair = KeyPair::generate().unwrap();
    let certificate = parameters().self_signed(&pair).unwrap();
    let key = SigningKey::from_pem(pair.serialize_pem().as_bytes(), certificate.pem().as_bytes()).unwrap();
    Key { pair, key }
}

fn parameters() -> CertificateParams {
    let mut parameters = CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters
}

fn letter(request: Request) -> Letter {
    Letter {
        sdc: FORMAT_VERSION,
        id: Uuid::now_v7(),
        from: Office { agency: 42.try_into().unwrap(), installation: "pc2".to_owned() },
        to: "centre".to_owned(),
        sequence: 1,
        time: Utc::now(),
        mode: Mode::Live,
        seen: None,
        request,
    }
}

fn enrolling(certificate: &[u8]) -> Request {
    Request::Enrol(Enrol { code: EnrolmentCode::typed("ABCD"), certificate: certificate.to_vec() })
}

/// Signs octets, seals them for a centre, and opens them as that centre.
fn opened(octets: &[u8], signer: &SigningKey) -> Opened {
    let centre = key().key;
    let der = cms::seal(octets, signer, centre.certificate(), ContentCipher::Aes256Gcm).unwrap();
    let document = Document::parse(&Document::render(&der, None), &DocumentLimits::default()).unwrap();
    cms::open(&document, &CentreKeys::new(vec![centre])).unwrap()
}

fn read(letter: &Letter, signer: &SigningKey) -> Result<Enrolment, RefusalCode> {
    let octets = payload::write_letter(letter, &PayloadLimits::default()).unwrap();
    Enrolment::read(opened(&octets, signer)).map_err(|refusal| refusal.code)
}

#[test]
fn an_enrolment_is_read_once_its_own_key_has_signed_it() {
    let own = key();
    let letter = letter(enrolling(own.key.certificate().der()));
    let enrolment = read(&letter, &own.key).unwrap();
    assert_eq!(enrolment.certificate.fingerprint(), own.key.certificate().fingerprint());
    assert_eq!((enrolment.letter.id, enrolment.enrol.code.as_str()), (letter.id, "ABCD"));
    let octets = payload::write_letter(&letter, &PayloadLimits::default()).unwrap();
    assert_eq!(enrolment.digest, Digest::of(&octets));
    assert_eq!(format!("{enrolment:?}"), format!("Enrolment(000042 {})", enrolment.digest));
}

#[test]
fn whoever_has_not_the_key_of_the_certificate_is_refused() {
    let (own, other) = (key(), key());
    // A sender has seen the certificate of another office in transit, and puts it into its own letter. It does not have the key of that
    // certificate, so it must sign the letter with its own key, and the letter is refused.
    assert_eq!(
        read(&letter(enrolling(other.key.certificate().der())), &own.key).unwrap_err(),
        RefusalCode::EnrolmentRefused
    );
    // The certificate in the letter is of the sender's own key, but an authority has signed it. Only a certificate that is signed with its
    // own key is admitted, so the letter is refused.
    let mut authority = parameters();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issued = parameters().signed_by(&own.pair, &Issuer::from_params(&authority, &other.pair)).unwrap();
    assert_eq!(read(&letter(enrolling(issued.der())), &own.key).unwrap_err(), RefusalCode::EnrolmentRefused);
    assert_eq!(read(&letter(enrolling(b"no certificate")), &own.key).unwrap_err(), RefusalCode::EnrolmentRefused);
}

#[test]
fn nothing_else_is_read_of_a_key_that_nobody_knows() {
    let own = key();
    let message = Request::Message(Message { thread: None, text: "x".to_owned() });
    assert_eq!(read(&letter(message), &own.key).unwrap_err(), RefusalCode::UnknownSigner);
    for octets in [&b"{}"[..], b"", b"\x28\xb5\x2f\xfd", &vec![b' '; ENROLMENT_BYTES_MAX + 1]] {
        let refusal = Enrolment::read(opened(octets, &own.key)).unwrap_err();
        assert_eq!((refusal.code, refusal.parameters.len()), (RefusalCode::UnknownSigner, 0), "nothing is told of it");
    }
    // The compressed payload has few octets, but would unpack to more than an enrolment may have. It is unpacked only up to that limit, and
    // the letter is refused.
    let long = format!("{}{}", " ".repeat(ENROLMENT_BYTES_MAX), "{}");
    let packed = payload::pack(long.as_bytes());
    assert!(packed.len() < 1000);
    assert_eq!(Enrolment::read(opened(&packed, &own.key)).unwrap_err().code, RefusalCode::UnknownSigner);
}
