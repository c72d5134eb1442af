//! Tests of passwords, sessions and locks on a real PostgreSQL.

use diesel_async::SimpleAsyncConnection;
use serde_json::json;

use super::{account, agency, centre, count, last_line, number, signed_in, user};
use crate::agencies;
use crate::approvals;
use crate::database::Connection;
use crate::error::{AdministrationError, InvalidValue};
use crate::people::sessions::{Channel, Place, SignedIn, Token, change_password, resume, sign_in, sign_out};
use crate::people::{
    Act, NewUser, Operator, Privilege, audit, locks, passwords, resets, sample, sign_in_as_system_account, users,
};

const GOOD: &str = "correct horse battery";
const OTHER: &str = "quatre chevaux verts";

fn place() -> Place {
    Place::console("192.0.2.7".parse().unwrap())
}

async fn run(connection: &mut Connection, statement: &str) {
    connection.batch_execute(statement).await.unwrap();
}

/// Adds a user who has changed his first password to `GOOD`.
async fn add(connection: &mut Connection, operator: &Operator, name: &str, privilege: Privilege) {
    let new = NewUser { account: None, ..user(name, privilege) };
    let first = users::add(connection, operator, &new).await.unwrap();
    change_password(connection, name, first.reveal(), GOOD, &place()).await.unwrap();
}

/// Signs a user in by the password `GOOD`.
async fn begun(connection: &mut Connection, name: &str) -> Token {
    let SignedIn { token, must_change } = sign_in(connection, name, GOOD, &place()).await.unwrap();
    assert!(!must_change);
    token
}

