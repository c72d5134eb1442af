//! Tests of certificates: who owns their keys, how they are found, and how they end.

use chrono::{Duration, Utc};
use diesel_async::SimpleAsyncConnection;

use crate::approvals::tests::by_two;
use crate::centre;
use crate::centre::keys::{KeyState, Purpose};
use crate::certificates::{self, CertificateFields, CertificateFilter, Concern, Confirmation, LetterToReview};
use crate::database::Connection;
use crate::error::{AdministrationError, InvalidValue, KeyName};
use crate::testing::centre::*;

/// Makes a certificate of key `key`. Its octets are not DER, which no test notices: registration does not parse certificates.
fn certificate(key: u8, serial: u8) -> CertificateFields {
    CertificateFields {
        der: vec![key, serial],
        fingerprint: [vec![key; 16], vec![serial; 16]].concat(),
        spki_sha256: vec![key; 32],
        key_id: vec![key; 20],
        issuer: b"issuer".to_vec(),
        serial: vec![serial],
        algorithm: "P-256".to_owned(),
        not_before: Utc::now() - Duration::days(1),
        not_after: Utc::now() + Duration::days(700),
        is_authority: false,
    }
}

async fn register(
    connection: &mut Connection,
    agency: u32,
    certificate: &CertificateFields,
) -> Result<i32, AdministrationError> {
    let fingerprint = hex::encode(&certificate.fingerprint);
    let confirmation = Confirmation { fingerprint: &fingerprint, accepts_concerns: false };
    let registered = certificates::register(connection, &OPERATOR, number(agency), certificate, confirmation).await;
    by_two(connection, registered).await
}

async fn revoke(
    connection: &mut Connection,
    certificate: &CertificateFields,
) -> Result<Vec<LetterToReview>, AdministrationError> {
    certificates::revoke(connection, &OPERATOR, &hex::encode(&certificate.fingerprint), "PC stolen", None).await
}

/// Counts certificates that are revoked while their key is not, and certificates that are not revoked while their key is.
const HALF_REVOKED: &str = "SELECT count(*) FROM xm.certificates JOIN xm.agency_keys k USING (spki_sha256)
     WHERE (k.revoked_at IS NULL) <> (certificates.revoked_at IS NULL)";

#[tokio::test]
async fn a_key_belongs_to_one_agency_for_ever() {
    let (_database, mut connection) = centre().await;
    register(&mut connection, 1, &certificate(7, 1)).await.unwrap();
    // A certificate of the same key, as after a renewal, can be registered for the agency that has the key, and for no other.
    register(&mut connection, 1, &certificate(7, 2)).await.unwrap();
    let error = register(&mut connection, 2, &certificate(7, 3)).await.unwrap_err();
    assert!(matches!(error, AdministrationError::KeyOfAnotherAgency { owner, .. } if owner == number(1)), "{error}");
    // After the key is revoked together with its certificates, it still belongs to the agency.
    let fingerprint = hex::encode(certificate(7, 1).fingerprint);
    certificates::revoke(&mut connection, &OPERATOR, &fingerprint, "lost", None).await.unwrap();
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.certificates WHERE revoked_at IS NULL").await, 0);
    let error = register(&mut connection, 2, &certificate(7, 3)).await.unwrap_err();
    assert!(matches!(error, AdministrationError::KeyOfAnotherAgency { .. }), "{error}");
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.certificates WHERE agency = 2").await, 0);
}

#[tokio::test]
async fn nobody_takes_the_name_that_another_key_goes_by() {
    let (_database, mut connection) = centre().await;
    register(&mut connection, 1, &certificate(7, 1)).await.unwrap();
    let same_key_id = CertificateFields { key_id: vec![7; 20], ..certificate(8, 2) };
    let same_serial = certificate(8, 1);
    for (certificate, name) in [(same_key_id, KeyName::KeyId), (same_serial, KeyName::IssuerSerial)] {
        for agency in [1, 2] {
            let error = register(&mut connection, agency, &certificate).await.unwrap_err();
            assert!(matches!(error, AdministrationError::KeyNameTaken { name: taken, .. } if taken == name), "{error}");
        }
    }
    // A refused registration assigns the key to nobody.
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.agency_keys").await, 1);
    register(&mut connection, 2, &certificate(8, 2)).await.unwrap();
}

