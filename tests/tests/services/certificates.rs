//! Tests of enrolment and of the renewal of keys through the program. A centre with an authority issues certificates, which the stock
//! `openssl` verifies. A centre without one keeps the self-signed certificate of the office.

use std::fs;
use std::path::Path;
use std::process::Command;

use agency::identity::{Algorithm, Identity};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sdc::answer::receipt::Verdict;
use sdc::answer::{Answer, AnswerContent};
use sdc::keys::RegisteredCertificate;
use sdc::payload::PayloadForm;
use sdc::refusal::RefusalCode;
use sdc::request::{Enrol, EnrolmentCode, Period, Renew, Request};

use super::world::{Desk, World};

/// A key with its self-signed certificate. The PEM of the key is kept, so that it can be combined with a certificate that the centre
/// issues.
struct Own {
    key: String,
    identity: Identity,
}

impl Own {
    fn make(algorithm: Algorithm) -> Own {
        let (key, certificate) = Identity::generate_pem("office", algorithm).unwrap();
        let identity = Identity::from_pem(key.as_bytes(), certificate.as_bytes()).unwrap();
        Own { key, identity }
    }

    fn der(&self) -> Vec<u8> {
        self.identity.certificate().der().to_vec()
    }

    /// Returns the key with the certificate that the centre issued for it.
    fn with(&self, certificate: &[u8]) -> Identity {
        let lines: Vec<String> = BASE64
            .encode(certificate)
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8(line.to_vec()).unwrap())
            .collect();
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
        Identity::from_pem(self.key.as_bytes(), pem.as_bytes()).unwrap()
    }
}

/// Says whether the stock `openssl` verifies a certificate with the certificate of an authority.
fn is_verified(world: &World, certificate: &[u8], authority: &Path) -> bool {
    let (der, pem) = (world.engine.place().join("issued.der"), world.engine.place().join("issued.pem"));
    fs::write(&der, certificate).unwrap();
    let openssl = |arguments: &[&str]| Command::new("openssl").args(arguments).output().unwrap();
    let [der, pem] = [&der, &pem].map(|path| path.to_str().unwrap());
    assert!(openssl(&["x509", "-inform", "DER", "-in", der, "-out", pem]).status.success());
    let verified = openssl(&["verify", "-CAfile", authority.to_str().unwrap(), pem]);
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert_eq!(verified.status.success(), said.ends_with(": OK\n"), "{said}");
    verified.status.success()
}

/// Returns the certificate that an answer contains.
fn given(answer: Answer) -> Vec<u8> {
    assert_eq!(answer.receipt.verdict, Verdict::Accepted, "{:?}", answer.receipt.refusal);
    let certificate = match answer.body.unwrap().content {
        AnswerContent::Enrolled(issued) | AnswerContent::Renewed(issued) => issued.certificate,
        other => panic!("{other:?}"),
    };
    BASE64.decode(certificate).unwrap()
}

/// Says whether the list of certificates that operators see has this certificate.
fn is_registered(world: &World, agency: u32, certificate: &[u8]) -> bool {
    let fingerprint = RegisteredCertificate::from_der(certificate).unwrap().fingerprint().to_string();
    let listed = world.done(&["cert", "list", "--agency", &agency.to_string()]);
    listed.as_array().unwrap().iter().any(|line| line["fingerprint"].to_string().contains(&fingerprint))
}

fn renewing(own: &Own) -> Request {
    Request::Renew(Renew { certificate: own.der() })
}

fn asking() -> Request {
    Request::Account(Period { from: None, to: None })
}

/// Asks for the statement of the account. Returns the code of the refusal, or `None` where the letter is accepted.
fn ask(world: &mut World, desk: &mut Desk) -> Option<RefusalCode> {
    let sent = world.send(desk, asking());
    world.verdict(desk, &sent).refusal.map(|refusal| refusal.code)
}

/// Changes the end of validity of every certificate of an agency. `when` is an interval from now, negative for the past.
fn end(world: &World, agency: u32, when: &str) {
    world.run(&format!(
        "UPDATE xm.certificates SET not_before = now() - interval '800 days', not_after = now() + interval '{when}' WHERE agency = {agency}"
    ));
}

/// Adds an agency, and enrols an installation of it with a code that an operator has made.
fn enrol(world: &mut World, agency: u32, own: &Own) -> (Desk, Vec<u8>) {
    world.add_agency(agency);
    let told = world.done(&["enrolment", "code", &agency.to_string()]);
    let code = EnrolmentCode::typed(told["code"].as_str().unwrap());
    let mut desk = world.desk(agency, "pc1", PayloadForm::Json, own.identity.clone());
    let sent = world.send(&mut desk, Request::Enrol(Enrol { code, certificate: own.der() }));
    let certificate = given(world.answer(&mut desk, &sent, 1, 1));
    (desk, certificate)
}

fn renew(world: &mut World, desk: &mut Desk, next: &Own) -> Vec<u8> {
    let sent = world.send(desk, renewing(next));
    given(world.answer(desk, &sent, 1, 1))
}

