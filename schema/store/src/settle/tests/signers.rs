//! Tests of signers that are outdated: their agency, or the certificates of their key, changed after the signer was cached.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bytea};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use rcgen::{CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
use sdc::cms::SignerId;
use sdc::keys::RegisteredCertificate;
use sdc::refusal::RefusalCode;
use uuid::Uuid;

use super::super::arrival::Outcome;
use super::REFUSED;
use super::world::World;
use crate::approvals::tests::by_two;
use crate::certificates::signers::Signers;
use crate::certificates::{self, CertificateFields, Confirmation};
use crate::database::statement::Statement;
use crate::letters::outbox;
use crate::people::Operator;

#[tokio::test]
async fn a_verdict_stands_whatever_was_wrong_and_has_been_put_right_since() {
    let world = World::new().await;
    let mut letter = world.births(42, 7, &[("CE-042", 1)]);
    letter.from.installation = "pc2".to_owned();
    let refused = REFUSED(RefusalCode::InstallationUnknown);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [refused]);
    // The arrival's signer was cached before the change. Settling compares revisions and reads the signer again, so the change is seen.
    let cached = world.arrival(&letter).await;
    world.sql("INSERT INTO xm.installations (agency, name) VALUES (42, 'pc2')").await;
    assert_eq!(world.settle(vec![cached]).await, [Outcome::Duplicate], "the office was told; it sends a new letter");
    assert_eq!(world.count("SELECT count(*) FROM registry.births").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM xm.letters").await, 1);
}

#[tokio::test]
async fn a_signer_has_every_code_of_every_column() {
    let world = World::new().await;
    let id = SignerId::KeyId(vec![42; 20]);
    let scopes = async || {
        let mut connection = world.connection().await;
        let found = Signers::new(1).look_up(&mut connection, std::slice::from_ref(&id)).await.unwrap();
        found[&id].scopes.clone()
    };
    world.sql("INSERT INTO xm.scopes (agency, column_name, code) VALUES (42, 'BureauCode', 'B1'), (42, 'BureauCode', 'B2')").await;
    let set = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
    let expected = [("bureaucode".to_owned(), set(&["B1", "B2"])), ("centrecode".to_owned(), set(&["CE-042"]))];
    assert_eq!(scopes().await, HashMap::from(expected));
    world.sql("DELETE FROM xm.scopes WHERE agency = 42").await;
    assert_eq!(scopes().await, HashMap::new());
}

#[tokio::test]
async fn numbers_of_an_installation_hold_for_letters_judged_before_it_was_known() {
    let world = World::new().await;
    let mut letter = world.births(42, 7, &[("CE-042", 1)]);
    letter.from.installation = "pc2".to_owned();
    let cached = world.arrival(&letter).await;
    world
        .sql(
            "INSERT INTO xm.installations (agency, name, sequence_floor, sequence_highest) VALUES (42, 'pc2', 100, 100)",
        )
        .await;
    assert_eq!(world.settle(vec![cached]).await, [REFUSED(RefusalCode::SequenceExpired)]);
    assert_eq!(world.count("SELECT sequence_highest FROM xm.installations WHERE name = 'pc2'").await, 100);
}

#[tokio::test]
async fn who_revokes_a_key_waits_for_the_letters_that_have_passed_with_it() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    let arrival = world.arrival(&letter).await;
    let since = arrival.received_at - chrono::Duration::hours(1);
    let fingerprint = {
        let text = "SELECT fingerprint FROM xm.certificates WHERE agency = 42";
        let rows: Vec<Vec<u8>> = Statement::<Bytea>::new(text, &[]).load(&mut *world.connection().await).await.unwrap();
        hex::encode(&rows[0])
    };
    let written = world.settler.write(vec![arrival]).await.unwrap();
    let mut desk = world.connection().await;
    let revoking = tokio::spawn(async move {
        certificates::revoke(&mut desk, &Operator::superviseur(), &fingerprint, "PC stolen", Some(since)).await.unwrap()
    });
    world.wait_for_a_lock(&revoking).await;
    assert!(!revoking.is_finished(), "the letter is verified and not committed yet");
    written.post().await.unwrap();
    let review = revoking.await.unwrap();
    assert_eq!(review.iter().map(|letter| letter.sequence).collect::<Vec<_>>(), [Some(1)]);
}

