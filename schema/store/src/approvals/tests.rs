//! Tests of approvals on a real PostgreSQL: two people, changes of the seen state, and simultaneous decisions.

use chrono::{Duration, Utc};
use diesel_async::SimpleAsyncConnection;
use serde_json::json;

use super::{Approval, ask, confirm, list, refuse, show};
use crate::agencies;
use crate::database::{Connection, Database};
use crate::error::AdministrationError;
use crate::ledger::recharges;
use crate::people::approved::judge;
use crate::people::standing::Standing;
use crate::people::tests::{account, centre, certificate, count, last_line, number, register, signed_in, user};
use crate::people::{Act, Need, NewUser, Operation, Operator, Privilege, audit, mapping, users};

/// Makes a centre whose users are the Superviseurs ekane and mbome and the Chef d'Agence nkolo.
async fn two() -> (Database, Connection, Operator, Operator, Operator) {
    let (database, mut connection, ekane) = centre().await;
    // With only one Superviseur, nobody could confirm the new user, so a second person is not demanded.
    for (name, privilege) in [("nkolo", Privilege::ChefDAgence), ("mbome", Privilege::Superviseur)] {
        users::add(&mut connection, &ekane, &user(name, privilege)).await.unwrap();
    }
    let (mbome, nkolo) = (signed_in(&mut connection, "mbome").await, signed_in(&mut connection, "nkolo").await);
    (database, connection, ekane, mbome, nkolo)
}

/// Returns the act that needs a second person; fails on any other result.
fn needed<T: std::fmt::Debug>(refused: Result<T, AdministrationError>) -> Act {
    match refused.unwrap_err() {
        AdministrationError::ApprovalNeeded(act) => *act,
        error => panic!("{error}"),
    }
}

/// Completes a registration: if it needed a second person, adds the users `mbarga` and `ekane`, makes `mbarga` ask for it and `ekane`
/// confirm it. Returns the number of the certificate.
pub(crate) async fn by_two(
    connection: &mut Connection,
    registered: Result<i32, AdministrationError>,
) -> Result<i32, AdministrationError> {
    let act = match registered {
        Err(AdministrationError::ApprovalNeeded(act)) => act,
        registered => return registered,
    };
    let users = "INSERT INTO xm.users (name, privilege, password_hash) VALUES ('mbarga', 3, ''), ('ekane', 3, '')
                 ON CONFLICT DO NOTHING";
    connection.batch_execute(users).await.unwrap();
    let asked = ask(connection, &Operator::superviseur(), &act).await?;
    let second = Operator::pretended("ekane", Privilege::Superviseur);
    let done = confirm(connection, &second, asked.id).await?;
    Ok(done.result["certificate"].as_i64().unwrap().try_into().unwrap())
}

/// Asks to recharge agency 1 beyond the limit.
async fn recharge(connection: &mut Connection, asker: &Operator) -> Approval {
    let act = needed(recharges::recharge(connection, asker, number(1), 2_000_000, "slip 7").await);
    ask(connection, asker, &act).await.unwrap()
}

const BALANCE: &str = "SELECT balance AS count FROM xm.accounts WHERE agency = 1";

