//! Certificates made with rcgen and with the command `openssl`.

use std::process::Command;

use rcgen::{
    CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512,
    PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize,
};

use super::*;
use crate::cms::{self, ContentCipher, SignerId};
use crate::document::Document;

fn issued(key: &KeyPair) -> rcgen::Certificate {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    // The tests need certificates with a subject key identifier, which rcgen writes only where the certificate says whether it is an
    // authority.
    params.is_ca = IsCa::ExplicitNoCa;
    params.self_signed(key).unwrap()
}

fn openssl(folder: &tempfile::TempDir, arguments: &str) {
    let output =
        Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn file(folder: &tempfile::TempDir, name: &str) -> Vec<u8> {
    std::fs::read(folder.path().join(name)).unwrap()
}

/// Makes a self-signed certificate with the command `openssl`.
fn made(arguments: &str) -> Result<SigningKey, KeyError> {
    let folder = tempfile::tempdir().unwrap();
    openssl(&folder, &format!("req -x509 {arguments} -keyout k -out c -days 30 -subj /CN=test"));
    SigningKey::from_pem(&file(&folder, "k"), &file(&folder, "c"))
}

#[test]
fn what_rcgen_makes_seals_and_opens() {
    let pairs = [
        (KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(), "P-256"),
        (KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(), "P-384"),
        (KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap(), "RSA-2048"),
    ];
    for (key, algorithm) in pairs {
        let certificate = issued(&key);
        let key = SigningKey::from_pem(key.serialize_pem().as_bytes(), certificate.pem().as_bytes()).unwrap();
        RegisteredCertificate::from_der(certificate.der()).unwrap();
        let registered = RegisteredCertificate::registered(certificate.der()).unwrap();
        assert_eq!(registered.algorithm(), algorithm);
        assert_eq!(registered.signer_ids(), key.certificate().signer_ids());
        assert!(matches!(registered.written_id(ContentCipher::Aes256Gcm), SignerId::KeyId(_)));
        assert_eq!(registered.der(), certificate.der().as_ref());
        let der = cms::seal(b"octets", &key, &registered, ContentCipher::Aes256Gcm).unwrap();
        let document = Document::parse(&Document::render(&der, None), &Default::default()).unwrap();
        let opened = cms::open(&document, &CentreKeys::new(vec![key])).unwrap();
        assert!(registered.signer_ids().contains(opened.signer()), "{algorithm}");
        assert_eq!(opened.verify(&registered).unwrap().octets(), b"octets");
    }
}

#[test]
fn keys_outside_the_list_are_refused_by_name() {
    for (algorithm, refusal) in [(&PKCS_ED25519, "another algorithm"), (&PKCS_ECDSA_P521_SHA512, "EC on another curve")]
    {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let refused = RegisteredCertificate::from_der(issued(&key).der()).unwrap_err();
        assert!(matches!(&refused, KeyError::NotAdmitted(kind) if kind == refusal), "{refused}");
    }
    let cases = [
        ("-nodes -newkey rsa:1024", "RSA-1024"),
        ("-nodes -newkey rsa-pss -pkeyopt rsa_keygen_bits:2048", "RSA-PSS"),
        ("-nodes -newkey ec -pkeyopt ec_paramgen_curve:secp256k1", "EC on another curve"),
        (
            "-nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
            "EC without a named curve",
        ),
    ];
    for (arguments, refusal) in cases {
        let error = made(arguments).expect_err(arguments);
        assert!(matches!(&error, KeyError::NotAdmitted(kind) if kind == refusal), "{arguments}: {error}");
    }
}

#[test]
fn a_point_beside_its_curve_is_refused() {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut der = issued(&key).der().to_vec();
    let point = key.public_key_raw();
    let at = der.windows(point.len()).position(|window| window == point).unwrap();
    der[at + 10] ^= 1;
    for refused in [RegisteredCertificate::registered(&der), RegisteredCertificate::from_der(&der)] {
        assert!(matches!(refused, Err(KeyError::Unreadable { .. })), "{refused:?}");
    }
}

#[test]
fn the_times_of_validity_are_those_that_openssl_reads() {
    let times: [(&[u8], Option<&str>); 9] = [
        (b"\x17\x0d491231235959Z", Some("2049-12-31 23:59:59 UTC")),
        (b"\x17\x0d500101000000Z", Some("1950-01-01 00:00:00 UTC")),
        (b"\x18\x0f20500101000000Z", Some("2050-01-01 00:00:00 UTC")),
        (b"\x18\x0f99991231235959Z", Some("9999-12-31 23:59:59 UTC")),
        (b"\x17\x0b4912312359Z", None),
        (b"\x17\x0d490230000000Z", None),
        (b"\x17\x11491231235959+0100", None),
        (b"\x18\x1120500101000000.5Z", None),
        (b"\x17\x0d4912312359x9Z", None),
    ];
    for (der, expected) in times {
        let text = String::from_utf8_lossy(&der[2..]).into_owned();
        let read = fields::time(&mut crate::der::Reader::new(der)).map(|time| time.to_string()).ok();
        assert_eq!(read.as_deref(), expected, "{text}");
        if let Some(expected) = expected {
            let theirs = openssl::asn1::Asn1Time::from_str_x509(&text).unwrap();
            let ours = expected.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp();
            assert!(theirs == openssl::asn1::Asn1Time::from_unix(ours).unwrap(), "{text}");
        }
    }
}

#[test]
fn a_signature_that_names_another_certificate_is_not_verified_with_this_one() {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let signing = SigningKey::from_pem(key.serialize_pem().as_bytes(), issued(&key).pem().as_bytes()).unwrap();
    // A second certificate has the same key, but another key identifier. The signature refers to the first certificate, so the verification
    // with the second one must fail.
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![7; 20]);
    let renamed = RegisteredCertificate::from_der(params.self_signed(&key).unwrap().der()).unwrap();
    let der = cms::seal(b"octets", &signing, signing.certificate(), ContentCipher::Aes256Gcm).unwrap();
    let document = Document::parse(&Document::render(&der, None), &Default::default()).unwrap();
    let open = || cms::open(&document, &CentreKeys::new(vec![signing.clone()])).unwrap();
    assert!(open().verify(signing.certificate()).is_ok());
    assert_eq!(open().verify(&renamed).unwrap_err().code, crate::refusal::RefusalCode::SignatureInvalid);
}