#[tokio::test]
async fn a_revocation_holds_from_the_next_letter_on_whatever_is_cached() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    let arrival = world.arrival(&letter).await;
    world.sql("UPDATE xm.certificates SET revoked_at = now() WHERE agency = 42").await;
    assert_eq!(world.settle(vec![arrival]).await, [REFUSED(RefusalCode::CertificateRevoked)]);
    assert_eq!(world.count("SELECT count(*) FROM xm.letters").await, 0, "a revoked key is a stranger's");
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox").await, 0, "and is not answered");
}

#[tokio::test]
async fn a_certificate_renewed_for_the_same_key_takes_the_place_of_the_old_one() {
    let world = World::new().await;
    // One cache uses its entries for an hour, the other never uses an entry.
    let signers = Signers::with_age_max(100, Duration::from_secs(3600));
    let of_no_age = Signers::with_age_max(100, Duration::ZERO);
    let id = SignerId::KeyId(vec![42; 20]);
    let mut connection = world.connection().await;
    let old = signers.look_up(&mut connection, std::slice::from_ref(&id)).await.unwrap()[&id].certificate_id;
    of_no_age.look_up(&mut connection, std::slice::from_ref(&id)).await.unwrap();
    world
        .sql(
            "INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint, algorithm, not_before, not_after)
             SELECT agency, spki_sha256, key_id, issuer, '\\x02', der, sha256('renewed'), algorithm, now(), now() + interval '2 years'
               FROM xm.certificates WHERE agency = 42",
        )
        .await;
    assert_eq!(signers.cached(&id).map(|signer| signer.certificate_id), Some(old));
    assert!(of_no_age.cached(&id).is_none(), "too old to be believed");
    assert_ne!(of_no_age.look_up(&mut connection, std::slice::from_ref(&id)).await.unwrap()[&id].certificate_id, old);
}

/// Makes a certificate of a key. `days` are the days from now on which its validity begins and ends.
fn made(key: &KeyPair, days: (i64, i64)) -> RegisteredCertificate {
    let day = |days: i64| {
        let unix = (Utc::now() + chrono::Duration::days(days)).timestamp();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(unix).unwrap())
    };
    let mut parameters = CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = IsCa::ExplicitNoCa;
    (parameters.not_before, parameters.not_after) = (day(days.0), day(days.1));
    RegisteredCertificate::from_der(parameters.self_signed(key).unwrap().der()).unwrap()
}

async fn register(world: &World, certificate: &RegisteredCertificate) {
    let fields = CertificateFields::from(certificate);
    let fingerprint = hex::encode(&fields.fingerprint);
    let confirmation = Confirmation { fingerprint: &fingerprint, accepts_concerns: true };
    let agency = 42.try_into().unwrap();
    let connection = &mut world.connection().await;
    let registered = certificates::register(connection, &Operator::superviseur(), agency, &fields, confirmation).await;
    by_two(connection, registered).await.unwrap();
}

fn pairs() -> Vec<(&'static str, RegisteredCertificate, RegisteredCertificate)> {
    let [p256, p384] =
        [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384].map(|kind| KeyPair::generate_for(kind).unwrap());
    let handed = |pem: &[u8]| RegisteredCertificate::from_pem(pem).unwrap();
    vec![
        ("handed", handed(include_bytes!("renewed/expired.pem")), handed(include_bytes!("renewed/renewed.pem"))),
        ("ended yesterday", made(&p256, (-900, -1)), made(&p256, (-1, 800))),
        ("not begun", made(&p384, (5, 900)), made(&p384, (-1, 3))),
    ]
}

#[tokio::test]
async fn a_certificate_renewed_for_the_same_key_counts_from_the_next_letter_on() {
    let world = World::new().await;
    for ((name, old, renewed), sequence) in pairs().into_iter().zip((1..).step_by(3)) {
        register(&world, &old).await;
        let ids = old.signer_ids();
        let before = world.arrival_of(&ids[0], &world.births(42, sequence, &[("CE-042", sequence)])).await;
        assert_eq!(world.settle(vec![before]).await, [REFUSED(RefusalCode::CertificateExpired)], "{name}");
        // The verifier has cached the certificate from before the renewal, under both identifiers of its signer.
        let mut letters = Vec::new();
        for (id, number) in ids.iter().zip(sequence + 1..) {
            letters.push(world.arrival_of(id, &world.births(42, number, &[("CE-042", number)])).await);
        }
        register(&world, &renewed).await;
        assert_eq!(world.settle(letters).await, [Outcome::Accepted; 2], "{name}");
    }
}