#[tokio::test]
async fn the_database_itself_refuses_that_one_person_is_both() {
    let (_database, mut connection, ..) = two().await;
    let insert = |needs_commission: bool, state: &str, decider: &str, marks: &str| {
        format!(
            "INSERT INTO xm.approvals (operation, parameters, seen, needs_commission, asked_by, asker_is_commission,
                                       expires_at, state, decided_by, decider_is_commission, decided_at)
             VALUES ('x', '{{}}', '{{}}', {needs_commission}, 'ekane', {marks}, now(), '{state}', {decider}, {marks}, now())"
        )
    };
    for (statement, constraint) in [
        (insert(false, "confirmed", "'ekane'", "false"), "approvals_two_people"),
        (insert(false, "refused", "'ekane'", "false"), "approvals_two_people"),
        (insert(true, "confirmed", "'ekane'", "true"), "approvals_two_people"),
        (insert(false, "confirmed", "NULL", "false"), "approvals_decided"),
        (insert(false, "waiting", "'mbome'", "false"), "approvals_decided"),
        (insert(true, "confirmed", "'mbome'", "false"), "approvals_commission"),
        (insert(false, "done", "NULL", "false"), "approvals_state_check"),
        (insert(false, "confirmed", "'nobody'", "false"), "approvals_decided_by_fkey"),
    ] {
        let error = connection.batch_execute(&statement).await.unwrap_err().to_string();
        assert!(error.contains(constraint), "{statement}: {error}");
    }
    for statement in [
        insert(false, "confirmed", "'mbome'", "false"),
        insert(true, "confirmed", "'mbome'", "true"),
        insert(false, "waiting", "NULL", "false"),
    ] {
        connection.batch_execute(&statement).await.unwrap();
    }
    // The database refuses every change of an approval's operation, asker or decision.
    for statement in [
        "UPDATE xm.approvals SET parameters = '{\"amount\": 9}' WHERE state = 'waiting'",
        "UPDATE xm.approvals SET asked_by = 'mbome' WHERE state = 'waiting'",
        "UPDATE xm.approvals SET expires_at = now() + interval '1 day' WHERE state = 'waiting'",
        "UPDATE xm.approvals SET state = 'waiting', decided_by = NULL WHERE state = 'confirmed'",
        "DELETE FROM xm.approvals WHERE state = 'waiting'",
        "TRUNCATE xm.approvals",
    ] {
        assert!(connection.batch_execute(statement).await.is_err(), "{statement}");
    }
    assert_eq!(count(&mut connection, "SELECT count(*) AS count FROM xm.approvals").await, 3);
}

