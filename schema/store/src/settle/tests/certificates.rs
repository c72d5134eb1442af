//! Tests of certificates in letters: an office renews its certificate in time, and an unknown installation enrols with a code.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{TimeDelta, Utc};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose};
use sdc::answer::AnswerContent;
use sdc::cms::{ContentCipher, SignerId};
use sdc::enrolment::Enrolment;
use sdc::keys::RegisteredCertificate;
use sdc::letter::{Letter, Mode};
use sdc::payload::PayloadForm;
use sdc::refusal::RefusalCode;
use sdc::request::{Enrol, EnrolmentCode, Renew, Request};

use super::REFUSED;
use super::world::World;
use crate::certificates::issuer::{CertificateIssuer, Issuing};
use crate::settle::{Arrival, Outcome, Settler, SettlingSettings};

/// Makes a self-signed certificate of a new key, as DER.
fn own() -> Vec<u8> {
    own_with(|_| {})
}

fn own_with(change: impl Fn(&mut CertificateParams)) -> Vec<u8> {
    let mut parameters = CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = IsCa::ExplicitNoCa;
    change(&mut parameters);
    parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn renewing(world: &World, agency: u32, sequence: u64, certificate: &[u8]) -> Letter {
    let request = Request::Renew(Renew { certificate: certificate.to_vec() });
    Letter { request, ..world.births(agency, sequence, &[]) }
}

async fn ends(world: &World, agency: u32, from_now: &str) {
    world
        .sql(&format!(
            "UPDATE xm.certificates SET not_before = now() - interval '2 years', not_after = now() + interval '{from_now}'
              WHERE agency = {agency}"
        ))
        .await;
}

/// Returns the certificate in the newest answer.
async fn told(world: &World) -> Vec<u8> {
    let (_, body) = super::statements::parts(world).await.pop().unwrap();
    let (AnswerContent::Renewed(issued) | AnswerContent::Enrolled(issued)) = body.content else {
        panic!("no certificate")
    };
    BASE64.decode(issued.certificate).unwrap()
}

fn named(certificate: &[u8]) -> SignerId {
    SignerId::KeyId(RegisteredCertificate::from_der(certificate).unwrap().key_id().to_vec())
}

const OF_42: &str = "SELECT count(*) FROM xm.certificates WHERE agency = 42";

#[tokio::test]
async fn an_office_renews_from_60_days_before_the_end_and_both_keys_sign_then() {
    let world = World::new().await;
    let certificate = own();
    ends(&world, 42, "61 days").await;
    let early = renewing(&world, 42, 1, &certificate);
    assert_eq!(world.settle(vec![world.arrival(&early).await]).await, [REFUSED(RefusalCode::RenewalEarly)]);
    let parameters = world.receipt(&early).await.refusal.unwrap().parameters;
    assert!(parameters["from"].starts_with(&(Utc::now() + TimeDelta::days(1)).format("%Y-").to_string()));
    ends(&world, 42, "59 days").await;
    let letter = renewing(&world, 42, 2, &certificate);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Accepted]);
    assert_eq!((told(&world).await == certificate, world.count(OF_42).await), (true, 2));
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Duplicate]);
    // An office that has not received the answer requests the renewal again, and gets the same certificate.
    let again = renewing(&world, 42, 3, &certificate);
    assert_eq!(world.settle(vec![world.arrival(&again).await]).await, [Outcome::Accepted]);
    assert_eq!((told(&world).await == certificate, world.count(OF_42).await), (true, 2));
    let (old, new) = (world.births(42, 4, &[("CE-042", 1)]), world.births(42, 5, &[("CE-042", 2)]));
    let batch = vec![world.arrival(&old).await, world.arrival_of(&named(&certificate), &new).await];
    assert_eq!(world.settle(batch).await, [Outcome::Accepted; 2]);
}

#[tokio::test]
async fn an_office_renews_until_90_days_after_the_end_and_does_nothing_else_then() {
    let world = World::new().await;
    ends(&world, 42, "-89 days").await;
    let births = world.births(42, 1, &[("CE-042", 1)]);
    assert_eq!(world.settle(vec![world.arrival(&births).await]).await, [REFUSED(RefusalCode::CertificateExpired)]);
    ends(&world, 43, "-91 days").await;
    let late = renewing(&world, 43, 1, &own());
    assert_eq!(world.settle(vec![world.arrival(&late).await]).await, [REFUSED(RefusalCode::CertificateExpired)]);
    let certificate = own();
    let letter = renewing(&world, 42, 2, &certificate);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Accepted]);
    let births = world.births(42, 3, &[("CE-042", 1)]);
    let arrival = world.arrival_of(&named(&certificate), &births).await;
    assert_eq!(world.settle(vec![arrival]).await, [Outcome::Accepted]);
}

