//! Certificates: whose key, under which name, until when.

use chrono::{Duration, Utc};

use super::*;
use crate::administration::AdministrationError;
use crate::administration::certificates::{self, CertificateFields, CertificateFilter};

/// A certificate of key `key`; its octets are no DER, which this module does not read.
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
    }
}

async fn register(
    connection: &mut Connection,
    agency: u32,
    certificate: &CertificateFields,
) -> Result<i32, AdministrationError> {
    let confirmed = hex::encode(&certificate.fingerprint);
    certificates::register(connection, OPERATOR, number(agency), certificate, &confirmed).await
}

#[tokio::test]
async fn a_key_belongs_to_one_agency_for_ever() {
    let (_database, mut connection) = centre().await;
    register(&mut connection, 1, &certificate(7, 1)).await.unwrap();
    // A renewed certificate for the same key is the same agency's again.
    register(&mut connection, 1, &certificate(7, 2)).await.unwrap();
    let error = register(&mut connection, 2, &certificate(7, 3)).await.unwrap_err();
    assert!(matches!(error, AdministrationError::KeyOfAnotherAgency { owner, .. } if owner == number(1)), "{error}");
    // Even after it is revoked, and every certificate of it with it.
    let fingerprint = hex::encode(certificate(7, 1).fingerprint);
    certificates::revoke(&mut connection, OPERATOR, &fingerprint, "lost", None).await.unwrap();
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
    for (certificate, name) in [(same_key_id, "subject key identifier"), (same_serial, "issuer and serial number")] {
        for agency in [1, 2] {
            let error = register(&mut connection, agency, &certificate).await.unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
    // A refused registration gives the key to nobody.
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.agency_keys").await, 1);
    register(&mut connection, 2, &certificate(8, 2)).await.unwrap();
}

#[tokio::test]
async fn only_a_confirmed_fingerprint_is_registered_and_only_once() {
    let (_database, mut connection) = centre().await;
    let good = certificate(7, 1);
    let error = certificates::register(&mut connection, OPERATOR, number(1), &good, "00:11").await.unwrap_err();
    assert!(error.to_string().contains(&hex::encode(&good.fingerprint)), "{error}");
    let spelled: Vec<String> = good.fingerprint.iter().map(|octet| format!("{octet:02X}")).collect();
    certificates::register(&mut connection, OPERATOR, number(1), &good, &spelled.join(":")).await.unwrap();
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
    let letters = "INSERT INTO xm.letters (agency, letter_id, installation, sequence, digest, verdict, transport, certificate, receipt, received_at)
        SELECT 1, gen_random_uuid(), 'pc1', n, sha256(n::text::bytea), 'accepted', 'mail', CASE WHEN n < 5 THEN $id ELSE $id + 1 END, '', now() - n * interval '1 day'
          FROM generate_series(1, 5) n";
    run(&mut connection, &letters.replace("$id", &id.to_string())).await;
    let revision = "SELECT revision FROM xm.agencies WHERE matricule = 1";
    let before = value(&mut connection, revision).await;
    let fingerprint = hex::encode(certificate(7, 1).fingerprint);
    let since = Utc::now() - Duration::hours(24 * 9);
    let review = certificates::revoke(&mut connection, OPERATOR, &fingerprint, "PC stolen", Some(since)).await.unwrap();
    assert_eq!(review.iter().map(|letter| letter.sequence).collect::<Vec<_>>(), [Some(4), Some(3), Some(2), Some(1)]);
    assert!(value(&mut connection, revision).await > before);

    let again = certificates::revoke(&mut connection, OPERATOR, &fingerprint, "again", None).await.unwrap_err();
    assert!(matches!(again, AdministrationError::CertificateRevoked { .. }), "{again}");
    for unknown in ["abcd", "no hex"] {
        let error = certificates::revoke(&mut connection, OPERATOR, unknown, "x", None).await.unwrap_err();
        assert!(matches!(error, AdministrationError::CertificateUnknown(_)), "{error}");
    }
    let mut count = async |filter: CertificateFilter| certificates::list(&mut connection, &filter).await.unwrap().len();
    assert_eq!(count(CertificateFilter::default()).await, 1);
    assert_eq!(count(CertificateFilter { with_revoked: true, agency: Some(number(1)), ..Default::default() }).await, 2);
    assert_eq!(count(CertificateFilter { ending_before: Some(Utc::now()), ..Default::default() }).await, 0);
}
