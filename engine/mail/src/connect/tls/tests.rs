//! Tests with certificates that mail servers really have. Each is accepted, or refused with the expected sentence for the operator.

use std::fs;

use chrono::{Datelike, Days, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::PrivateKeyDer;
use simulation::scripted::{Peer, serve};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::connect::{Dialer, Step, TestReport};

/// Certificates that a server sends (its own first), and the key of its own certificate.
struct Server {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "mail.example.org");
    params
}

/// Parameters of a self-signed certificate with CA:TRUE, as `openssl req -x509` makes it.
fn authority(names: &[&str]) -> CertificateParams {
    let mut params = params(names);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn signs_itself(params: &CertificateParams) -> Server {
    let key = KeyPair::generate().unwrap();
    Server { chain: vec![params.self_signed(&key).unwrap().der().clone()], key }
}

fn ministry(common_name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = authority(&[]);
    params.distinguished_name.push(DnType::CommonName, common_name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed_by(issuer: &CertifiedIssuer<'static, KeyPair>, params: &CertificateParams) -> Server {
    let key = KeyPair::generate().unwrap();
    Server { chain: vec![params.signed_by(&key, issuer).unwrap().der().clone()], key }
}

fn pem(certificates: &[&CertificateDer<'static>]) -> NamedTempFile {
    use base64::Engine;
    let file = NamedTempFile::new().unwrap();
    let blocks = certificates.iter().map(|der| {
        let base64 = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
    });
    fs::write(file.path(), blocks.collect::<String>()).unwrap();
    file
}

/// Dials a server that sends these certificates, with the certificates `named` in `ca_file`. Returns the reason if the handshake failed.
async fn dialled(server: &Server, named: &[&CertificateDer<'static>]) -> Result<(), TlsTrouble> {
    let key = PrivateKeyDer::try_from(server.key.serialize_der()).unwrap();
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    // The test server does not check that the key belongs to the chain, because some real servers send mismatched certificates.
    let shown = SingleCertAndKey::from(CertifiedKey::new(server.chain.clone(), key));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (port, _script) = serve(async move |tcp| drop(acceptor.accept(tcp).await)).await;
    dial(port, Security::Tls, named).await
}

async fn dial(port: u16, security: Security, named: &[&CertificateDer<'static>]) -> Result<(), TlsTrouble> {
    let file = pem(named);
    let ca_file = (!named.is_empty()).then(|| file.path());
    let dialer = Dialer::new(("localhost", port), security, ca_file, 60).unwrap();
    let Err(error) = dialer.dial(&mut TestReport::default()).await else { return Ok(()) };
    assert_eq!(error.step, Step::Tls, "{error}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("localhost:{port}: tls: ")) && !text.contains(char::is_control), "{text:?}");
    match error.cause {
        Cause::Tls(trouble) => Err(trouble),
        other => panic!("no sentence for: {other}"),
    }
}

/// Returns the day `days` days from now, and its parts in the form that rcgen needs.
fn day_from_now(days: i64) -> (NaiveDate, (i32, u8, u8)) {
    let day = (Utc::now() + TimeDelta::days(days)).date_naive();
    let [month, day_of_month] = [day.month(), day.day()].map(|part| u8::try_from(part).unwrap());
    (day, (day.year(), month, day_of_month))
}

#[tokio::test]
async fn a_certificate_that_ca_file_names_is_admitted_for_its_names_and_its_days() {
    let own = signs_itself(&authority(&["localhost"]));
    let other = signs_itself(&authority(&["localhost"]));
    let plain = signs_itself(&params(&["localhost"]));
    let signed = signed_by(&ministry("Ministère CA"), &params(&["localhost"]));
    for server in [&own, &plain, &signed] {
        assert_eq!(dialled(server, &[&other.chain[0], &server.chain[0]]).await, Ok(()));
    }
    // A certificate that merely resembles the one in `ca_file` is not accepted.
    assert!(dialled(&own, &[&other.chain[0]]).await.is_err());
    let elsewhere = signs_itself(&authority(&["elsewhere.example"]));
    let trouble = dialled(&elsewhere, &[&elsewhere.chain[0]]).await.unwrap_err();
    let found = vec!["elsewhere.example".to_owned()];
    assert_eq!(trouble, TlsTrouble::WrongName { expected: "localhost".to_owned(), found });
    let (ended, (year, month, day)) = day_from_now(-3);
    let mut late = authority(&["localhost"]);
    late.not_after = date_time_ymd(year, month, day);
    let late = signs_itself(&late);
    let trouble = dialled(&late, &[&late.chain[0]]).await.unwrap_err();
    assert!(matches!(trouble, TlsTrouble::Ended { ended: told, .. } if told == ended), "{trouble}");
    let (begins, (year, month, day)) = day_from_now(3);
    let mut early = authority(&["localhost"]);
    early.not_before = date_time_ymd(year, month, day);
    let early = signs_itself(&early);
    let trouble = dialled(&early, &[&early.chain[0]]).await.unwrap_err();
    assert!(matches!(trouble, TlsTrouble::NotBegun { begins: told, .. } if told == begins), "{trouble}");
    // A server that sends a certificate of `ca_file` must have its key.
    let thief = Server { chain: own.chain.clone(), key: KeyPair::generate().unwrap() };
    assert!(dialled(&thief, &[&own.chain[0]]).await.is_err());
}

#[tokio::test]
async fn a_signer_that_nobody_trusts_is_named() {
    let evil = "CA \u{1b}]0;evil\u{7}";
    for (name, told) in [("Ministère CA", "CN=Ministère CA"), (evil, "CN=CA \\1b]0\\;evil\\07")] {
        let server = signed_by(&ministry(name), &params(&["localhost"]));
        let trouble = dialled(&server, &[]).await.unwrap_err();
        assert_eq!(trouble, TlsTrouble::UnknownSigner { signer: told.to_owned() });
        assert!(trouble.to_string().ends_with("in ca_file"));
    }
    // The signer in the error is the one above all certificates that the server sends.
    let root = ministry("Root");
    let mut params_of_middle = authority(&[]);
    params_of_middle.distinguished_name.push(DnType::CommonName, "Middle");
    let middle = CertifiedIssuer::signed_by(params_of_middle, KeyPair::generate().unwrap(), &root).unwrap();
    let mut server = signed_by(&middle, &params(&["localhost"]));
    server.chain.push(middle.der().clone());
    assert_eq!(dialled(&server, &[]).await, Err(TlsTrouble::UnknownSigner { signer: "CN=Root".to_owned() }));
    assert_eq!(dialled(&server, &[root.der()]).await, Ok(()));

    assert_eq!(dialled(&signs_itself(&params(&["localhost"])), &[]).await, Err(TlsTrouble::SelfSigned));
    let other = ministry("Ministère CA");
    let server = signed_by(&ministry("Ministère CA"), &params(&["localhost"]));
    let trouble = dialled(&server, &[other.der()]).await;
    assert_eq!(trouble, Err(TlsTrouble::OtherSigner { signer: "CN=Ministère CA".to_owned() }));
    // The trusted certificate has the same name but a key of another kind, which can happen with the system's certificates.
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let mut namesake = authority(&[]);
    namesake.distinguished_name.push(DnType::CommonName, "Ministère CA");
    let namesake = CertifiedIssuer::self_signed(namesake, p384).unwrap();
    let trouble = dialled(&server, &[namesake.der()]).await;
    assert_eq!(trouble, Err(TlsTrouble::OtherSigner { signer: "CN=Ministère CA".to_owned() }));
}

#[tokio::test]
async fn every_other_certificate_has_its_sentence() {
    let ministry = ministry("Ministère CA");
    let trouble =
        async |params: CertificateParams| dialled(&signed_by(&ministry, &params), &[ministry.der()]).await.unwrap_err();
    let expected = "localhost".to_owned();
    assert_eq!(trouble(params(&[])).await, TlsTrouble::NoName { expected: expected.clone() });
    let many = params(&["a.example", "b.example", "127.0.0.1", "d.example", "e.example"]);
    let found = ["a.example", "b.example", "127.0.0.1", "2 others"].map(str::to_owned).to_vec();
    assert_eq!(trouble(many).await, TlsTrouble::WrongName { expected, found });
    assert_eq!(trouble(authority(&["localhost"])).await, TlsTrouble::Authority);
    let mut for_clients = params(&["localhost"]);
    for_clients.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    assert_eq!(trouble(for_clients).await, TlsTrouble::Purpose);
    let mut late = params(&["localhost"]);
    let (ended, (year, month, day)) = day_from_now(-3);
    late.not_after = date_time_ymd(year, month, day);
    let today = Utc::now().date_naive();
    let told = trouble(late).await;
    assert!(matches!(&told, TlsTrouble::Ended { today: told, .. } if [today, today + Days::new(1)].contains(told)));
    assert!(told.to_string().contains(&format!("ended on {ended}, and today is 20")), "{told}");

    let version_1 = Server {
        chain: vec![CertificateDer::from_pem_slice(VERSION_1.as_bytes()).unwrap()],
        key: KeyPair::from_pem(VERSION_1_KEY).unwrap(),
    };
    assert_eq!(dialled(&version_1, &[]).await, Err(TlsTrouble::Version1));
    assert_eq!(dialled(&version_1, &[&version_1.chain[0]]).await, Err(TlsTrouble::Version1));
    let rubbish = Server { chain: vec![CertificateDer::from(b"rubbish".to_vec())], key: KeyPair::generate().unwrap() };
    assert_eq!(dialled(&rubbish, &[]).await, Err(TlsTrouble::Unreadable));
}

#[test]
fn algorithms_are_named_by_their_identifiers() {
    let told = [
        (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5, 5, 0][..], "SHA-1"),
        (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4], "MD5"),
        (&[6, 3, 0x2b, 0x65, 0x71], "1.3.101.113"),
        (&[6, 200], "which cannot be read"),
        (&[], "which cannot be read"),
    ];
    for (encoded, name) in told {
        assert_eq!(algorithm(encoded), name);
    }
}

#[tokio::test]
async fn a_port_that_speaks_plain_text_is_told_apart() {
    for (greeting, expected) in [
        ("+OK ready\r\n", None),
        ("220 mail.example.org ESMTP\r\n", None),
        ("HTTP/1.1 400 Bad Request\r\n", None),
        ("", Some(TlsTrouble::Closed)),
    ] {
        let (port, _script) = serve(async move |tcp| {
            let mut peer = Peer::new(tcp);
            peer.say(greeting).await;
            if !greeting.is_empty() {
                while !peer.hear().await.is_empty() {}
            }
        })
        .await;
        let trouble = dial(port, Security::Tls, &[]).await.unwrap_err();
        assert_eq!(trouble, expected.unwrap_or(TlsTrouble::PlainPort { port }), "{greeting:?}");
    }
    // Two TLS alerts: `protocol_version`, which a server sends that knows only TLS 1.0, and `internal_error`, whose name is in the error.
    for (alert, expected) in
        [(70, TlsTrouble::NothingInCommon), (80, TlsTrouble::Alert { alert: "InternalError".to_owned() })]
    {
        let (port, _script) = serve(async move |tcp| {
            let mut peer = Peer::new(tcp);
            peer.say([21, 3, 3, 0, 2, 2, alert]).await;
            while !peer.hear().await.is_empty() {}
        })
        .await;
        assert_eq!(dial(port, Security::Tls, &[]).await.unwrap_err(), expected);
    }
}

#[test]
fn a_ca_file_without_a_certificate_is_refused() {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), "no certificate\n").unwrap();
    let problem = client_config(Some(file.path())).unwrap_err();
    assert!(problem.contains("found none"), "{problem}");
}

/// A certificate made by `openssl x509 -req` without extensions.
const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBIjCByQIUe0AXMRemq+wh7e5CIN29jCybQ7gwCgYIKoZIzj0EAwIwFDESMBAG\n\
A1UEAwwJbG9jYWxob3N0MB4XDTI2MTEyODIwMzcxMFoXDTM2MTEyNTIwMzcxMFow\n\
FDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n\
1r7iA0M8yGSAgVyUpSn6gcTh+x9DjVWoK5MOY4a5T5mmk3LmGNbd0oYsTZpS2kIH\n\
fSutjuOySQV1GR2F2yiyhjAKBggqhkjOPQQDAgNIADBFAiEAtXz7WNqVvORNnwxB\n\
HVt3Z0ZlFnFrx+BMOrWwMUvSUPUCIFOV9ZLwbww3ecTjfE8B7f0n2oQMUsoBf+HI\n\
9fWM0ABh\n\
-----END CERTIFICATE-----\n\
";
const VERSION_1_KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgfpq4DfdaIZritCXD\n\
8gTeZngRDYkzwFYjnAkvJ4d2zfWhRANCAATWvuIDQzzIZICBXJSlKfqBxOH7H0ON\n\
Vagrkw5jhrlPmaaTcuYY1t3ShixNmlLaQgd9K62O47JJBXUZHYXbKLKG\n\
-----END PRIVATE KEY-----\n\
";