#[tokio::test]
async fn a_key_is_one_agency_s_for_ever_and_a_revoked_one_nobody_s() {
    let world = World::new().await;
    for agency in [42, 43] {
        ends(&world, agency, "30 days").await;
    }
    // Two agencies send the same key, first in one batch, then in two.
    let certificate = own();
    let batch = [renewing(&world, 42, 1, &certificate), renewing(&world, 43, 1, &certificate)];
    let outcomes = world.settle(vec![world.arrival(&batch[0]).await, world.arrival(&batch[1]).await]).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Accepted).count(), 1, "{outcomes:?}");
    assert!(outcomes.contains(&REFUSED(RefusalCode::CertificateInvalid)));
    let owner = world.count("SELECT agency FROM xm.certificates ORDER BY id DESC LIMIT 1").await;
    let other = if owner == 42 { 43 } else { 42 };
    let theirs = renewing(&world, other, 2, &certificate);
    assert_eq!(world.settle(vec![world.arrival(&theirs).await]).await, [REFUSED(RefusalCode::CertificateInvalid)]);
    let expected = world.receipt(&theirs).await.refusal.unwrap().parameters["expected"].clone();
    assert!(expected.contains("of its own"), "{expected}");

    world
        .sql(&format!(
            "UPDATE xm.agency_keys SET revoked_at = now() WHERE agency = {owner} AND spki_sha256 <> sha256('{owner}')"
        ))
        .await;
    let revoked = renewing(&world, u32::try_from(owner).unwrap(), 2, &certificate);
    assert_eq!(world.settle(vec![world.arrival(&revoked).await]).await, [REFUSED(RefusalCode::CertificateInvalid)]);
    // This certificate has a new key but the key identifier of another key. Letters signed by one key would be verified with the other's
    // certificate.
    let namesake = own_with(|parameters| parameters.key_identifier_method = KeyIdMethod::PreSpecified(vec![43; 20]));
    let letter = renewing(&world, 42, 3, &namesake);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [REFUSED(RefusalCode::CertificateInvalid)]);
    assert_eq!(world.count("SELECT count(*) FROM xm.certificates").await, 3);
}

#[tokio::test]
async fn what_is_no_certificate_of_its_own_key_is_refused() {
    let world = World::new().await;
    ends(&world, 42, "30 days").await;
    let (authority, key) = (CertificateParams::new(vec![]).unwrap(), KeyPair::generate().unwrap());
    let issuer = Issuer::from_params(&authority, &key);
    let by_another = CertificateParams::new(vec![]).unwrap().signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
    let wrong = [
        b"no certificate".to_vec(),
        by_another.der().to_vec(),
        own_with(|parameters| {
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        }),
        own_with(|parameters| parameters.not_after = rcgen::date_time_ymd(2020, 1, 1)),
    ];
    for (sequence, certificate) in (1..).zip(&wrong) {
        let letter = renewing(&world, 42, sequence, certificate);
        let outcomes = world.settle(vec![world.arrival(&letter).await]).await;
        assert_eq!(outcomes, [REFUSED(RefusalCode::CertificateInvalid)], "{sequence}");
    }
    assert_eq!(world.count(OF_42).await, 1);
}

/// A certificate issuer of the test, which issues one given certificate or fails.
#[derive(Debug)]
struct Authority(Result<Vec<u8>, String>);

impl CertificateIssuer for Authority {
    fn issue(&self, _: &Issuing<'_>) -> Result<Vec<u8>, String> {
        self.0.clone()
    }
}

#[tokio::test]
async fn what_the_authority_issues_is_registered_or_what_was_brought_where_it_fails() {
    let (pair, authority) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut parameters = CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = IsCa::ExplicitNoCa;
    let brought = parameters.self_signed(&pair).unwrap().der().to_vec();
    let issuer = Issuer::from_params(&parameters, &authority);
    let issued = parameters.signed_by(&pair, &issuer).unwrap().der().to_vec();
    let of_another = parameters.signed_by(&authority, &issuer).unwrap().der().to_vec();
    for (issues, registered) in
        [(Ok(issued.clone()), &issued), (Err("no key".to_owned()), &brought), (Ok(of_another), &brought)]
    {
        let mut world = World::new().await;
        let settings = SettlingSettings { issuer: Some(Arc::new(Authority(issues))), ..SettlingSettings::default() };
        world.settler = Settler::new(world.database.clone(), settings);
        ends(&world, 42, "30 days").await;
        let letter = renewing(&world, 42, 1, &brought);
        assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Accepted]);
        assert_eq!(told(&world).await, *registered);
        let births = world.births(42, 2, &[("CE-042", 1)]);
        let arrival = world.arrival_of(&named(&brought), &births).await;
        assert_eq!(world.settle(vec![arrival]).await, [Outcome::Accepted]);
    }
}