#[test]
fn a_public_exponent_must_be_odd() {
    let certificate = made("-nodes -newkey rsa:2048").unwrap().certificate().der().to_vec();
    let at = certificate.windows(5).position(|window| window == [0x02, 0x03, 0x01, 0x00, 0x01]).unwrap();
    let mut even = certificate;
    even[at + 4] = 0;
    let error = RegisteredCertificate::from_der(&even).unwrap_err();
    assert!(matches!(&error, KeyError::NotAdmitted(kind) if kind.contains("exponent")), "{error}");
}

#[test]
fn one_key_has_one_encoding_and_so_one_hash() {
    let folder = tempfile::tempdir().unwrap();
    openssl(&folder, "ecparam -name prime256v1 -genkey -noout -out k");
    openssl(&folder, "ec -in k -conv_form compressed -out compressed");
    for key in ["k", "compressed"] {
        openssl(&folder, &format!("req -x509 -key {key} -days 30 -subj /CN=test -out {key}.crt"));
    }
    assert!(RegisteredCertificate::from_pem(&file(&folder, "k.crt")).is_ok());
    let error = RegisteredCertificate::from_pem(&file(&folder, "compressed.crt")).unwrap_err();
    assert!(matches!(&error, KeyError::NotAdmitted(kind) if kind == "EC with a compressed point"), "{error}");
}

#[test]
fn an_encrypted_key_is_refused_and_asks_nobody() {
    let error = made("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -passout pass:secret").unwrap_err();
    assert!(matches!(error, KeyError::Encrypted), "{error}");
}

