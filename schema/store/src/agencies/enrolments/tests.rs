//! Tests of enrolment codes as operators use them, on a real PostgreSQL.

use super::{ENROLMENT_ALPHABET, ENROLMENT_CHARS, code, list};
use crate::approvals;
use crate::database::Connection;
use crate::error::AdministrationError;
use crate::people::tests::{centre, certificate, count, last_line, number, register, signed_in, user};
use crate::people::{Operator, Privilege, users};

async fn state(connection: &mut Connection) -> Vec<String> {
    list(connection, None, 10).await.unwrap().into_iter().map(|listed| listed.state).collect()
}

#[tokio::test]
async fn a_code_is_random_told_once_kept_hashed_and_replaced_by_the_next() {
    let (_database, mut connection, operator) = centre().await;
    let first = code(&mut connection, &operator, number(1)).await.unwrap();
    assert_eq!(first.code.as_str().len(), ENROLMENT_CHARS);
    assert!(first.code.as_str().bytes().all(|octet| ENROLMENT_ALPHABET.contains(&octet)));
    let line = last_line(&mut connection).await;
    assert_eq!((line.action.as_str(), line.detail["is_further"].as_bool()), ("enrolment.code", Some(false)));
    assert!(!line.detail.to_string().contains(first.code.as_str()));
    let held = "SELECT count(*) AS count FROM xm.enrolment_codes c WHERE c::text LIKE";
    let all = count(&mut connection, &format!("{held} '%'")).await;
    let readable = count(&mut connection, &format!("{held} '%{}%'", first.code.as_str())).await;
    assert_eq!((all, readable), (1, 0), "nobody reads it in the database");
    let second = code(&mut connection, &operator, number(1)).await.unwrap();
    assert_ne!(first.code, second.code);
    assert_eq!(state(&mut connection).await, ["open", "replaced"]);
    let error = code(&mut connection, &operator, number(9)).await.unwrap_err();
    assert!(matches!(error, AdministrationError::AgencyUnknown(_)), "{error}");
}

#[tokio::test]
async fn a_code_for_a_further_key_needs_two_people_and_is_told_to_who_asks_again() {
    let (_database, mut connection, superviseur) = centre().await;
    register(&mut connection, &superviseur, 1, &certificate(7)).await.unwrap();
    users::add(&mut connection, &superviseur, &user("nkolo", Privilege::ChefDAgence)).await.unwrap();
    let asker = signed_in(&mut connection, "nkolo").await;
    let error = code(&mut connection, &asker, number(1)).await.unwrap_err();
    let AdministrationError::ApprovalNeeded(act) = error else { panic!("{error}") };
    let approval = approvals::ask(&mut connection, &asker, &act).await.unwrap();
    approvals::confirm(&mut connection, &superviseur, approval.id).await.unwrap();
    assert_eq!(state(&mut connection).await, ["permitted"]);
    code(&mut connection, &asker, number(1)).await.unwrap();
    assert_eq!(state(&mut connection).await, ["open", "replaced"]);
    // A permit admits only one code.
    let error = code(&mut connection, &asker, number(1)).await.unwrap_err();
    assert!(matches!(error, AdministrationError::ApprovalNeeded(_)), "{error}");
    // An operator who may register only first certificates may not ask two people to agree to a code for another key.
    let beginner = Operator::pretended("abena", Privilege::Operateur);
    let error = code(&mut connection, &beginner, number(1)).await.unwrap_err();
    assert!(matches!(error, AdministrationError::PrivilegeMissing { .. }), "{error}");
}