#[tokio::test]
async fn of_several_certificates_of_a_key_the_one_valid_now_goes_first_and_any_valid_one_will_do() {
    let world = World::new().await;
    let key = KeyPair::generate().unwrap();
    let valid = made(&key, (-10, 20));
    // The order of registration is such that the valid certificate is neither registered last nor ends last.
    let others = [made(&key, (5, 900)), made(&key, (-900, -20)), made(&key, (30, 60))];
    register(&world, &others[0]).await;
    register(&world, &valid).await;
    for other in &others[1..] {
        register(&world, other).await;
    }
    let signers = Signers::new(100);
    let by_key = SignerId::KeyId(valid.key_id().to_vec());
    let mut connection = world.connection().await;
    let signer = signers.look_up(&mut connection, std::slice::from_ref(&by_key)).await.unwrap()[&by_key].clone();
    assert_eq!(signer.certificate.fingerprint(), valid.fingerprint());
    let at = |days: i64| -> DateTime<Utc> { Utc::now() + chrono::Duration::days(days) };
    let expected =
        [(-901, false), (-500, true), (-15, false), (0, true), (25, true), (40, true), (899, true), (901, false)];
    for (days, is_valid) in expected {
        assert_eq!(signer.is_valid_at(at(days)), is_valid, "{days} days from now");
    }
    for (days, grace_days, is_in_time) in
        [(-901, 90, false), (-15, 4, false), (-15, 6, true), (901, 0, false), (901, 2, true), (991, 90, false)]
    {
        assert_eq!(signer.is_in_time(at(days), grace_days), is_in_time, "{days} days from now, {grace_days} of grace");
    }
    // Letters that name their signer by the key are accepted, and so are letters that name it by a certificate of this key that is not
    // valid now.
    let ids = [vec![by_key], others.iter().filter_map(|one| one.signer_ids().pop()).collect()].concat();
    for (id, number) in ids.iter().zip(1..) {
        let arrival = world.arrival_of(id, &world.births(42, number, &[("CE-042", number)])).await;
        assert_eq!(world.settle(vec![arrival]).await, [Outcome::Accepted], "{id:?}");
    }
}

#[tokio::test]
async fn a_certificate_without_key_identifier_does_not_stand_before_one_of_its_key_that_has_it() {
    let world = World::new().await;
    let key = KeyPair::generate().unwrap();
    // The usual tools write the SHA-1 of the key as its identifier. A certificate without an identifier is also found by this SHA-1.
    let without =
        RegisteredCertificate::from_der(CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap().der());
    let without = without.unwrap();
    let by_key = SignerId::KeyId(without.key_id().to_vec());
    assert!(!without.signer_ids().contains(&by_key));
    let mut parameters = CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(without.key_id().to_vec());
    parameters.not_after = rcgen::date_time_ymd(2100, 1, 1);
    let with = RegisteredCertificate::from_der(parameters.self_signed(&key).unwrap().der()).unwrap();
    for certificate in [&without, &with] {
        register(&world, certificate).await;
    }
    let ids = [by_key.clone(), without.signer_ids().pop().unwrap()];
    let found = Signers::new(100).look_up(&mut *world.connection().await, &ids).await.unwrap();
    assert_eq!(found[&by_key].certificate.fingerprint(), with.fingerprint());
    assert_eq!(found[&ids[1]].certificate.fingerprint(), without.fingerprint());
}