#[tokio::test]
async fn only_a_confirmed_fingerprint_is_registered_and_only_once() {
    let (_database, mut connection) = centre().await;
    let good = certificate(7, 1);
    let spelled: Vec<String> = good.fingerprint.iter().map(|octet| format!("{octet:02X}")).collect();
    for wrong in ["00:11", "", &spelled.join(":")[3..]] {
        let confirmation = Confirmation { fingerprint: wrong, accepts_concerns: true };
        let error =
            certificates::register(&mut connection, &OPERATOR, number(1), &good, confirmation).await.unwrap_err();
        assert!(matches!(error, AdministrationError::FingerprintMismatch { .. }), "{error}");
        // The error does not contain the right fingerprint, because somebody who has only the file must not learn it.
        let told = error.to_string().to_lowercase();
        assert!(!told.contains(&hex::encode(&good.fingerprint)) && !told.contains(&spelled.join(":").to_lowercase()));
    }
    let spelled = spelled.join(":");
    let confirmation = Confirmation { fingerprint: &spelled, accepts_concerns: false };
    certificates::register(&mut connection, &OPERATOR, number(1), &good, confirmation).await.unwrap();
    let error = register(&mut connection, 1, &good).await.unwrap_err();
    assert!(matches!(error, AdministrationError::CertificateExists), "{error}");
    let error = register(&mut connection, 99, &certificate(9, 9)).await.unwrap_err();
    assert!(matches!(error, AdministrationError::AgencyUnknown(_)), "{error}");
}

#[tokio::test]
async fn revocation_is_once_seen_at_once_and_lists_letters_to_review() {
    let (_database, mut connection) = centre().await;
    let id = register(&mut connection, 1, &certificate(7, 1)).await.unwrap();
    register(&mut connection, 1, &certificate(8, 2)).await.unwrap();
    let letters =
        "INSERT INTO xm.letters (agency, letter_id, installation, sequence, digest, verdict, transport, certificate,
                                             receipt, received_at)
        SELECT 1, gen_random_uuid(), 'pc1', n, sha256(n::text::bytea), 'accepted', 'mail',
                CASE WHEN n < 5 THEN $id ELSE $id + 1 END, '', now() - n * interval '1 day'
          FROM generate_series(1, 5) n";
    run(&mut connection, &letters.replace("$id", &id.to_string())).await;
    let revision = "SELECT revision FROM xm.agencies WHERE matricule = 1";
    let before = value(&mut connection, revision).await;
    let fingerprint = hex::encode(certificate(7, 1).fingerprint);
    let since = Utc::now() - Duration::hours(24 * 9);
    let review =
        certificates::revoke(&mut connection, &OPERATOR, &fingerprint, "PC stolen", Some(since)).await.unwrap();
    assert_eq!(review.iter().map(|letter| letter.sequence).collect::<Vec<_>>(), [Some(4), Some(3), Some(2), Some(1)]);
    assert!(value(&mut connection, revision).await > before);

    let again = certificates::revoke(&mut connection, &OPERATOR, &fingerprint, "again", None).await.unwrap_err();
    assert!(matches!(again, AdministrationError::CertificateRevoked { .. }), "{again}");
    for unknown in ["abcd", "no hex"] {
        let error = certificates::revoke(&mut connection, &OPERATOR, unknown, "x", None).await.unwrap_err();
        assert!(matches!(error, AdministrationError::CertificateUnknown(_)), "{error}");
    }
    let mut count = async |filter: CertificateFilter| certificates::list(&mut connection, &filter).await.unwrap().len();
    assert_eq!(count(CertificateFilter::default()).await, 1);
    assert_eq!(count(CertificateFilter { with_revoked: true, agency: Some(number(1)), ..Default::default() }).await, 2);
    assert_eq!(count(CertificateFilter { ending_before: Some(Utc::now()), ..Default::default() }).await, 0);
}

#[tokio::test]
async fn a_revoked_key_is_never_registered_again_whatever_certificate_comes() {
    let (_database, mut connection) = centre().await;
    // Each key has three certificates; the first, the second or the third one is revoked.
    for (key, revoked) in [(7, 1), (8, 2), (9, 3)] {
        for serial in [1, 2, 3] {
            register(&mut connection, 1, &certificate(key, 10 * key + serial)).await.unwrap();
        }
        revoke(&mut connection, &certificate(key, 10 * key + revoked)).await.unwrap();
        for serial in [1, 2, 3, 4] {
            // For registered certificates and for a new one, the error says that the key is revoked, not that the certificate exists.
            let error = register(&mut connection, 1, &certificate(key, 10 * key + serial)).await.unwrap_err();
            assert!(matches!(error, AdministrationError::KeyRevoked { .. }), "{error}");
            let again = revoke(&mut connection, &certificate(key, 10 * key + serial)).await.unwrap_err();
            match serial {
                4 => assert!(matches!(again, AdministrationError::CertificateUnknown(_)), "{again}"),
                _ => assert!(matches!(again, AdministrationError::CertificateRevoked { .. }), "{again}"),
            }
        }
    }
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.certificates WHERE revoked_at IS NULL").await, 0);
    assert_eq!(
        value(&mut connection, "SELECT count(*) FROM xm.certificates WHERE revoked_reason = 'PC stolen'").await,
        9
    );
    assert_eq!(value(&mut connection, HALF_REVOKED).await, 0);
    register(&mut connection, 1, &certificate(10, 199)).await.unwrap();
}

