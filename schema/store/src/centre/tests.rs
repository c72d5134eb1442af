//! Tests of the record of the centre's keys, and of addresses that no agency may have.

use chrono::{Duration, Utc};

use crate::agencies;
use crate::agencies::NewAgency;
use crate::centre;
use crate::centre::keys::{CentreKey, Confirmed, KeyState, Purpose};
use crate::error::AdministrationError;
use crate::people::SystemAccount;
use crate::testing::centre::*;

/// Makes a key from a number. Its certificate is not DER, which no test notices: the record of keys does not parse certificates.
pub(crate) fn key(key: u8, state: KeyState, purpose: Purpose) -> CentreKey {
    CentreKey {
        spki_sha256: vec![key; 32],
        purpose: if purpose == Purpose::Letters { "letters" } else { "authority" }.to_owned(),
        state: match state {
            KeyState::Next => "next",
            KeyState::Current => "current",
            KeyState::Retired => "retired",
        }
        .to_owned(),
        algorithm: "P-256".to_owned(),
        fingerprint: vec![0xf0 | key; 32],
        certificate: vec![key],
        not_before: Utc::now() - Duration::days(1),
        not_after: Utc::now() + Duration::days(3650),
    }
}

fn keys() -> Vec<CentreKey> {
    let letters = |number, state| key(number, state, Purpose::Letters);
    vec![
        letters(1, KeyState::Current),
        key(2, KeyState::Current, Purpose::Authority),
        letters(3, KeyState::Retired),
        letters(4, KeyState::Next),
    ]
}

/// The account under which the program itself runs.
fn account() -> SystemAccount {
    SystemAccount::pretended(998, "xmserver")
}

fn never(_: &[u8]) -> bool {
    false
}

#[tokio::test]
async fn the_keys_that_were_recorded_serve_and_no_others_do() {
    let (_database, mut connection) = centre().await;
    centre::keys::record(&mut connection, &OPERATOR, &keys()).await.unwrap();
    let mut confirmed = async |at_hand: &[CentreKey]| {
        // The test says that the keys open every letter. They must be refused all the same, if they are not the recorded keys.
        centre::keys::confirm(&mut connection, &account(), at_hand, |_| true).await
    };
    assert_eq!(confirmed(&keys()).await.unwrap(), Confirmed::Known);
    let renewed: Vec<CentreKey> =
        keys().into_iter().map(|one| CentreKey { fingerprint: vec![one.spki_sha256[0]; 32], ..one }).collect();
    assert_eq!(confirmed(&renewed).await.unwrap(), Confirmed::Known, "the same keys in other certificates");

    let centre = "F1:".repeat(31) + "F1";
    let foreign = [key(8, KeyState::Current, Purpose::Letters), key(9, KeyState::Current, Purpose::Authority)];
    let one_more = [keys(), vec![key(8, KeyState::Retired, Purpose::Letters)]].concat();
    for at_hand in [&foreign[..], &one_more, &[]] {
        let error = confirmed(at_hand).await.unwrap_err();
        assert!(
            matches!(&error, AdministrationError::KeysForeign { centre: Some(key), .. } if *key == centre),
            "{error}"
        );
    }
    // Every key is needed, even the retired one, since agencies may still seal letters for it.
    for missing in 0..4 {
        let mut at_hand = keys();
        at_hand.remove(missing);
        let error = confirmed(&at_hand).await.unwrap_err();
        assert!(matches!(error, AdministrationError::KeyMissing { .. }), "{error}");
    }
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.centre_keys").await, 4);
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.audit WHERE action = 'centre.keys'").await, 1);
}

