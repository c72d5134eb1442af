//! What has changed about an agency since its signer was cached.

use std::collections::HashMap;
use std::time::Duration;

use diesel::sql_types::Bytea;
use diesel_async::RunQueryDsl;
use sdc::cms::SignerId;
use sdc::refusal::RefusalCode;

use super::super::arrival::Outcome;
use super::REFUSED;
use super::world::World;
use crate::administration::certificates;
use crate::signers::Signers;
use crate::statement::Statement;

#[tokio::test]
async fn a_verdict_stands_whatever_was_wrong_and_has_been_put_right_since() {
    let world = World::new().await;
    let mut letter = world.births(42, 7, &[("CE-042", 1)]);
    letter.from.installation = "pc2".to_owned();
    let refused = REFUSED(RefusalCode::InstallationUnknown);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [refused]);
    // Its signer is cached from before: what changed is read again.
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
        certificates::revoke(&mut desk, "mbarga", &fingerprint, "PC stolen", Some(since)).await.unwrap()
    });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!revoking.is_finished(), "the letter is verified and not committed yet");
    written.post().await.unwrap();
    let review = tokio::time::timeout(std::time::Duration::from_secs(5), revoking).await.unwrap().unwrap();
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
    let age_max = Duration::from_millis(300);
    let signers = Signers::with_age_max(100, age_max);
    let id = SignerId::KeyId(vec![42; 20]);
    let mut connection = world.connection().await;
    let old = signers.look_up(&mut connection, std::slice::from_ref(&id)).await.unwrap()[&id].certificate_id;
    world
        .sql(
            "INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint, algorithm, not_before, not_after)
             SELECT agency, spki_sha256, key_id, issuer, '\\x02', der, sha256('renewed'), algorithm, now(), now() + interval '2 years'
               FROM xm.certificates WHERE agency = 42",
        )
        .await;
    assert_eq!(signers.cached(&id).map(|signer| signer.certificate_id), Some(old));
    tokio::time::sleep(age_max).await;
    assert!(signers.cached(&id).is_none(), "too old to be believed");
    assert_ne!(signers.look_up(&mut connection, std::slice::from_ref(&id)).await.unwrap()[&id].certificate_id, old);
}