#[tokio::test]
async fn what_one_person_asks_another_one_confirms_and_it_is_done_once() {
    let (_database, mut connection, ekane, mbome, nkolo) = two().await;
    assert_eq!(recharges::recharge(&mut connection, &nkolo, number(1), 1_000_000, "").await.unwrap(), 1_000_000);
    let approval = recharge(&mut connection, &nkolo).await;
    assert_eq!(approval.parameters, json!({ "agency": 1, "amount": 2_000_000, "note": "slip 7" }));
    assert_eq!((approval.asked_by.as_str(), approval.state.as_str()), ("nkolo", "waiting"));
    assert_eq!(recharge(&mut connection, &nkolo).await.id, approval.id, "it is not asked twice");
    assert_eq!(list(&mut connection, false, None, 10).await.unwrap()[0], approval);
    assert_eq!(count(&mut connection, BALANCE).await, 1_000_000, "nothing is done yet");
    let line = last_line(&mut connection).await;
    assert_eq!((line.operator.as_str(), line.action.as_str()), ("nkolo", "approval.ask"));

    // The user who asked lacks the privilege to confirm.
    let error = confirm(&mut connection, &nkolo, approval.id).await.unwrap_err();
    assert!(matches!(error, AdministrationError::PrivilegeMissing { .. }), "{error}");
    let confirmed = confirm(&mut connection, &mbome, approval.id).await.unwrap();
    assert_eq!((confirmed.approval.state.as_str(), confirmed.result), ("confirmed", json!({ "balance": 3_000_000 })));
    assert_eq!(confirmed.approval.decided_by.as_deref(), Some("mbome"));
    assert_eq!(count(&mut connection, BALANCE).await, 3_000_000);
    let lines = audit::list(&mut connection, None, 2).await.unwrap();
    let told: Vec<_> = lines.iter().map(|line| (line.operator.as_str(), line.action.as_str())).collect();
    assert_eq!(told, [("mbome", "approval.confirm"), ("mbome", "agency.recharge")]);
    assert_eq!(lines[0].detail, json!({ "operation": "agency.recharge", "asked_by": "nkolo" }));
    let error = confirm(&mut connection, &ekane, approval.id).await.unwrap_err();
    assert!(matches!(error, AdministrationError::ApprovalDecided { .. }), "{error}");
    let error = confirm(&mut connection, &ekane, 99).await.unwrap_err();
    assert!(matches!(error, AdministrationError::ApprovalUnknown(99)), "{error}");
    assert_eq!(list(&mut connection, false, None, 10).await.unwrap(), []);
    assert_eq!(list(&mut connection, true, None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_confirms_his_own_and_the_try_is_on_record() {
    let (_database, mut connection, ekane, mbome, _) = two().await;
    let approval = recharge(&mut connection, &ekane).await;
    let error = confirm(&mut connection, &ekane, approval.id).await.unwrap_err();
    assert!(matches!(error, AdministrationError::ApprovalOwn(_)), "{error}");
    let line = last_line(&mut connection).await;
    assert_eq!((line.action.as_str(), line.subject.as_str()), ("approval.refused", "approval 1"));
    assert_eq!(count(&mut connection, BALANCE).await, 0);
    // The asker withdraws his operation; if another person ends it, it is refused.
    let error = refuse(&mut connection, &ekane, approval.id, " ").await.unwrap_err();
    assert!(matches!(error, AdministrationError::Invalid(_)), "{error}");
    assert_eq!(refuse(&mut connection, &ekane, approval.id, "a mistake").await.unwrap().state, "withdrawn");
    let again = recharge(&mut connection, &ekane).await;
    assert_ne!(again.id, approval.id);
    let refused = refuse(&mut connection, &mbome, again.id, "no slip").await.unwrap();
    assert_eq!((refused.state.as_str(), refused.decided_by.as_deref()), ("refused", Some("mbome")));
    assert_eq!(refused.reason.as_deref(), Some("no slip"));
    let error = confirm(&mut connection, &mbome, again.id).await.unwrap_err();
    assert!(matches!(error, AdministrationError::ApprovalDecided { .. }), "{error}");
}

#[tokio::test]
async fn of_two_who_decide_at_once_one_does_and_the_other_is_told() {
    let (database, mut connection, ekane, mbome, nkolo) = two().await;
    let approval = recharge(&mut connection, &nkolo).await;
    let (mut first, mut second) = (database.get().await.unwrap(), database.get().await.unwrap());
    let (one, two) = tokio::join!(confirm(&mut first, &ekane, approval.id), confirm(&mut second, &mbome, approval.id));
    let (done, late): (Vec<_>, Vec<_>) = [one, two].into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), late.len()), (1, 1));
    let error = late.into_iter().next().unwrap().unwrap_err();
    assert!(matches!(error, AdministrationError::ApprovalDecided { .. }), "{error}");
    assert_eq!(count(&mut connection, BALANCE).await, 2_000_000);
    // One person confirms and another refuses at the same time: exactly one of them succeeds.
    let again = recharge(&mut connection, &nkolo).await;
    let (one, two) =
        tokio::join!(confirm(&mut first, &ekane, again.id), refuse(&mut second, &mbome, again.id, "no slip"));
    assert!(one.is_ok() != two.is_ok());
    audit::verify(&mut connection, None).await.unwrap();
}