#[tokio::test]
async fn a_database_from_before_the_record_takes_only_keys_that_open_what_it_accepted() {
    let (_database, mut connection) = centre().await;
    let letters = "INSERT INTO xm.originals (journal_id, received_at, container)
        SELECT n, now(), convert_to('letter ' || n, 'UTF8') FROM generate_series(1, 100) n";
    run(&mut connection, letters).await;
    let error = centre::keys::confirm(&mut connection, &account(), &keys(), never).await.unwrap_err();
    assert!(matches!(error, AdministrationError::KeysForeign { centre: None, .. }), "{error}");
    // These keys open only an old letter, and the program tries only the latest ones. So the keys are refused.
    let error = centre::keys::confirm(&mut connection, &account(), &keys(), |container| container == b"letter 1").await;
    assert!(error.is_err());
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.centre_keys").await, 0);
    let opens = |container: &[u8]| container == b"letter 99";
    let confirmed = centre::keys::confirm(&mut connection, &account(), &keys(), opens).await.unwrap();
    assert_eq!(confirmed, Confirmed::AdoptedByProof);
    assert_eq!(centre::keys::confirm(&mut connection, &account(), &keys(), never).await.unwrap(), Confirmed::Known);
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.audit WHERE action = 'centre.keys'").await, 1);
}

#[tokio::test]
async fn of_programs_that_start_at_once_one_records_its_keys_and_strangers_are_refused() {
    let (database, mut connection) = centre().await;
    let (mut first, mut second, mut third) =
        (database.get().await.unwrap(), database.get().await.unwrap(), database.get().await.unwrap());
    let (ours, theirs) = (keys(), vec![key(8, KeyState::Current, Purpose::Letters)]);
    let account = account();
    let (one, two, three) = tokio::join!(
        centre::keys::confirm(&mut first, &account, &ours, never),
        centre::keys::confirm(&mut second, &account, &ours, never),
        centre::keys::confirm(&mut third, &account, &theirs, never)
    );
    let outcomes = [one, two, three];
    let without_proof = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Confirmed::AdoptedWithoutProof))).count();
    assert_eq!(without_proof, 1);
    let foreign =
        outcomes.iter().filter(|outcome| matches!(outcome, Err(AdministrationError::KeysForeign { .. }))).count();
    assert!(foreign >= 1, "{outcomes:?}");
    let recorded = centre::keys::list(&mut connection).await.unwrap();
    assert!(recorded.len() == 4 || recorded.len() == 1, "of one of them, whole");
}

#[tokio::test]
async fn no_agency_has_an_address_of_the_centre_s_own() {
    let (_database, mut connection) = centre().await;
    let own = ["Centre@example.cm".to_owned(), "receipts@example.cm".to_owned(), "mailuser".to_owned()];
    for _again in 0..2 {
        centre::addresses::record(&mut connection, &own).await.unwrap();
    }
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.centre_addresses").await, 2, "a user is no address");
    for taken in ["centre@example.cm", "CENTRE@EXAMPLE.CM", "receipts@example.cm"] {
        let new = NewAgency { email: taken.to_owned(), ..agency(3) };
        let error = agencies::add(&mut connection, &OPERATOR, &new).await.unwrap_err();
        assert!(matches!(&error, AdministrationError::AddressOfCentre(address) if address == taken), "{error}");
        let change = agencies::AgencyChange { email: Some(taken.to_owned()), ..Default::default() };
        let error = agencies::edit(&mut connection, &OPERATOR, number(1), &change).await.unwrap_err();
        assert!(matches!(error, AdministrationError::AddressOfCentre(_)), "{error}");
    }
    assert_eq!(centre::addresses::given_to_agencies(&mut connection).await.unwrap(), []);
    run(&mut connection, "UPDATE xm.agencies SET email = 'Receipts@example.cm' WHERE matricule = 2").await;
    let given = centre::addresses::given_to_agencies(&mut connection).await.unwrap();
    assert_eq!(given, [(number(2), "Receipts@example.cm".to_owned())]);
    // The addresses were last recorded 40 days ago, which is more than `FREE_AFTER_DAYS`. So they no longer belong to the centre, and an
    // agency may have one of them.
    run(&mut connection, "UPDATE xm.centre_addresses SET seen_at = now() - interval '40 days'").await;
    let new = NewAgency { email: "centre@example.cm".to_owned(), ..agency(3) };
    agencies::add(&mut connection, &OPERATOR, &new).await.unwrap();
}