#[tokio::test]
async fn a_revocation_by_another_tool_is_the_key_s_too() {
    let (_database, mut connection) = centre().await;
    for key in [7, 8] {
        for serial in [1, 2] {
            register(&mut connection, 1, &certificate(key, 10 * key + serial)).await.unwrap();
        }
    }
    let revision = "SELECT revision FROM xm.agencies WHERE matricule = 1";
    let before = value(&mut connection, revision).await;
    // Plain statements revoke one certificate, as an older program does, and then a key, as an administrator may do by SQL. Each time
    // triggers must revoke the key together with all its certificates.
    run(
        &mut connection,
        "UPDATE xm.certificates SET revoked_at = now() WHERE id = (SELECT min(id) FROM xm.certificates)",
    )
    .await;
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.certificates WHERE revoked_at IS NOT NULL").await, 2);
    assert!(value(&mut connection, revision).await > before, "settling reads the signer anew");
    run(&mut connection, "UPDATE xm.agency_keys SET revoked_at = now() WHERE revoked_at IS NULL").await;
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.certificates WHERE revoked_at IS NULL").await, 0);
    assert_eq!(value(&mut connection, HALF_REVOKED).await, 0);
    // A program of the former version does not know that the key is revoked, and registers another certificate of it.
    let copy = "INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint, algorithm,
                                             not_before, not_after)
        SELECT agency, spki_sha256, key_id, issuer, '\\x63', der, sha256('again'), algorithm, not_before, not_after
          FROM xm.certificates LIMIT 1";
    let error = connection.batch_execute(copy).await.unwrap_err().to_string();
    assert!(error.contains("was revoked, for good"), "{error}");
}

#[tokio::test]
async fn what_an_operator_should_know_of_a_certificate_is_asked_first() {
    let (_database, mut connection) = centre().await;
    let now = Utc::now();
    let (from, at) = (now + Duration::days(3), now - Duration::days(1));
    let later = CertificateFields { not_before: from, ..certificate(7, 1) };
    let ended = CertificateFields { not_before: at - Duration::days(700), not_after: at, ..certificate(8, 2) };
    let authority = CertificateFields { is_authority: true, ..certificate(9, 3) };
    let both = CertificateFields { is_authority: true, ..ended.clone() };
    let both = CertificateFields {
        fingerprint: vec![5; 32],
        spki_sha256: vec![5; 32],
        key_id: vec![5; 20],
        serial: vec![5],
        ..both
    };
    for (certificate, expected) in [
        (&later, vec![Concern::NotYetValid { from }]),
        (&ended, vec![Concern::Ended { at }]),
        (&authority, vec![Concern::Authority]),
        (&both, vec![Concern::Ended { at }, Concern::Authority]),
    ] {
        assert_eq!(certificates::concerns(certificate, now), expected);
        let error = register(&mut connection, 1, certificate).await.unwrap_err();
        assert!(matches!(&error, AdministrationError::CertificateConcerns(found) if *found == expected), "{error}");
        let fingerprint = hex::encode(&certificate.fingerprint);
        let confirmation = Confirmation { fingerprint: &fingerprint, accepts_concerns: true };
        let registered = certificates::register(&mut connection, &OPERATOR, number(1), certificate, confirmation).await;
        by_two(&mut connection, registered).await.unwrap();
        // A certificate that is registered already is refused, and its concerns are not asked about.
        let error = register(&mut connection, 1, certificate).await.unwrap_err();
        assert!(matches!(error, AdministrationError::CertificateExists), "{error}");
    }
    assert_eq!(certificates::concerns(&certificate(1, 1), now), []);
}