async fn is_open(connection: &mut Connection, token: &Token) -> bool {
    match resume(connection, token, Channel::Console).await {
        Ok(_) => true,
        Err(AdministrationError::SessionEnded) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn is_refused(connection: &mut Connection, name: &str, password: &str) -> bool {
    match sign_in(connection, name, password, &place()).await {
        Ok(_) => false,
        Err(AdministrationError::SignInFailed) => true,
        Err(error) => panic!("{error}"),
    }
}

fn needed<T: std::fmt::Debug>(refused: Result<T, AdministrationError>) -> Act {
    match refused.unwrap_err() {
        AdministrationError::ApprovalNeeded(act) => *act,
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_first_password_opens_nothing_but_its_own_change() {
    let (_database, mut connection, ekane) = centre().await;
    let new = NewUser { account: None, ..user("zoe", Privilege::ChefDAgence) };
    let first = users::add(&mut connection, &ekane, &new).await.unwrap();
    let SignedIn { token, must_change } = sign_in(&mut connection, "zoe", first.reveal(), &place()).await.unwrap();
    assert!(must_change);
    let error = resume(&mut connection, &token, Channel::Console).await.unwrap_err();
    assert!(matches!(&error, AdministrationError::PasswordFirst(user) if user == "zoe"), "{error}");
    for (wrong, rule) in [("zzzz", "password"), ("aaaaaaaaaaaaaaaa", "password"), (first.reveal(), "password_same")] {
        let error = change_password(&mut connection, "zoe", first.reveal(), wrong, &place()).await.unwrap_err();
        assert!(matches!(&error, AdministrationError::Invalid(value) if value.name() == rule), "{wrong}: {error}");
    }
    let error = change_password(&mut connection, "zoe", OTHER, GOOD, &place()).await.unwrap_err();
    assert!(matches!(error, AdministrationError::SignInFailed), "{error}");
    change_password(&mut connection, "zoe", first.reveal(), GOOD, &place()).await.unwrap();
    let line = last_line(&mut connection).await;
    assert_eq!((line.operator.as_str(), line.action.as_str(), &line.detail), ("zoe", "password.change", &json!({})));
    assert!(!is_open(&mut connection, &token).await, "a session of before has ended");
    assert!(is_refused(&mut connection, "zoe", first.reveal()).await);

    let token = begun(&mut connection, "zoe").await;
    let zoe = resume(&mut connection, &token, Channel::Console).await.unwrap();
    assert_eq!((zoe.user(), zoe.privilege()), ("zoe", Privilege::ChefDAgence));
    agencies::add(&mut connection, &zoe, &agency(3)).await.unwrap();
    let line = last_line(&mut connection).await;
    let session = count(&mut connection, "SELECT max(id) AS count FROM xm.sessions").await;
    assert_eq!(
        (line.operator.as_str(), &line.detail["session"]),
        ("zoe", &json!(session)),
        "the line names the session"
    );
    let revealed = format!(
        "SELECT count(*) AS count FROM xm.sessions s WHERE s::text LIKE '%{token}%'
            OR EXISTS (SELECT FROM xm.audit a WHERE a::text LIKE '%{token}%')",
        token = token.reveal()
    );
    assert_eq!(count(&mut connection, &revealed).await, 0, "the token itself is nowhere");
    audit::verify(&mut connection, None).await.unwrap();
}

#[tokio::test]
async fn wrong_passwords_lock_for_a_while_that_grows_and_each_is_on_record() {
    let (_database, mut connection, ekane) = centre().await;
    add(&mut connection, &ekane, "zoe", Privilege::Operateur).await;
    let before = audit::head(&mut connection).await.unwrap().id;
    for _wrong in 0..4 {
        assert!(is_refused(&mut connection, "zoe", OTHER).await);
    }
    assert!(!is_refused(&mut connection, "zoe", GOOD).await, "four are forgiven, and forgotten");
    for _wrong in 0..5 {
        assert!(is_refused(&mut connection, "zoe", OTHER).await);
    }
    assert!(is_refused(&mut connection, "zoe", GOOD).await, "the right one opens nothing now");
    assert!(users::list(&mut connection).await.unwrap()[1].waits_until.is_some());
    let minutes =
        "SELECT round(extract(epoch FROM locked_until - now()) / 60)::bigint AS count FROM xm.users WHERE name = 'zoe'";
    assert_eq!(count(&mut connection, minutes).await, 15);
    for expected in [30, 60] {
        run(&mut connection, "UPDATE xm.users SET locked_until = now() - interval '1 second' WHERE name = 'zoe'").await;
        assert!(is_refused(&mut connection, "zoe", OTHER).await);
        assert_eq!(count(&mut connection, minutes).await, expected);
    }
    run(&mut connection, "UPDATE xm.users SET failures = 99, locked_until = NULL WHERE name = 'zoe'").await;
    assert!(is_refused(&mut connection, "zoe", OTHER).await);
    assert_eq!(count(&mut connection, minutes).await, 24 * 60, "a day is the longest");
    locks::unlock(&mut connection, &ekane, "zoe").await.unwrap();
    assert!(!is_refused(&mut connection, "zoe", GOOD).await);
    assert!(is_refused(&mut connection, "correct horse", "zoe").await);
    let line = last_line(&mut connection).await;
    assert_eq!((line.operator.as_str(), line.action.as_str()), ("address 192.0.2.7", "sign_in.refused"));
    assert_eq!((line.subject.as_str(), &line.detail), ("unknown user", &json!({ "channel": "console" })));
    let lines = format!("SELECT count(*) AS count FROM xm.audit WHERE action = 'sign_in.refused' AND id > {before}");
    assert_eq!(count(&mut connection, &lines).await, 4 + 5 + 1 + 2 + 1 + 1, "each try that failed is one line");
}

#[tokio::test]
async fn tries_at_the_same_time_are_counted_before_they_are_judged() {
    let (database, mut connection, ekane) = centre().await;
    add(&mut connection, &ekane, "zoe", Privilege::Operateur).await;
    let tries = (0..8).map(|_| async {
        let mut connection = database.get().await.unwrap();
        is_refused(&mut connection, "zoe", OTHER).await
    });
    assert!(futures_util::future::join_all(tries).await.into_iter().all(|refused| refused));
    let counted = "SELECT failures::bigint AS count FROM xm.users WHERE name = 'zoe'";
    assert_eq!(count(&mut connection, counted).await, 5, "the sixth was not judged any more");
}

#[tokio::test]
async fn a_session_ends_by_disuse_by_age_and_with_the_password_of_its_user() {
    let (_database, mut connection, ekane) = centre().await;
    add(&mut connection, &ekane, "zoe", Privilege::Operateur).await;
    add(&mut connection, &ekane, "ali", Privilege::Operateur).await;
    let other = begun(&mut connection, "ali").await;
    for ends in [
        "UPDATE xm.sessions SET used_at = now() - interval '31 minutes' WHERE user_name = 'zoe'",
        "UPDATE xm.sessions SET started_at = now() - interval '12 hours 1 minute' WHERE user_name = 'zoe'",
        // Whatever program writes it.
        "UPDATE xm.users SET locked_at = now() WHERE name = 'zoe'; UPDATE xm.users SET locked_at = NULL WHERE name = 'zoe'",
    ] {
        let token = begun(&mut connection, "zoe").await;
        run(&mut connection, "UPDATE xm.sessions SET used_at = now() - interval '29 minutes' WHERE user_name = 'zoe'")
            .await;
        assert!(is_open(&mut connection, &token).await);
        run(&mut connection, ends).await;
        assert!(!is_open(&mut connection, &token).await, "{ends}");
    }
    let token = begun(&mut connection, "zoe").await;
    assert!(
        resume(&mut connection, &token, Channel::Command).await.is_err(),
        "a session of the console is no command's"
    );
    assert!(resume(&mut connection, &Token::kept("00"), Channel::Console).await.is_err());
    assert_eq!(sign_out(&mut connection, &token).await.unwrap().as_deref(), Some("zoe"));
    assert_eq!(last_line(&mut connection).await.action, "sign_out");
    assert!(!is_open(&mut connection, &token).await);
    assert_eq!(sign_out(&mut connection, &token).await.unwrap(), None);
    let token = begun(&mut connection, "zoe").await;
    let first = resets::reset_password(&mut connection, &ekane, "zoe").await.unwrap();
    assert!(!is_open(&mut connection, &token).await);
    assert!(sign_in(&mut connection, "zoe", first.reveal(), &place()).await.unwrap().must_change);
    assert!(is_open(&mut connection, &other).await, "nobody else's has ended");
    let places = "SELECT count(*) AS count FROM xm.sessions WHERE channel = 'console' AND place = 'address 192.0.2.7'";
    assert_eq!(
        count(&mut connection, places).await,
        count(&mut connection, "SELECT count(*) AS count FROM xm.sessions").await
    );
}

#[tokio::test]
async fn who_is_locked_signs_in_by_nothing_and_no_lock_takes_the_last_superviseur() {
    let (_database, mut connection, ekane) = centre().await;
    users::add(&mut connection, &ekane, &user("alice", Privilege::ChefDAgence)).await.unwrap();
    let alice = signed_in(&mut connection, "alice").await;
    let first = resets::reset_password(&mut connection, &ekane, "alice").await.unwrap();
    change_password(&mut connection, "alice", first.reveal(), GOOD, &place()).await.unwrap();
    let asked =
        Act::VoucherBatch { vouchers: 1, amount: 5, expires_at: chrono::Utc::now() + chrono::Duration::days(1) };
    let asked = approvals::ask(&mut connection, &alice, &asked).await.unwrap();
    assert!(locks::lock(&mut connection, &ekane, "alice", " ").await.is_err(), "a reason is wanted");
    locks::lock(&mut connection, &ekane, "alice", "has left").await.unwrap();
    let line = last_line(&mut connection).await;
    assert_eq!((line.action.as_str(), &line.detail), ("user.lock", &json!({ "reason": "has left" })));
    let error = sign_in_as_system_account(&mut connection, &account("alice")).await.unwrap_err();
    assert!(matches!(&error, AdministrationError::UserLocked(user) if user == "alice"), "{error}");
    let line = last_line(&mut connection).await;
    assert_eq!((line.operator.as_str(), &line.detail["user"]), ("account alice", &json!("alice")));
    assert!(is_refused(&mut connection, "alice", GOOD).await);
    let error = approvals::confirm(&mut connection, &ekane, asked.id).await.unwrap_err();
    assert!(matches!(error, AdministrationError::ApprovalAskerMayNot { .. }), "what he asked is not done: {error}");
    // While there is one Superviseur, one unlocks; and he cannot lock himself out.
    locks::unlock(&mut connection, &ekane, "alice").await.unwrap();
    signed_in(&mut connection, "alice").await;
    let error = locks::lock(&mut connection, &ekane, "ekane", "tired").await.unwrap_err();
    assert!(matches!(error, AdministrationError::SuperviseurLast), "{error}");
}

#[tokio::test]
async fn a_superviseur_who_signs_in_by_a_password_counts_as_a_second_one() {
    let (_database, mut connection, ekane) = centre().await;
    let new = NewUser { account: None, ..user("mbome", Privilege::Superviseur) };
    let first = users::add(&mut connection, &ekane, &new).await.unwrap();
    // Whoever added him knows his first password: it makes nobody a second person.
    sign_in(&mut connection, "mbome", first.reveal(), &place()).await.unwrap();
    users::add(&mut connection, &ekane, &user("nkolo", Privilege::ChefDAgence)).await.unwrap();
    change_password(&mut connection, "mbome", first.reveal(), GOOD, &place()).await.unwrap();
    let token = begun(&mut connection, "mbome").await;
    let mbome = resume(&mut connection, &token, Channel::Console).await.unwrap();
    let lock = needed(locks::lock(&mut connection, &ekane, "mbome", "x").await);
    let own = needed(locks::lock(&mut connection, &mbome, "ekane", "x").await);
    locks::lock(&mut connection, &ekane, "nkolo", "x").await.unwrap();
    let unlock = needed(locks::unlock(&mut connection, &ekane, "nkolo").await);
    let approval = approvals::ask(&mut connection, &ekane, &unlock).await.unwrap();
    approvals::confirm(&mut connection, &mbome, approval.id).await.unwrap();
    signed_in(&mut connection, "nkolo").await;
    assert_ne!(lock, own);

    // A first password for a user of weight has two parts, and neither alone opens anything.
    let act = needed(resets::reset_password(&mut connection, &ekane, "nkolo").await);
    let Act::UserPassword { first, .. } = &act else { panic!("{act:?}") };
    let approval = approvals::ask(&mut connection, &ekane, &act).await.unwrap();
    assert_eq!(approval.parameters, json!({ "user": "nkolo" }), "nobody else reads the first part");
    let line = last_line(&mut connection).await;
    assert!(!line.detail.to_string().contains(first.as_str()), "{}", line.detail);
    let confirmed = approvals::confirm(&mut connection, &mbome, approval.id).await.unwrap();
    let second = confirmed.result["second_part"].as_str().unwrap();
    for wrong in [first.as_str(), second, &format!("{second}{first}")] {
        assert!(is_refused(&mut connection, "nkolo", wrong).await);
    }
    assert!(sign_in(&mut connection, "nkolo", &format!("{first}{second}"), &place()).await.unwrap().must_change);
    audit::verify(&mut connection, None).await.unwrap();
}

#[tokio::test]
async fn the_sample_user_exists_in_the_demos_centre_and_can_be_in_no_other_one() {
    let (_database, mut connection, ekane) = centre().await;
    let zzzz = passwords::hashed(sample::PASSWORD.to_owned()).await.unwrap();
    let error = sample::add(&mut connection, &ekane).await.unwrap_err();
    assert!(matches!(error, AdministrationError::Invalid(InvalidValue::SampleUser)), "{error}");
    // Not even who writes the database himself makes a user whom zzzz lets in.
    run(
        &mut connection,
        &format!(
            "INSERT INTO xm.users (name, privilege, password_hash, must_change) VALUES ('mbome', 3, '{zzzz}', false)"
        ),
    )
    .await;
    assert!(is_refused(&mut connection, "mbome", "zzzz").await);
    add(&mut connection, &ekane, "zoe", Privilege::Operateur).await;
    assert!(change_password(&mut connection, "zoe", GOOD, "zzzz", &place()).await.is_err());
    run(&mut connection, "UPDATE xm.server SET name = 'demo', mode = 'live'").await;
    assert!(is_refused(&mut connection, "mbome", "zzzz").await, "no live centre is the demo's");
    run(&mut connection, "UPDATE xm.server SET mode = 'test'; DELETE FROM xm.users WHERE name = 'mbome'").await;
    sample::add(&mut connection, &ekane).await.unwrap();
    let SignedIn { token, must_change } = sign_in(&mut connection, "mbome", "zzzz", &place()).await.unwrap();
    let mbome = resume(&mut connection, &token, Channel::Console).await.unwrap();
    assert_eq!((mbome.user(), mbome.privilege(), must_change), ("mbome", Privilege::Superviseur, false));
    agencies::set_status(&mut connection, &mbome, number(1), 0).await.unwrap();
    run(&mut connection, &format!("UPDATE xm.users SET password_hash = '{zzzz}' WHERE name = 'zoe'")).await;
    assert!(is_refused(&mut connection, "zoe", "zzzz").await, "nobody else has it, in the demo neither");
    let error = sample::add(&mut connection, &ekane).await.unwrap_err();
    assert!(matches!(error, AdministrationError::UserExists(_)), "{error}");
}