/// Adds agency 44, which has no certificate, and gives it an enrolment code.
async fn with_code(world: &World, code: &str) {
    world
        .sql(
            "INSERT INTO xm.agencies (matricule, name, email) VALUES (44, 'Office', 'office44@example.org') ON CONFLICT DO NOTHING;
             INSERT INTO xm.accounts (kind, agency) VALUES ('agency', 44) ON CONFLICT DO NOTHING",
        )
        .await;
    code_of(world, 44, code, false).await;
}

async fn code_of(world: &World, agency: u32, code: &str, is_further: bool) {
    world
        .sql(&format!(
            "UPDATE xm.enrolment_codes SET ended_at = now() WHERE agency = {agency} AND used_at IS NULL AND ended_at IS NULL;
             INSERT INTO xm.enrolment_codes (agency, code_sha256, is_further, made_by, expires_at)
             VALUES ({agency}, sha256('{code}'), {is_further}, 'mbome', now() + interval '14 days')"
        ))
        .await;
}

fn letter(world: &World, agency: u32, code: &str, certificate: &[u8]) -> Letter {
    let request = Request::Enrol(Enrol { code: EnrolmentCode::typed(code), certificate: certificate.to_vec() });
    let mut letter = Letter { request, ..world.births(agency, 1, &[]) };
    letter.from.installation = "pc9".to_owned();
    letter
}

/// Makes the arrival of an enrolment that an unknown key signed.
fn coming(world: &World, letter: &Letter) -> Arrival {
    let Request::Enrol(enrol) = &letter.request else { panic!("no enrolment") };
    let enrolment = Enrolment {
        letter: letter.clone(),
        enrol: enrol.clone(),
        certificate: RegisteredCertificate::self_signed(&enrol.certificate).unwrap(),
        digest: world.digest(letter),
        cipher: ContentCipher::Aes256Gcm,
        form: PayloadForm::Json,
    };
    let stranger = world.stranger(RefusalCode::EnrolmentRefused, letter.id.as_fields().0);
    Arrival { enrolment: Some(Arc::new(enrolment)), ..stranger }
}

const STRANGER: Outcome = Outcome::Refused(RefusalCode::EnrolmentRefused);
const CODE: &str = "ABCDEFGHJKMNPQRSTVWX0123";
const ANSWERS: &str = "SELECT count(*) FROM xm.outbox";
const KEYS: &str = "SELECT count(*) FROM xm.agency_keys";

#[tokio::test]
async fn an_installation_comes_by_its_code_once_and_writes_from_then_on() {
    let world = World::new().await;
    with_code(&world, CODE).await;
    let certificate = own();
    let first = letter(&world, 44, CODE, &certificate);
    // The enrolment is in one batch with a letter of another agency.
    let births = world.births(42, 1, &[("CE-042", 1)]);
    let batch = vec![coming(&world, &first), world.arrival(&births).await];
    assert_eq!(world.settle(batch).await, [Outcome::Accepted; 2]);
    assert_eq!(told(&world).await, certificate);
    assert_eq!(world.count("SELECT count(*) FROM xm.installations WHERE agency = 44 AND name = 'pc9'").await, 1);
    let answers = world.count(ANSWERS).await;
    // The enrolment arrives again: first as an enrolment, then as a letter signed by the key, which is registered now.
    assert_eq!(world.settle(vec![coming(&world, &first)]).await, [Outcome::Duplicate]);
    assert_eq!(world.settle(vec![world.arrival_of(&named(&certificate), &first).await]).await, [Outcome::Duplicate]);
    assert_eq!(world.count(ANSWERS).await, answers);
    let thief = letter(&world, 44, CODE, &own());
    assert_eq!(world.settle(vec![coming(&world, &thief)]).await, [STRANGER]);
    let mut profile = Letter { sequence: 2, ..world.births(44, 2, &[]) };
    profile.from.installation = "pc9".to_owned();
    profile.request = Request::Account(sdc::request::Period { from: None, to: None });
    let arrival = world.arrival_of(&named(&certificate), &profile).await;
    assert_eq!(world.settle(vec![arrival]).await, [Outcome::Accepted]);
    assert_eq!(world.count("SELECT count(*) FROM xm.agency_keys WHERE agency = 44").await, 1);
}