#[test]
fn the_authority_issues_what_stock_openssl_verifies_and_letters_are_signed_with() {
    let mut world = World::found(true);
    let authority = world.engine.data().join("keys/authority.crt");
    world.open();
    let own = Own::make(Algorithm::P256);
    let (mut desk, issued) = enrol(&mut world, 44, &own);
    assert!(issued != own.der() && is_verified(&world, &issued, &authority) && is_registered(&world, 44, &issued));
    assert!(!is_verified(&world, &own.der(), &authority), "the test could fail");
    desk.adopt(own.with(&issued));
    assert_eq!(ask(&mut world, &mut desk), None);

    // Two agencies renew their keys, from P-256 to P-384, to RSA and back. The first key of agency 44 was enrolled by a code; that of
    // agency 42 was registered by an operator who compared its fingerprint.
    let mut pinned = world.settle(42, PayloadForm::Frame { dictionary: 1 });
    for (agency, desk) in [(44, &mut desk), (42, &mut pinned)] {
        for algorithm in [Algorithm::P384, Algorithm::Rsa2048, Algorithm::P256] {
            end(&world, agency, "30 days");
            let next = Own::make(algorithm);
            let issued = renew(&mut world, desk, &next);
            assert!(issued != next.der() && is_verified(&world, &issued, &authority), "{algorithm:?}");
            assert!(is_registered(&world, agency, &issued), "{algorithm:?}");
            let (from, to) = RegisteredCertificate::from_der(&issued).unwrap().validity();
            assert_eq!((to - from).num_days(), 826, "from yesterday on, since clocks at offices are wrong");
            // The renewal does not end the former certificate: until it ends by itself, letters that its key signs are still accepted.
            assert_eq!(ask(&mut world, desk), None);
            desk.adopt(next.with(&issued));
            assert_eq!(ask(&mut world, desk), None, "{algorithm:?}");
        }
    }
    world.engine.stop().unwrap();
}

#[test]
fn without_an_authority_s_key_what_an_office_brought_is_kept() {
    let mut world = World::found(false);
    let authority = world.engine.data().join("keys/authority.crt");
    world.open();
    let own = Own::make(Algorithm::P256);
    let (mut desk, kept) = enrol(&mut world, 44, &own);
    assert!(kept == own.der() && is_registered(&world, 44, &kept) && !is_verified(&world, &kept, &authority));
    assert_eq!(ask(&mut world, &mut desk), None);
    end(&world, 44, "30 days");
    let next = Own::make(Algorithm::P384);
    let kept = renew(&mut world, &mut desk, &next);
    assert!(kept == next.der() && is_registered(&world, 44, &kept) && !is_verified(&world, &kept, &authority));
    desk.adopt(next.identity.clone());
    assert_eq!(ask(&mut world, &mut desk), None);
    world.engine.stop().unwrap();
}

#[test]
fn a_key_is_renewed_from_60_days_before_its_end_to_90_after_and_never_once_revoked() {
    let mut world = World::found(true);
    let mut desk = world.settle(42, PayloadForm::Json);
    world.open();
    let next = Own::make(Algorithm::P256);
    end(&world, 42, "60 days 1 hour");
    let sent = world.send(&mut desk, renewing(&next));
    let refusal = world.answer(&mut desk, &sent, 1, 0).receipt.refusal.unwrap();
    assert_eq!(refusal.code, RefusalCode::RenewalEarly);
    assert!(refusal.parameters["from"].parse::<chrono::DateTime<chrono::Utc>>().is_ok(), "{refusal}");
    end(&world, 42, "59 days 23 hours");
    renew(&mut world, &mut desk, &next);

    // The certificate of agency 43 has ended. Its letters are refused, except that for 90 days it may still renew its key.
    let mut late = world.settle(43, PayloadForm::Json);
    let last = Own::make(Algorithm::P256);
    end(&world, 43, "-90 days -1 hour");
    let sent = world.send(&mut late, renewing(&last));
    let refusal = world.answer(&mut late, &sent, 1, 0).receipt.refusal.unwrap();
    assert_eq!(refusal.code, RefusalCode::CertificateExpired);
    end(&world, 43, "-89 days -23 hours");
    assert_eq!(ask(&mut world, &mut late), Some(RefusalCode::CertificateExpired));
    let issued = renew(&mut world, &mut late, &last);
    late.adopt(last.with(&issued));
    assert_eq!(ask(&mut world, &mut late), None);

    // Agency 45 gets a second key, and the certificate of its first is revoked, as after a theft. A letter that the revoked key signs gets
    // no answer. A letter that the other key signs cannot register the revoked key anew.
    let mut stolen = world.settle(45, PayloadForm::Json);
    end(&world, 45, "30 days");
    let (further, other) = (Own::make(Algorithm::P256), Own::make(Algorithm::P256));
    let issued = renew(&mut world, &mut stolen, &further);
    let first = stolen.identity().certificate().fingerprint().to_string();
    world.engine.operate(&["cert", "revoke", &first, "--reason", "lost", "--yes"]).unwrap();
    world.send(&mut stolen, renewing(&other));
    let revoked = |world: &World| world.done(&["quarantine", "list", "--reason", "certificate_revoked"]);
    let World { engine, .. } = &mut world;
    engine
        .wait_until("it is kept, and nobody is told", |engine| {
            let listed = engine.operate(&["--json", "quarantine", "list", "--reason", "certificate_revoked"])?;
            Ok(listed != "[]\n")
        })
        .unwrap();
    assert_eq!(revoked(&world).as_array().unwrap().len(), 1);
    let former = Own { key: String::new(), identity: stolen.identity().clone() };
    stolen.adopt(further.with(&issued));
    let sent = world.send(&mut stolen, renewing(&former));
    let refusal = world.answer(&mut stolen, &sent, 1, 0).receipt.refusal.unwrap();
    assert_eq!(refusal.code, RefusalCode::CertificateInvalid);
    assert!(!is_registered(&world, 45, &other.der()));
    world.engine.stop().unwrap();
}