#[test]
fn a_key_and_another_s_certificate_are_no_pair() {
    let pair = || {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = issued(&key);
        (key.serialize_pem(), certificate.pem())
    };
    let ((key, certificate), (_, other)) = (pair(), pair());
    assert!(SigningKey::from_pem(key.as_bytes(), certificate.as_bytes()).is_ok());
    assert!(matches!(SigningKey::from_pem(key.as_bytes(), other.as_bytes()), Err(KeyError::NotAPair)));
    assert!(matches!(SigningKey::from_pem(b"", certificate.as_bytes()), Err(KeyError::Unreadable { .. })));
    assert!(matches!(RegisteredCertificate::from_der(b"\x30\x00"), Err(KeyError::Unreadable { .. })));
}

#[test]
fn a_certificate_without_key_identifier_is_named_by_issuer_and_serial_alone() {
    let subject = "-nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -addext subjectKeyIdentifier";
    let key = made(&format!("{subject}=none -set_serial 0x80ff")).unwrap();
    let certificate = key.certificate();
    assert_eq!(certificate.key_id().len(), 20, "derived from the key");
    assert_eq!(certificate.serial(), [0x00, 0x80, 0xff], "as in the certificate, two's complement");
    let ids = certificate.signer_ids();
    assert!(matches!(ids.as_slice(), [SignerId::IssuerSerial { .. }]), "{ids:?}");
    let der = cms::seal(b"octets", &key, certificate, ContentCipher::Aes256Gcm).unwrap();
    let document = Document::parse(&Document::render(&der, None), &Default::default()).unwrap();
    let opened = cms::open(&document, &CentreKeys::new(vec![key.clone()])).unwrap();
    assert_eq!(*opened.signer(), ids[0]);
    assert_eq!(opened.verify(certificate).unwrap().octets(), b"octets");
    // OpenSSL and this crate derive the same key identifier.
    let derived = made(&format!("{subject}=hash")).unwrap();
    let spki = derived.x509.public_key().unwrap().public_key_to_der().unwrap();
    assert_eq!(derived.certificate().spki_sha256(), crate::digest::Digest::of(&spki));
    assert_eq!(derived.certificate().key_id(), openssl::sha::sha1(&spki[spki.len() - 65..]));
}

#[test]
fn stock_openssl_opens_what_is_sealed_for_any_registered_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let issue = "req -x509 -nodes -subj /C=FR/O=Mairie/CN=test";
    openssl(&folder, &format!("{issue} -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout ck -out centre"));
    let centre = SigningKey::from_pem(&file(&folder, "ck"), &file(&folder, "centre")).unwrap();
    let opens = |key: &str, name: &str| {
        openssl(&folder, &format!("{issue} -newkey {key} {name} -keyout k -out c"));
        openssl(&folder, "x509 -in c -outform DER -out der");
        let registered = RegisteredCertificate::registered(&file(&folder, "der")).unwrap();
        for cipher in [ContentCipher::Aes256Gcm, ContentCipher::Aes256Cbc] {
            let der = cms::seal(b"octets", &centre, &registered, cipher).unwrap();
            std::fs::write(folder.path().join("sealed"), der).unwrap();
            // `openssl` finds the recipient's entry in the envelope by the identifiers in the certificate `c`. So the envelope must have
            // the key identifier, or the issuer's name and the serial number, exactly as they are in the certificate.
            openssl(&folder, "cms -decrypt -binary -inform DER -in sealed -recip c -inkey k -out signed");
            openssl(&folder, "cms -verify -binary -noverify -inform DER -in signed -certfile centre -out opened");
            assert_eq!(file(&folder, "opened"), b"octets", "{key} {name}, {cipher:?}");
        }
    };
    for key in ["ec -pkeyopt ec_paramgen_curve:P-256", "ec -pkeyopt ec_paramgen_curve:P-384", "rsa:2048"] {
        opens(key, "-addext subjectKeyIdentifier=hash");
        for serial in ["0", "0x7f", "0x80", "0xff00", "-1", "-128", "-0x8001"] {
            opens(key, &format!("-addext subjectKeyIdentifier=none -set_serial {serial}"));
        }
    }
}