#[tokio::test]
async fn a_thousand_wrong_codes_are_counted_lock_and_are_not_answered() {
    let world = World::new().await;
    with_code(&world, CODE).await;
    let (keys, certificate) = (world.count(KEYS).await, own());
    let wrong = |number: u32| coming(&world, &letter(&world, 44, &format!("{number:024}"), &certificate));
    assert_eq!(world.settle((0..4).map(wrong).collect()).await, [STRANGER; 4]);
    assert_eq!(world.count("SELECT failures FROM xm.enrolment_codes WHERE locked_at IS NULL").await, 4);
    let written = world.settler.write(vec![wrong(4)]).await.unwrap_or_else(|unsettled| panic!("{}", unsettled.fault));
    assert_eq!(written.enrolments_locked.iter().map(|agency| u32::from(*agency)).collect::<Vec<_>>(), [44]);
    written.post().await.unwrap();
    for hundred in 0..10 {
        let outcomes = world.settle((hundred * 100..hundred * 100 + 100).map(wrong).collect()).await;
        assert!(outcomes.iter().all(|outcome| *outcome == STRANGER));
    }
    let right = letter(&world, 44, CODE, &own());
    assert_eq!(world.settle(vec![coming(&world, &right)]).await, [STRANGER], "it is locked");
    assert_eq!((world.count(ANSWERS).await, world.count(KEYS).await), (0, keys));
    let counted = "SELECT failures FROM xm.enrolment_codes WHERE locked_at IS NOT NULL";
    assert_eq!(world.count(counted).await, 1006, "whatever came, it is not told apart");
    // An operator makes a new code. The new code admits a sender as the first code did.
    with_code(&world, "0123456789ABCDEFGHJKMNPQ").await;
    let right = letter(&world, 44, "0123456789ABCDEFGHJKMNPQ", &own());
    assert_eq!(world.settle(vec![coming(&world, &right)]).await, [Outcome::Accepted]);
}

#[tokio::test]
async fn a_code_admits_its_agency_to_its_centre_in_time_and_a_further_key_where_two_agreed() {
    let world = World::new().await;
    with_code(&world, CODE).await;
    let refused = async |what: &str, letter: &Letter| {
        assert_eq!(world.settle(vec![coming(&world, letter)]).await, [STRANGER], "{what}");
    };
    refused("another agency", &letter(&world, 43, CODE, &own())).await;
    refused("no agency", &letter(&world, 999, CODE, &own())).await;
    refused("another centre", &Letter { to: "other".to_owned(), ..letter(&world, 44, CODE, &own()) }).await;
    refused("a rehearsal", &Letter { mode: Mode::Test, ..letter(&world, 44, CODE, &own()) }).await;
    let old = own_with(|parameters| parameters.not_after = rcgen::date_time_ymd(2020, 1, 1));
    refused("a certificate of the past", &letter(&world, 44, CODE, &old)).await;
    world.sql("UPDATE xm.agencies SET status = 0 WHERE matricule = 44").await;
    refused("a suspended agency", &letter(&world, 44, CODE, &own())).await;
    world.sql("UPDATE xm.agencies SET status = 3 WHERE matricule = 44").await;
    world.sql("UPDATE xm.enrolment_codes SET expires_at = now()").await;
    refused("too late", &letter(&world, 44, CODE, &own())).await;
    // Agency 42 has a certificate already. A code made for a first certificate admits no second one.
    code_of(&world, 42, CODE.replace('A', "Z").as_str(), false).await;
    refused("a further key", &letter(&world, 42, &CODE.replace('A', "Z"), &own())).await;
    code_of(&world, 42, CODE.replace('A', "Y").as_str(), true).await;
    let agreed = letter(&world, 42, &CODE.replace('A', "Y"), &own());
    assert_eq!(world.settle(vec![coming(&world, &agreed)]).await, [Outcome::Accepted]);
}

#[tokio::test]
async fn of_two_keys_with_one_code_one_comes_in_one_batch_and_in_two_programs() {
    let world = World::new().await;
    with_code(&world, CODE).await;
    let two = [letter(&world, 44, CODE, &own()), letter(&world, 44, CODE, &own())];
    let outcomes = world.settle(vec![coming(&world, &two[0]), coming(&world, &two[1])]).await;
    assert_eq!(outcomes, [Outcome::Accepted, STRANGER]);

    code_of(&world, 44, "0123456789ABCDEFGHJKMNPQ", true).await;
    let mut two = [0, 1].map(|_| letter(&world, 44, "0123456789ABCDEFGHJKMNPQ", &own()));
    for letter in &mut two {
        letter.from.installation = "pc8".to_owned();
    }
    let first = world.settler.write(vec![coming(&world, &two[0])]).await;
    let first = first.unwrap_or_else(|unsettled| panic!("{}", unsettled.fault));
    let other = Settler::new(world.database.clone(), SettlingSettings::default());
    let late = coming(&world, &two[1]);
    let second = tokio::spawn(async move { other.settle(vec![late]).await.map(|settled| settled.outcomes) });
    world.wait_for_a_lock(&second).await;
    assert_eq!(first.post().await.unwrap().outcomes, [Outcome::Accepted]);
    assert_eq!(second.await.unwrap().unwrap_or_else(|unsettled| panic!("{}", unsettled.fault)), [STRANGER]);
    assert_eq!(world.count("SELECT count(*) FROM xm.agency_keys WHERE agency = 44").await, 2);
}