#[tokio::test]
async fn what_has_changed_since_it_was_seen_is_asked_anew() {
    let (_database, mut connection, ekane, mbome, nkolo) = two().await;
    let approval = recharge(&mut connection, &nkolo).await;
    assert_eq!(approval.seen, json!({ "name": "Centre 1", "status": 3, "recharges": 0 }));
    agencies::set_status(&mut connection, &ekane, number(1), 0).await.unwrap();
    let error = confirm(&mut connection, &mbome, approval.id).await.unwrap_err();
    assert!(matches!(error, AdministrationError::ApprovalChanged(_)), "{error}");
    assert_eq!(show(&mut connection, approval.id).await.unwrap().state, "changed");
    assert_eq!(last_line(&mut connection).await.action, "approval.changed");
    assert_eq!(count(&mut connection, BALANCE).await, 0, "nothing was done");
    let anew = recharge(&mut connection, &nkolo).await;
    assert_ne!(anew.id, approval.id);
    // The recharge of slip 7 waits for its confirmation. A hurried user meanwhile books the slip with an amount that one person may credit
    // alone. The agency then has one recharge more than in the state `seen`, so the confirmation must fail, and the slip is booked only
    // once.
    recharges::recharge(&mut connection, &ekane, number(1), 10, "slip 7").await.unwrap();
    assert!(matches!(confirm(&mut connection, &mbome, anew.id).await, Err(AdministrationError::ApprovalChanged(_))));
}

#[tokio::test]
async fn who_asked_must_still_be_one_who_may() {
    let (_database, mut connection, ekane, mbome, nkolo) = two().await;
    let approval = recharge(&mut connection, &nkolo).await;
    users::set_privilege(&mut connection, &ekane, "nkolo", Privilege::Operateur).await.unwrap();
    let error = confirm(&mut connection, &mbome, approval.id).await.unwrap_err();
    assert!(matches!(error, AdministrationError::ApprovalAskerMayNot { .. }), "{error}");
    let operator = Operator::pretended("nkolo", Privilege::Operateur);
    let error = ask(&mut connection, &operator, &approval.act).await.unwrap_err();
    assert!(matches!(error, AdministrationError::PrivilegeMissing { .. }), "{error}");
}

#[tokio::test]
async fn what_nobody_decided_in_a_day_has_to_be_asked_anew() {
    let (_database, mut connection, ekane, mbome, _) = two().await;
    let late = "INSERT INTO xm.approvals (operation, parameters, seen, needs_commission, asked_by, asker_is_commission, expires_at)
        VALUES ('agency.recharge', '{\"agency\": 1, \"amount\": 2000000, \"note\": \"slip 7\"}',
                '{\"name\": \"Centre 1\", \"status\": 3, \"recharges\": 0}', false, 'ekane', false, now() - interval '1 s')";
    connection.batch_execute(late).await.unwrap();
    for refused in [
        confirm(&mut connection, &mbome, 1).await.map(drop),
        refuse(&mut connection, &mbome, 1, "late").await.map(drop),
    ] {
        assert!(matches!(refused, Err(AdministrationError::ApprovalExpired { .. })), "{refused:?}");
    }
    assert_eq!(show(&mut connection, 1).await.unwrap().state, "expired");
    let anew = recharge(&mut connection, &ekane).await;
    assert_eq!(anew.id, 2);
    let left = anew.expires_at - Utc::now();
    assert!(left > Duration::hours(23) && left <= Duration::hours(24), "{left}");
}

#[tokio::test]
async fn a_certificate_of_a_further_key_needs_two_and_a_renewed_one_does_not() {
    let (_database, mut connection, ekane, mbome, nkolo) = two().await;
    let clerk = Operator::pretended("clerk", Privilege::Operateur);
    register(&mut connection, &clerk, 1, &certificate(7)).await.unwrap();
    let renewed =
        crate::certificates::CertificateFields { fingerprint: vec![70; 32], serial: vec![70], ..certificate(7) };
    register(&mut connection, &nkolo, 1, &renewed).await.unwrap();
    let act = needed(register(&mut connection, &nkolo, 1, &certificate(8)).await);
    assert_eq!(
        count(&mut connection, "SELECT count(*) AS count FROM xm.agency_keys").await,
        1,
        "the key is nobody's yet"
    );
    let approval = ask(&mut connection, &nkolo, &act).await.unwrap();
    assert_eq!(approval.parameters["fingerprint"], hex::encode([8; 32]));
    assert!(approval.parameters.get("certificate").is_none(), "people are told what names it");
    let confirmed = confirm(&mut connection, &mbome, approval.id).await.unwrap();
    assert_eq!(confirmed.result, json!({ "certificate": 3 }));
    // If all certificates of an agency are revoked, a new certificate also needs two people: the person who says that the office lost its
    // key may be a stranger.
    crate::certificates::revoke(&mut connection, &ekane, "#3", "lost", None).await.unwrap();
    let act = needed(register(&mut connection, &nkolo, 1, &certificate(9)).await);
    let approval = ask(&mut connection, &nkolo, &act).await.unwrap();
    register(&mut connection, &clerk, 2, &certificate(9)).await.unwrap();
    let error = confirm(&mut connection, &mbome, approval.id).await.unwrap_err();
    assert!(matches!(error, AdministrationError::KeyOfAnotherAgency { .. }), "{error}");
    assert_eq!(show(&mut connection, approval.id).await.unwrap().state, "waiting", "what failed was not done");
}