#[test]
fn validity_is_read_to_the_second() {
    let folder = tempfile::tempdir().unwrap();
    openssl(&folder, "req -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout k -out r -subj /CN=test");
    openssl(&folder, "x509 -req -in r -signkey k -days 10000 -out c");
    let certificate = RegisteredCertificate::from_pem(&file(&folder, "c")).unwrap();
    let (not_before, not_after) = certificate.validity();
    assert!((chrono::Utc::now() - not_before).num_minutes() < 5, "{not_before}");
    assert_eq!((not_after - not_before).num_days(), 10_000, "beyond 2049, in generalized time");
}

#[test]
fn both_ends_may_share_what_is_parsed_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<RegisteredCertificate>();
    shared::<CentreKeys>();
    shared::<cms::Opened>();
}

#[test]
fn this_machine_s_openssl_is_recent_enough() {
    check_openssl_version().unwrap();
    let error = KeyError::OpensslTooOld { found: "OpenSSL 3.0.2 15 Mar 2022" };
    assert!(error.to_string().contains("older than 3.0.22"));
}

#[test]
fn a_certificate_that_no_envelope_can_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let made = |arguments: &str| {
        let new = "-nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256";
        openssl(&folder, &format!("req -x509 {new} {arguments} -keyout k -out c -days 30"));
        SigningKey::from_pem(&file(&folder, "k"), &file(&folder, "c"))
    };
    let opens = |key: &SigningKey| {
        let der = cms::seal(b"octets", key, key.certificate(), ContentCipher::Aes256Gcm).unwrap();
        let document = Document::parse(&Document::render(&der, None), &Default::default()).unwrap();
        cms::open(&document, &CentreKeys::new(vec![key.clone()])).is_ok()
    };
    let id = |length: usize| format!("-subj /CN=test -addext subjectKeyIdentifier={}", "5A".repeat(length));
    let issuer = |length: usize| {
        let units = "/OU=".to_owned() + &vec!["a".repeat(64); length / 64].join("/OU=");
        format!("-subj {units} -addext subjectKeyIdentifier=none")
    };
    for named in [id(1), id(64), issuer(640)] {
        assert!(opens(&made(&named).unwrap()), "{named}");
    }
    for unnamed in [issuer(1024), id(65)] {
        let outcome = made(&unnamed);
        assert!(outcome.is_err(), "registered, but what is sealed for it opens: {}", opens(&outcome.unwrap()));
    }
}

#[test]
fn a_key_identifier_stands_once_and_whole() {
    let key = made("-nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -addext subjectKeyIdentifier=11223344").unwrap();
    let der = key.certificate().der();
    // The extension is 30 0b 06 03 55 1d 0e 04 06 04 04 11 22 33 44; its key identifier begins at the last 04 04. The length of the
    // identifier is changed to 2, so that octets remain after it, and to 0.
    let at = der.windows(6).position(|window| window == [0x04, 0x04, 0x11, 0x22, 0x33, 0x44]).unwrap();
    for length in [0, 2] {
        let mut bent = der.to_vec();
        bent[at + 1] = length;
        assert!(RegisteredCertificate::registered(&bent).is_err(), "{length}");
    }
}

#[test]
fn a_point_that_is_none_of_its_curve_makes_no_key() {
    use crate::prescan::KeyKind;
    for (kind, other, coordinate) in [(KeyKind::P256, KeyKind::P384, 32), (KeyKind::P384, KeyKind::P256, 48)] {
        let (_, good) = ephemeral(kind).unwrap();
        assert!(point(kind, &good).is_ok());
        let mut beside = good.clone();
        beside[2 * coordinate] ^= 1;
        let octets = |octet: u8| [&[4][..], &vec![octet; 2 * coordinate]].concat();
        for none in [beside, octets(0), octets(0xff), good[..2 * coordinate].to_vec(), Vec::new()] {
            assert!(point(kind, &none).is_err(), "{kind:?} {none:02x?}");
        }
        assert!(point(other, &good).is_err(), "{kind:?}");
        assert!(point(kind, &[0]).is_err(), "{kind:?}: infinity");
    }
}