#[tokio::test]
async fn a_certificate_goes_by_its_fingerprint_the_beginning_of_it_or_its_number() {
    let (_database, mut connection) = centre().await;
    let one = CertificateFields { fingerprint: [vec![0xab; 2], vec![1; 30]].concat(), ..certificate(7, 1) };
    let two = CertificateFields { fingerprint: [vec![0xab; 2], vec![2; 30]].concat(), ..certificate(8, 2) };
    let decimal = CertificateFields { fingerprint: vec![0x12; 32], ..certificate(9, 3) };
    let mut ids = Vec::new();
    for certificate in [&one, &two, &decimal] {
        ids.push(register(&mut connection, 1, certificate).await.unwrap());
    }
    let mut found = async |name: &str| certificates::find(&mut connection, name).await.map(|one| one.id);
    for name in [&hex::encode(&one.fingerprint), "abab01", "ABAB01", "ab:ab:01:01", &ids[0].to_string()] {
        assert_eq!(found(name).await.unwrap(), ids[0], "{name}");
    }
    assert_eq!(found("abab02").await.unwrap(), ids[1]);
    assert_eq!(found("1212121212").await.unwrap(), ids[2], "as long as no number of the inventory");
    for several in ["abab", "AB:AB"] {
        let error = found(several).await.unwrap_err();
        assert!(matches!(error, AdministrationError::CertificateAmbiguous(_)), "{error}");
    }
    let too_long = hex::encode(&one.fingerprint) + "00";
    for unknown in ["", "aba", "abab03", "12121212", "no hex", "%", "abab0_", &too_long, "99999999999999"] {
        let error = found(unknown).await.unwrap_err();
        assert!(matches!(error, AdministrationError::CertificateUnknown(_)), "{unknown}: {error}");
    }
}

#[tokio::test]
async fn digits_that_are_one_s_number_and_begin_another_s_fingerprint_revoke_neither() {
    let (_database, mut connection) = centre().await;
    run(&mut connection, "ALTER TABLE xm.certificates ALTER id RESTART WITH 2048").await;
    assert_eq!(register(&mut connection, 1, &certificate(7, 1)).await.unwrap(), 2048);
    let beginning = CertificateFields { fingerprint: [vec![0x20, 0x48], vec![9; 30]].concat(), ..certificate(8, 2) };
    let other = register(&mut connection, 2, &beginning).await.unwrap();
    for digits in ["2048", " 2048 "] {
        let error = certificates::revoke(&mut connection, &OPERATOR, digits, "stolen", None).await.unwrap_err();
        assert!(
            matches!(&error, AdministrationError::CertificateAmbiguous(name) if certificates::is_number(name)),
            "{error}"
        );
    }
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.agency_keys WHERE revoked_at IS NOT NULL").await, 0);
    let mut found = async |name: &str| certificates::find(&mut connection, name).await.map(|one| one.id);
    for (name, id) in [("#2048", 2048), ("20:48", other), ("20:48:09", other)] {
        assert_eq!(found(name).await.unwrap(), id, "{name}");
    }
    // Decimal digits alone are a number, and no certificate has the number 204809.
    assert!(matches!(found("204809").await, Err(AdministrationError::CertificateUnknown(_))));
    assert!(matches!(found("#204809").await, Err(AdministrationError::CertificateUnknown(_))));
    assert!(matches!(found("#20:48").await, Err(AdministrationError::CertificateUnknown(_))));
    // If a certificate's fingerprint begins with the digits of its own number, the number finds it.
    run(&mut connection, "ALTER TABLE xm.certificates ALTER id RESTART WITH 3050").await;
    let own = CertificateFields { fingerprint: [vec![0x30, 0x50], vec![9; 30]].concat(), ..certificate(9, 3) };
    assert_eq!(register(&mut connection, 2, &own).await.unwrap(), 3050);
    assert_eq!(certificates::find(&mut connection, "3050").await.unwrap().id, 3050);
}

#[tokio::test]
async fn who_revokes_sees_what_it_means_and_says_why() {
    let (_database, mut connection) = centre().await;
    register(&mut connection, 1, &certificate(7, 1)).await.unwrap();
    let renewed = certificate(7, 2);
    register(&mut connection, 1, &renewed).await.unwrap();
    register(&mut connection, 2, &certificate(8, 3)).await.unwrap();
    let name = hex::encode(&renewed.fingerprint);
    let only = certificates::revocable(&mut connection, &name).await.unwrap();
    assert_eq!((only.agency_name.as_str(), only.certificates_of_key, only.has_another), ("Centre 1", 2, false));
    // Another key counts only while its certificate is valid.
    let ended = CertificateFields { not_after: Utc::now() - Duration::days(1), ..certificate(9, 4) };
    let fingerprint = hex::encode(&ended.fingerprint);
    let confirmation = Confirmation { fingerprint: &fingerprint, accepts_concerns: true };
    let registered = certificates::register(&mut connection, &OPERATOR, number(1), &ended, confirmation).await;
    by_two(&mut connection, registered).await.unwrap();
    assert!(!certificates::revocable(&mut connection, &name).await.unwrap().has_another);
    register(&mut connection, 1, &certificate(10, 5)).await.unwrap();
    assert!(certificates::revocable(&mut connection, &name).await.unwrap().has_another);
    for empty in ["", "  ", "\n", "lost\u{1b}[2J"] {
        let error = certificates::revoke(&mut connection, &OPERATOR, &name, empty, None).await.unwrap_err();
        assert!(matches!(error, AdministrationError::Invalid(InvalidValue::Reason)), "{error}");
    }
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.agency_keys WHERE revoked_at IS NOT NULL").await, 0);
    revoke(&mut connection, &renewed).await.unwrap();
    let error = certificates::revocable(&mut connection, &name).await.unwrap_err();
    assert!(matches!(error, AdministrationError::CertificateRevoked { .. }), "{error}");
}