#[tokio::test]
async fn power_is_given_by_two_as_soon_as_there_are_two() {
    let (_database, mut connection, ekane, mbome, _) = two().await;
    users::add(&mut connection, &ekane, &user("clerk", Privilege::Operateur)).await.unwrap();
    let other = account("other");
    let commission = NewUser { is_commission: true, ..user("zoe", Privilege::Operateur) };
    let acts = [
        needed(users::add(&mut connection, &ekane, &user("zoe", Privilege::ChefDAgence)).await),
        needed(users::add(&mut connection, &ekane, &commission).await),
        needed(users::set_privilege(&mut connection, &ekane, "clerk", Privilege::ChefDAgence).await),
        needed(users::set_privilege(&mut connection, &ekane, "mbome", Privilege::Operateur).await),
        needed(users::set_commission(&mut connection, &ekane, "clerk", true).await),
        needed(mapping::map(&mut connection, &ekane, "nkolo", other.account()).await),
        needed(mapping::map(&mut connection, &ekane, "ekane", other.account()).await),
        needed(mapping::unmap(&mut connection, &ekane, "mbome").await),
        needed(recharges::set_limit(&mut connection, &ekane, 5_000_000).await),
    ];
    let error = mapping::map(&mut connection, &ekane, "ekane", account("nkolo").account()).await.unwrap_err();
    assert!(matches!(error, AdministrationError::AccountMapped { .. }), "what could not be done is not asked: {error}");
    assert_eq!(count(&mut connection, "SELECT count(*) AS count FROM xm.approvals").await, 0);
    // One person alone may lower rights and limits.
    recharges::set_limit(&mut connection, &ekane, 500).await.unwrap();
    users::set_privilege(&mut connection, &ekane, "nkolo", Privilege::Operateur).await.unwrap();
    mapping::map(&mut connection, &ekane, "clerk", other.account()).await.unwrap();
    mapping::unmap(&mut connection, &ekane, "other").await.unwrap();
    for act in [&acts[0], &acts[4], &acts[8]] {
        let approval = ask(&mut connection, &ekane, act).await.unwrap();
        confirm(&mut connection, &mbome, approval.id).await.unwrap();
    }
    assert_eq!(signed_in(&mut connection, "zoe").await.privilege(), Privilege::ChefDAgence);
    assert!(signed_in(&mut connection, "clerk").await.is_commission());
    assert_eq!(recharges::limit(&mut connection).await.unwrap(), 5_000_000);
}