#[tokio::test]
async fn a_revoked_key_is_revoked_under_each_of_its_certificates_whatever_is_cached() {
    let world = World::new().await;
    let key = KeyPair::generate().unwrap();
    let of_key = [made(&key, (-10, 20)), made(&key, (-5, 400)), made(&key, (5, 900))];
    for certificate in &of_key {
        register(&world, certificate).await;
    }
    let mut letters = Vec::new();
    let names = of_key.iter().flat_map(RegisteredCertificate::signer_ids);
    for (id, number) in names.zip(1..) {
        letters.push(world.arrival_of(&id, &world.births(42, number, &[("CE-042", number)])).await);
    }
    // This certificate is revoked, although no letter is judged by it.
    let fingerprint = of_key[2].fingerprint().to_string();
    certificates::revoke(&mut *world.connection().await, &Operator::superviseur(), &fingerprint, "stolen", None)
        .await
        .unwrap();
    let outcomes = world.settle(letters).await;
    assert_eq!(outcomes, [REFUSED(RefusalCode::CertificateRevoked); 6]);
    // A trigger refuses to undo a revocation, whichever tool tries it. If one could undo it, a look-up would trust the certificate again.
    let mut connection = world.connection().await;
    connection.batch_execute("UPDATE xm.certificates SET revoked_at = NULL").await.unwrap_err();
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox").await, 0, "and nobody is answered");
}

/// Two certificates of a key were valid one after the other, and the signature refers to the newer one. A letter that arrived while either
/// was valid is accepted; a letter that arrived between them is refused.
#[tokio::test]
async fn a_letter_that_came_while_another_certificate_of_its_key_was_valid_is_accepted() {
    let world = World::new().await;
    let key = KeyPair::generate().unwrap();
    let (before, now) = (made(&key, (-900, -20)), made(&key, (-10, 20)));
    for certificate in [&before, &now] {
        register(&world, certificate).await;
    }
    let by_issuer = now.signer_ids().pop().unwrap();
    let mut arrivals = Vec::new();
    for (days, number) in [(30, 1), (15, 2), (0, 3)] {
        let letter = world.births(42, number, &[("CE-042", number)]);
        let mut arrival = world.arrival_of(&by_issuer, &letter).await;
        arrival.received_at -= chrono::Duration::days(days);
        arrivals.push(arrival);
    }
    let expected = [Outcome::Accepted, REFUSED(RefusalCode::CertificateExpired), Outcome::Accepted];
    assert_eq!(world.settle(arrivals).await, expected);
}

/// Letters of a certificate that cannot be read wait and do not count as a stranger's. All other signers are still found, and a letter that
/// was verified before is settled.
#[tokio::test]
async fn a_certificate_that_cannot_be_read_holds_up_its_own_letters_only() {
    let world = World::new().await;
    let verified = world.arrival(&world.births(43, 1, &[("CE-043", 1)])).await;
    world.sql("UPDATE xm.certificates SET der = '\\x3000' WHERE agency = 43").await;
    let signers = Signers::new(100);
    let ids = [42, 43, 44].map(|matricule| SignerId::KeyId(vec![matricule; 20]));
    let mut connection = world.connection().await;
    let found = signers.look_up(&mut connection, &ids).await.unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), [&ids[0]]);
    assert_eq!(ids.each_ref().map(|id| signers.is_unreadable(id)), [false, true, false]);
    assert_eq!(world.settle(vec![verified]).await, [Outcome::Accepted]);
    let mend = "UPDATE xm.certificates SET der = (SELECT der FROM xm.certificates WHERE agency = 42) WHERE agency = 43";
    world.sql(mend).await;
    let found = signers.look_up(&mut connection, &ids).await.unwrap();
    assert!(found.contains_key(&ids[1]) && !signers.is_unreadable(&ids[1]));
}