#[tokio::test]
async fn the_centre_s_own_keys_are_nobody_else_s() {
    let (_database, mut connection) = centre().await;
    let keys = [
        (1, KeyState::Current, Purpose::Letters),
        (2, KeyState::Retired, Purpose::Letters),
        (3, KeyState::Next, Purpose::Letters),
        (4, KeyState::Current, Purpose::Authority),
    ];
    let recorded: Vec<_> = keys.map(|(key, state, purpose)| crate::centre::tests::key(key, state, purpose)).to_vec();
    centre::keys::record(&mut connection, &OPERATOR, &recorded).await.unwrap();
    for key in [1, 2, 3, 4] {
        // The centre's key is refused in any certificate, here in one with other identifiers.
        let error = register(&mut connection, 1, &certificate(key, key + 150)).await.unwrap_err();
        assert!(matches!(error, AdministrationError::KeyOfCentre { .. }), "{error}");
    }
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.agency_keys").await, 0);
    register(&mut connection, 1, &certificate(5, 50)).await.unwrap();
    assert_eq!(centre::keys::registered_for_agencies(&mut connection).await.unwrap(), []);
    // An agency may have registered a key of the centre before this was forbidden. The query must find its certificate until it is revoked.
    run(&mut connection, "INSERT INTO xm.centre_keys (spki_sha256, purpose, state, algorithm, fingerprint, certificate,
                                      not_before, not_after)
        SELECT spki_sha256, 'letters', 'retired', algorithm, fingerprint, der, not_before, not_after FROM xm.certificates").await;
    let found = centre::keys::registered_for_agencies(&mut connection).await.unwrap();
    assert_eq!(found.iter().map(|one| one.agency).collect::<Vec<_>>(), [number(1)]);
    revoke(&mut connection, &certificate(5, 50)).await.unwrap();
    assert_eq!(centre::keys::registered_for_agencies(&mut connection).await.unwrap(), []);
}

#[tokio::test]
async fn a_key_revoked_before_the_migration_is_revoked_by_it_with_all_that_was_registered_since() {
    let (database, mut connection) = centre().await;
    for (agency, key) in [(1, 7), (1, 8), (2, 9)] {
        for serial in [1, 2] {
            register(&mut connection, agency, &certificate(key, 10 * key + serial)).await.unwrap();
        }
    }
    run(&mut connection, include_str!("../../migrations/00000000000005_centre_keys/down.sql")).await;
    run(
        &mut connection,
        "DELETE FROM xm.__diesel_schema_migrations WHERE version = '00000000000005';
         UPDATE xm.certificates SET revoked_at = '2026-01-02 03:04:05Z', revoked_reason = 'stolen' WHERE id IN (1, 5, 6)",
    )
    .await;
    assert!(centre::keys::is_before(&mut connection).await.unwrap());
    database.migrate().await.unwrap();
    assert!(!centre::keys::is_before(&mut connection).await.unwrap());
    let revoked =
        "SELECT count(*) FROM xm.certificates WHERE revoked_at = '2026-01-02 03:04:05Z' AND revoked_reason = 'stolen'";
    assert_eq!(value(&mut connection, revoked).await, 4, "of key 7 the other one too, of key 8 none");
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.certificates WHERE revoked_at IS NULL").await, 2);
    assert_eq!(value(&mut connection, HALF_REVOKED).await, 0);
    let error = register(&mut connection, 1, &certificate(7, 150)).await.unwrap_err();
    assert!(matches!(error, AdministrationError::KeyRevoked { .. }), "{error}");
    register(&mut connection, 1, &certificate(8, 151)).await.unwrap();
}