#[tokio::test]
async fn the_status_of_more_than_ten_agencies_is_set_by_two() {
    let (_database, mut connection, ekane, mbome, nkolo) = two().await;
    let make = "INSERT INTO xm.agencies (matricule, name, email) SELECT n, 'Mairie', '' FROM generate_series(3, 12) n;
                INSERT INTO xm.accounts (kind, agency) SELECT 'agency', n FROM generate_series(3, 12) n";
    connection.batch_execute(make).await.unwrap();
    let suspended = "SELECT count(*) AS count FROM xm.agencies WHERE status = 0";
    let numbers: Vec<_> = (1..=12).map(number).collect();
    // Ten are few, also if one of them is named twice; and nobody is asked about an agency that does not exist.
    let ten = [&numbers[..10], &numbers[..1]].concat();
    assert_eq!(agencies::set_status_of_many(&mut connection, &nkolo, &ten, 0).await.unwrap(), 10);
    let line = last_line(&mut connection).await;
    assert_eq!((line.action.as_str(), line.subject.as_str()), ("agency.status_of_many", "10 agencies"));
    assert_eq!((&line.detail["agencies"][9], &line.detail["changed"]), (&json!(10), &json!(10)));
    let unknown = [&numbers[..], &[number(99)]].concat();
    let error = agencies::set_status_of_many(&mut connection, &nkolo, &unknown, 0).await.unwrap_err();
    assert!(matches!(error, AdministrationError::AgencyUnknown(agency) if agency == number(99)), "{error}");
    let act = needed(agencies::set_status_of_many(&mut connection, &nkolo, &numbers, 0).await);
    let approval = ask(&mut connection, &nkolo, &act).await.unwrap();
    assert_eq!((&approval.seen["agencies"], &approval.seen["by_status"]), (&json!(12), &json!({ "0": 10, "3": 2 })));
    assert_eq!(count(&mut connection, suspended).await, 10, "nothing is done yet");
    // Another agency has another status meanwhile, so what was seen holds no more.
    agencies::set_status(&mut connection, &nkolo, number(1), 3).await.unwrap();
    let error = confirm(&mut connection, &mbome, approval.id).await.unwrap_err();
    assert!(matches!(error, AdministrationError::ApprovalChanged(_)), "{error}");
    let approval = ask(&mut connection, &nkolo, &act).await.unwrap();
    let confirmed = confirm(&mut connection, &ekane, approval.id).await.unwrap();
    assert_eq!(confirmed.result, json!({ "agencies": 12, "changed": 3 }));
    assert_eq!(count(&mut connection, suspended).await, 12);
}

#[tokio::test]
async fn nobody_becomes_the_only_one_by_ending_the_other() {
    let (_database, mut connection, ekane, ..) = two().await;
    // The account of `mbome`, the second Superviseur, has ended. `mbome` must still count, so `ekane` still needs a second person.
    // Otherwise a Superviseur could end the accounts of all others in order to act alone.
    connection.batch_execute("UPDATE xm.system_accounts SET ended_at = now() WHERE user_name = 'mbome'").await.unwrap();
    needed(users::add(&mut connection, &ekane, &user("zoe", Privilege::Superviseur)).await);
}

#[test]
fn results_need_one_of_the_commission_among_the_two() {
    let decider = Operator::pretended("mbome", Privilege::Superviseur);
    let asker = |is_commission| Standing { privilege: Privilege::Superviseur, is_commission, is_locked: false };
    let judged =
        |need, is_asker, decider: &Operator| judge(1, need, Operation::UserAdd, ("ekane", &asker(is_asker)), decider);
    for &need in Need::ALL {
        let neither = judged(need, false, &decider);
        assert_eq!(neither.is_ok(), !need.is_of_commission(), "{need:?}");
        if need.is_of_commission() {
            assert!(matches!(neither, Err(AdministrationError::ApprovalWithoutCommission(1))));
        }
        assert!(judged(need, true, &decider).is_ok(), "{need:?}");
        assert!(judged(need, false, &decider.clone().of_commission()).is_ok(), "{need:?}");
        // A member of the commission may confirm operations of other people, but not his own.
        let own = Operator::pretended("ekane", Privilege::Superviseur).of_commission();
        assert!(matches!(judged(need, true, &own), Err(AdministrationError::ApprovalOwn(1))));
    }
    assert_eq!(Need::ALL.iter().filter(|need| need.is_of_commission()).count(), 3);
}