/// Five thousand certificates of different issuers have the serial number 1. A look-up by issuer and serial number must read only the one
/// it looks for, and none if the issuer is unknown.
#[tokio::test]
async fn a_look_up_reads_no_certificate_of_the_same_number_and_another_issuer() {
    let world = World::new().await;
    world
        .sql(
            "ALTER TABLE xm.certificates DISABLE TRIGGER certificates_touch;
             INSERT INTO xm.agency_keys (spki_sha256, agency) SELECT sha256(int8send(n)), 42 FROM generate_series(1, 5000) n;
             INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint, algorithm, not_before, not_after)
             SELECT 42, sha256(int8send(n)), int8send(n), convert_to('issuer ' || n, 'UTF8'), '\\x01', c.der,
                    sha256(c.der || int8send(n)), 'P-256', now() - interval '1 day', now() + interval '1 year'
               FROM generate_series(1, 5000) n, xm.certificates c WHERE c.agency = 42;
             ANALYZE xm.certificates",
        )
        .await;
    let mut connection = world.connection().await;
    let of = |issuer: &str| SignerId::IssuerSerial { issuer: issuer.as_bytes().to_vec(), serial: vec![1] };
    // The statistics of the session may include earlier reads, so the test looks at the difference.
    let text = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
                 WHERE relid = 'xm.certificates'::regclass";
    for (issuer, certificates) in [("nobody", 0), ("issuer 7", 1)] {
        connection.batch_execute("BEGIN").await.unwrap();
        let before: Vec<i64> = Statement::<BigInt>::new(text, &[]).load(&mut connection).await.unwrap();
        let found = Signers::new(10).look_up(&mut connection, &[of(issuer)]).await.unwrap();
        let after: Vec<i64> = Statement::<BigInt>::new(text, &[]).load(&mut connection).await.unwrap();
        connection.batch_execute("COMMIT").await.unwrap();
        let read = after[0] - before[0];
        assert_eq!((found.len(), read), (certificates, i64::try_from(certificates).unwrap()), "{issuer}");
    }
}

/// The manual once told operators to revoke an old certificate as `replaced` after a renewal. Since migration 5 the key of such a
/// certificate is not revoked: its letters are accepted, and its answers are encrypted for the newer certificate.
#[tokio::test]
async fn a_certificate_that_was_replaced_gives_way_to_the_one_in_its_place_and_its_answers_leave() {
    let world = World::new().await;
    let key = KeyPair::generate().unwrap();
    // The old certificate ends later than the new one.
    let (old, new) = (made(&key, (-10, 900)), made(&key, (-1, 300)));
    register(&world, &old).await;
    let waiting = world.births(42, 1, &[("CE-042", 1)]);
    assert_eq!(world.settle(vec![world.arrival_of(&old.signer_ids()[0], &waiting).await]).await, [Outcome::Accepted]);
    register(&world, &new).await;
    world
        .sql(&format!(
            "ALTER TABLE xm.certificates DISABLE TRIGGER certificates_revoke_key;
             UPDATE xm.certificates SET revoked_at = now(), revoked_reason = 'replaced' WHERE fingerprint = '\\x{}';
             ALTER TABLE xm.certificates ENABLE TRIGGER certificates_revoke_key",
            old.fingerprint()
        ))
        .await;
    let by_key = SignerId::KeyId(new.key_id().to_vec());
    let mut connection = world.connection().await;
    let signer =
        Signers::new(100).look_up(&mut connection, std::slice::from_ref(&by_key)).await.unwrap()[&by_key].clone();
    assert_eq!(signer.certificate.fingerprint(), new.fingerprint());
    let named = [&new.signer_ids()[..], &old.signer_ids()[1..]].concat();
    for (id, number) in named.iter().zip(2..) {
        let letter = world.births(42, number, &[("CE-042", number)]);
        assert_eq!(world.settle(vec![world.arrival_of(id, &letter).await]).await, [Outcome::Accepted], "{id:?}");
    }
    let process = Uuid::new_v4();
    let claim = async || {
        let mut connection = world.connection().await;
        let claimed = outbox::lease(&mut connection, process, "mail", 100, Duration::from_secs(60)).await.unwrap();
        outbox::release(&mut connection, process).await.unwrap();
        claimed
    };
    let claimed = claim().await;
    assert_eq!(claimed.len(), 1 + named.len());
    for answer in claimed {
        let recipient =
            RegisteredCertificate::registered(&answer.certificate.expect("somebody to seal for").der).unwrap();
        assert_eq!(recipient.fingerprint(), new.fingerprint());
    }
    // A revoked key decrypts no answer any more, whichever of its certificates is asked for.
    let fingerprint = new.fingerprint().to_string();
    certificates::revoke(&mut connection, &Operator::superviseur(), &fingerprint, "stolen", None).await.unwrap();
    assert!(claim().await.iter().all(|answer| answer.certificate.is_none()));
}
