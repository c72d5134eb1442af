//! Tests of agencies, their accounts, the audit log, and the triggers that notify every replica.

use diesel_async::SimpleAsyncConnection;
use sdc::letter::Mode;

use super::{installations, scopes};
use crate::agencies;
use crate::agencies::NewAgency;
use crate::agencies::{AgencyChange, AgencyFilter, AgencyPage};
use crate::centre::server;
use crate::centre::server::Server;
use crate::database::Connection;
use crate::database::fault::Fault;
use crate::error::{AdministrationError, InvalidValue};
use crate::ledger::recharges;
use crate::people::Privilege;
use crate::people::audit;
use crate::people::sessions::{Place, sign_in};
use crate::people::{NewUser, users};
use crate::testing::TestCluster;
use crate::testing::centre::*;

/// Addresses to which the program cannot write mail, since they contain other characters than ASCII.
const NOT_ASCII: [&str; 4] = ["mairie@édéa.cm", "édéa@example.cm", "centre@example.中国", "a１@b.c"];

#[tokio::test]
async fn an_agency_is_added_shown_and_found() {
    let (_database, mut connection) = centre().await;
    let next = NewAgency { matricule: None, name: "Été de Bafia".to_owned(), ..agency(1) };
    assert_eq!(agencies::add(&mut connection, &OPERATOR, &next).await.unwrap(), number(3));
    let shown = agencies::show(&mut connection, number(3)).await.unwrap();
    assert_eq!((shown.name.as_str(), shown.status, shown.balance), ("Été de Bafia", 3, 0));

    let find_page = async |connection: &mut Connection, filter: AgencyFilter, page: AgencyPage| -> Vec<u32> {
        let found = agencies::list(connection, &filter, &page).await.unwrap();
        found.iter().map(|listed| listed.agency.matricule.into()).collect()
    };
    let find = async |connection: &mut Connection, filter| find_page(connection, filter, AgencyPage::default()).await;
    let all = AgencyFilter::default();
    assert_eq!(find(&mut connection, all.clone()).await, [1, 2, 3]);
    assert_eq!(find(&mut connection, AgencyFilter { text: Some("bafia".into()), ..all.clone() }).await, [3]);
    assert_eq!(find(&mut connection, AgencyFilter { text: Some("%".into()), ..all.clone() }).await, [] as [u32; 0]);
    let second = AgencyPage { after: Some(number(1)), limit: Some(1), ..AgencyPage::default() };
    assert_eq!(find_page(&mut connection, all.clone(), second).await, [2]);
    agencies::set_status(&mut connection, &OPERATOR, number(2), 0).await.unwrap();
    assert_eq!(find(&mut connection, AgencyFilter { status: Some(0), ..all }).await, [2]);
}

#[tokio::test]
async fn bad_agencies_are_explained_and_leave_nothing() {
    let (_database, mut connection) = centre().await;
    let mut refused =
        async |new: NewAgency| agencies::add(&mut connection, &OPERATOR, &new).await.unwrap_err().to_string();
    assert_eq!(refused(agency(1)).await, "agency_exists {\"agency\":1}");
    assert!(refused(NewAgency { plan: Some("golden".into()), ..agency(9) }).await.contains("golden"));
    assert!(refused(NewAgency { name: "  ".into(), ..agency(9) }).await.contains("\"name\""));
    assert!(refused(NewAgency { status: Some(4), ..agency(9) }).await.contains("\"status\""));
    for email in [" ", "x", "a@b@c", "a b@c.d", "a@c.d\r\nBcc: x@y.z", "-f@c.d", "a@", "\"a\"@b.c", "a@b..c"] {
        assert!(refused(NewAgency { email: email.into(), ..agency(9) }).await.contains("email_"), "{email:?}");
    }
    for email in NOT_ASCII {
        let told = refused(NewAgency { email: email.into(), ..agency(9) }).await;
        assert!(told.contains("\"email_ascii\""), "{email:?}: {told}");
    }
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.agencies").await, 2);
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.accounts WHERE agency IS NOT NULL").await, 2);
    let unknown = agencies::show(&mut connection, number(77)).await.unwrap_err();
    assert!(matches!(unknown, AdministrationError::AgencyUnknown(agency) if agency == number(77)));
}

#[tokio::test]
async fn operators_adding_at_once_get_different_matricules() {
    let (database, mut connection) = centre().await;
    let added = futures_util::future::join_all((0..8).map(|_| {
        let database = database.clone();
        tokio::spawn(async move {
            let mut connection = database.get().await.unwrap();
            agencies::add(&mut connection, &OPERATOR, &NewAgency { matricule: None, ..agency(1) }).await.unwrap()
        })
    }))
    .await;
    let mut numbers: Vec<u32> = added.into_iter().map(|number| number.unwrap().into()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(audit::verify(&mut connection, None).await.unwrap().id, 1 + 2 + 8);
}

#[tokio::test]
async fn after_many_recharges_at_once_the_books_agree() {
    let (database, mut connection) = centre().await;
    let recharges = futures_util::future::join_all((0..8_u32).map(|worker| {
        let database = database.clone();
        tokio::spawn(async move {
            let mut connection = database.get().await.unwrap();
            for round in 1..=10 {
                let agency = number(1 + (worker + round) % 2);
                recharges::recharge(&mut connection, &OPERATOR, agency, i64::from(round), "cash").await.unwrap();
            }
        })
    }))
    .await;
    assert!(recharges.into_iter().all(|recharge| recharge.is_ok()));
    assert_eq!(value(&mut connection, "SELECT difference FROM xm.ledger_difference").await, 0);
    assert_eq!(value(&mut connection, "SELECT sum(balance) FROM xm.accounts").await, 8 * 55);
    assert_eq!(value(&mut connection, "SELECT count(*) FROM xm.entries").await, 80);
    let last = "SELECT count(*) FROM xm.accounts a WHERE agency IS NOT NULL AND balance =
        (SELECT balance_after FROM xm.entries e WHERE e.agency = a.agency ORDER BY id DESC LIMIT 1)";
    assert_eq!(value(&mut connection, last).await, 2);
    // If a balance is not the sum of the entries, the view `xm.ledger_difference` shows the difference.
    run(&mut connection, "UPDATE xm.accounts SET balance = balance + 5 WHERE agency = 1").await;
    assert_eq!(value(&mut connection, "SELECT difference FROM xm.ledger_difference").await, 5);
}

#[tokio::test]
async fn an_amount_that_is_none_is_refused() {
    let (_database, mut connection) = centre().await;
    for amount in [0, -1, i64::MIN, i64::MAX] {
        assert!(recharges::recharge(&mut connection, &OPERATOR, number(1), amount, "").await.is_err(), "{amount}");
    }
    assert!(recharges::recharge(&mut connection, &OPERATOR, number(77), 1, "").await.is_err());
    let too_long = "e\u{301}".repeat(201);
    assert!(recharges::recharge(&mut connection, &OPERATOR, number(1), 1, &too_long).await.is_err());
    assert_eq!(recharges::recharge(&mut connection, &OPERATOR, number(1), 5000, "cash").await.unwrap(), 5000);
}

#[tokio::test]
async fn entries_and_audit_lines_stay_as_written() {
    let (_database, mut connection) = centre().await;
    recharges::recharge(&mut connection, &OPERATOR, number(1), 5000, "cash").await.unwrap();
    for table in ["entries", "audit"] {
        let column = if table == "entries" { "note" } else { "operator" };
        for statement in [
            format!("UPDATE xm.{table} SET {column} = 'x'"),
            format!("DELETE FROM xm.{table}"),
            format!("TRUNCATE xm.{table}"),
        ] {
            let fault = Fault::from(connection.batch_execute(&statement).await.unwrap_err());
            assert!(fault.to_string().contains("append-only"), "{statement}: {fault}");
        }
    }
}

#[tokio::test]
async fn a_changed_audit_line_is_found() {
    let (_database, mut connection) = centre().await;
    recharges::recharge(&mut connection, &OPERATOR, number(1), 5000, "cash").await.unwrap();
    assert_eq!(audit::verify(&mut connection, None).await.unwrap().id, 4);
    let lines = audit::list(&mut connection, None, 2).await.unwrap();
    assert_eq!(
        (lines[0].id, lines[0].action.as_str(), lines[0].operator.as_str()),
        (4, "agency.recharge", OPERATOR.user())
    );
    assert_eq!(lines[0].subject, "agency 000001");
    run(&mut connection, "ALTER TABLE xm.audit DISABLE TRIGGER audit_immutable").await;
    for (change, undo, broken) in [
        ("operator = 'other'", "operator = 'mbarga'", 2),
        ("detail = detail || '{\"x\":1}'", "detail = detail - 'x'", 2),
        ("at = at + interval '1 microsecond'", "at = at - interval '1 microsecond'", 2),
        ("id = 9", "id = 2", 3),
    ] {
        run(&mut connection, &format!("UPDATE xm.audit SET {change} WHERE id = 2")).await;
        let found = audit::verify(&mut connection, None).await;
        assert!(matches!(found, Err(AdministrationError::AuditBroken(line)) if line == broken), "{change}: {found:?}");
        run(&mut connection, &format!("UPDATE xm.audit SET {undo} WHERE id IN (2, 9)")).await;
        audit::verify(&mut connection, None).await.unwrap();
    }
}

#[tokio::test]
async fn every_change_of_an_agency_raises_its_revision() {
    let (_database, mut connection) = centre().await;
    let mut last = 0;
    let mut raised = async |connection: &mut Connection, what: &str| {
        let now = value(connection, "SELECT revision FROM xm.agencies WHERE matricule = 1").await;
        assert!(now > last, "{what}");
        last = now;
    };
    raised(&mut connection, "at first").await;
    agencies::set_status(&mut connection, &OPERATOR, number(1), 1).await.unwrap();
    raised(&mut connection, "status").await;
    let change = AgencyChange { cbc_allowed: Some(true), ..AgencyChange::default() };
    agencies::edit(&mut connection, &OPERATOR, number(1), &change).await.unwrap();
    raised(&mut connection, "edit").await;
    let codes = ["C1".to_owned(), "C2".to_owned()];
    crate::samples::restore(&mut connection, &OPERATOR, "ecr").await.unwrap();
    assert_eq!(scopes::grant(&mut connection, &OPERATOR, number(1), "CentreCode", &codes).await.unwrap(), 2);
    assert_eq!(scopes::grant(&mut connection, &OPERATOR, number(1), "CentreCode", &codes).await.unwrap(), 0);
    raised(&mut connection, "grant").await;
    assert_eq!(scopes::withdraw(&mut connection, &OPERATOR, number(1), "CentreCode", &codes[..1]).await.unwrap(), 1);
    raised(&mut connection, "withdraw").await;
    assert_eq!(scopes::list(&mut connection, number(1)).await.unwrap()[0].code, "C2");
    installations::add(&mut connection, &OPERATOR, number(1), "pc1").await.unwrap();
    raised(&mut connection, "installation").await;
    run(&mut connection, "UPDATE xm.scopes SET code = 'C3' WHERE agency = 1").await;
    raised(&mut connection, "any other tool").await;
    assert_eq!(value(&mut connection, "SELECT revision FROM xm.agencies WHERE matricule = 2").await, 1);
}

#[tokio::test]
async fn a_change_that_changes_nothing_or_too_much_is_explained() {
    let (_database, mut connection) = centre().await;
    let mut refused = async |change: AgencyChange| {
        agencies::edit(&mut connection, &OPERATOR, number(1), &change).await.unwrap_err().to_string()
    };
    assert!(refused(AgencyChange::default()).await.contains("\"change\""));
    assert!(
        refused(AgencyChange { letter_bytes_max: Some(1), ..AgencyChange::default() })
            .await
            .contains("\"letter_limit\"")
    );
    assert!(
        refused(AgencyChange { email: Some("no".into()), ..AgencyChange::default() }).await.contains("\"email_parts\"")
    );
    for email in NOT_ASCII {
        let told = refused(AgencyChange { email: Some(email.into()), ..AgencyChange::default() }).await;
        assert!(told.contains("\"email_ascii\""), "{email:?}: {told}");
    }
    let plan = AgencyChange { plan: Some("no".into()), ..AgencyChange::default() };
    assert_eq!(refused(plan).await, "plan_unknown {\"plan\":\"no\"}");
}

#[tokio::test]
async fn a_change_is_told_and_kept_as_before_and_after() {
    let (_database, mut connection) = centre().await;
    let change = AgencyChange {
        email: Some("edea@example.cm".into()),
        telephone: Some("+237 233".into()),
        letter_bytes_max: Some(8192),
        credit_limit: Some(5000),
        ..AgencyChange::default()
    };
    let changed = agencies::edit(&mut connection, &OPERATOR, number(1), &change).await.unwrap();
    assert_eq!((changed.before.email.as_str(), changed.before.credit_limit), ("centre1@example.cm", 0));
    assert_eq!((changed.after.email.as_str(), changed.after.credit_limit), ("edea@example.cm", 5000));
    assert_eq!(agencies::show(&mut connection, number(1)).await.unwrap(), changed.after);
    let kept = r#"SELECT count(*) FROM xm.audit WHERE action = 'agency.edit' AND subject = 'agency 000001'
                AND detail = '{"email": {"from": "centre1@example.cm", "to": "edea@example.cm"},
                               "telephone": {"from": "", "to": "+237 233"}, "credit_limit": {"from": 0, "to": 5000},
                               "letter_bytes_max": {"from": 262144, "to": 8192}}'"#;
    assert_eq!(value(&mut connection, kept).await, 1);
    // An operator may change the account's limit and nothing else of the agency. The accounts of other agencies do not change.
    let credit = AgencyChange { credit_limit: Some(0), ..AgencyChange::default() };
    agencies::edit(&mut connection, &OPERATOR, number(1), &credit).await.unwrap();
    assert_eq!(agencies::show(&mut connection, number(2)).await.unwrap().email, "centre2@example.cm");
    for wrong in [
        AgencyChange { credit_limit: Some(-1), ..AgencyChange::default() },
        AgencyChange { town: Some("a\nb".into()), ..AgencyChange::default() },
        AgencyChange { telephone: Some("\u{1b}".into()), ..AgencyChange::default() },
        AgencyChange { name: Some(" ".into()), ..AgencyChange::default() },
    ] {
        assert!(agencies::edit(&mut connection, &OPERATOR, number(1), &wrong).await.is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_list_finds_matricules_by_their_digits() {
    let (_database, mut connection) = centre().await;
    for matricule in [107, 10_700] {
        agencies::add(
            &mut connection,
            &OPERATOR,
            &NewAgency { name: "Bureau".into(), email: "x@example.cm".into(), ..agency(matricule) },
        )
        .await
        .unwrap();
    }
    let mut found = async |text: &str| {
        let filter = AgencyFilter { text: Some(text.to_owned()), ..AgencyFilter::default() };
        let found = agencies::list(&mut connection, &filter, &AgencyPage::default()).await.unwrap();
        found.into_iter().map(|listed| u32::from(listed.agency.matricule)).collect::<Vec<u32>>()
    };
    assert_eq!(found("107").await, [107, 10_700]);
    assert_eq!(found("000107").await, [107]);
    assert_eq!(found("centre1@").await, [1]);
}

#[tokio::test]
async fn a_list_finds_names_without_their_accents_and_in_any_case() {
    let (_database, mut connection) = centre().await;
    // A keyboard writes `é` as one character; a file may contain it as `e` and the combining accent U+0301. The search must find both
    // forms.
    let named =
        [(10, "Mairie d'Édéa", "Édéa"), (11, "Ngaoundéré", "Ngaounde\u{301}re\u{301}"), (12, "ÉTAT CIVIL", "Bafia")];
    for (matricule, name, town) in named {
        let new = NewAgency { name: name.into(), town: town.into(), ..agency(matricule) };
        agencies::add(&mut connection, &OPERATOR, &new).await.unwrap();
    }
    let mut found = async |text: &str| {
        let filter = AgencyFilter { text: Some(text.to_owned()), ..AgencyFilter::default() };
        let found = agencies::list(&mut connection, &filter, &AgencyPage::default()).await.unwrap();
        found.into_iter().map(|listed| u32::from(listed.agency.matricule)).collect::<Vec<u32>>()
    };
    for (text, expected) in [
        ("edea", vec![10]),
        ("Édéa", vec![10]),
        ("éDEA", vec![10]),
        ("e\u{301}de\u{301}a", vec![10]),
        ("NGAOUNDERE", vec![11]),
        ("etat", vec![12]),
        ("état civil", vec![12]),
        ("d_é", vec![]),
        ("%", vec![]),
    ] {
        assert_eq!(found(text).await, expected, "{text}");
    }
}

#[tokio::test]
async fn installations_have_plain_names_once() {
    let (_database, mut connection) = centre().await;
    installations::add(&mut connection, &OPERATOR, number(1), "pc-1").await.unwrap();
    installations::add(&mut connection, &OPERATOR, number(2), "pc-1").await.unwrap();
    for name in ["pc-1", "-x", "Pc", "", "x y"] {
        assert!(installations::add(&mut connection, &OPERATOR, number(1), name).await.is_err(), "{name:?}");
    }
    assert_eq!(installations::list(&mut connection, number(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_database_has_one_server() {
    let (_database, mut connection) = centre().await;
    let same = Server::new("centre.example.cm", Mode::Test);
    server::initialise(&mut connection, &OPERATOR, &same).await.unwrap();
    assert_eq!(server::show(&mut connection).await.unwrap(), same);
    let live = Server::new("centre.example.cm", Mode::Live);
    let error = server::initialise(&mut connection, &OPERATOR, &live).await.unwrap_err();
    assert!(matches!(&error, AdministrationError::ServerExists { mode, .. } if mode == "test"), "{error}");
    assert_eq!(audit::list(&mut connection, None, 100).await.unwrap().len(), 3);

    let mut fresh = TestCluster::shared().await.database().await.get().await.unwrap();
    assert!(matches!(server::show(&mut fresh).await, Err(AdministrationError::ServerMissing)));
    let bad = Server { currency: "francs".into(), ..same };
    let error = server::initialise(&mut fresh, &OPERATOR, &bad).await.unwrap_err();
    assert!(matches!(error, AdministrationError::Invalid(InvalidValue::Currency)), "{error}");
}

#[tokio::test]
async fn the_first_superviseur_gets_a_random_password_kept_as_a_hash() {
    let (_database, mut connection) = centre().await;
    let superviseurs = "SELECT count(*) FROM xm.users WHERE privilege = 3";
    assert_eq!(value(&mut connection, superviseurs).await, 0);
    let new = |name: &str, privilege| NewUser { name: name.to_owned(), privilege, is_commission: false, account: None };
    let first = users::add(&mut connection, &OPERATOR, &new("nkolo", Privilege::Superviseur)).await.unwrap();
    let second = users::add(&mut connection, &OPERATOR, &new("essomba", Privilege::Operateur)).await.unwrap();
    assert_ne!(first.reveal(), second.reveal());
    assert_eq!(value(&mut connection, superviseurs).await, 1);
    let place = Place::console("192.0.2.7".parse().unwrap());
    assert!(sign_in(&mut connection, "nkolo", first.reveal(), &place).await.unwrap().must_change);
    for (name, password) in [("nkolo", second.reveal()), ("nobody", "")] {
        let error = sign_in(&mut connection, name, password, &place).await.unwrap_err();
        assert!(matches!(error, AdministrationError::SignInFailed), "{error}");
    }
    let hashed = "SELECT count(*) FROM xm.users WHERE password_hash LIKE '$argon2id$%' AND must_change";
    assert_eq!(value(&mut connection, hashed).await, 2);
    assert!(!format!("{first:?}").contains(first.reveal()));
    let again = users::add(&mut connection, &OPERATOR, &new("nkolo", Privilege::Operateur)).await.unwrap_err();
    assert!(matches!(again, AdministrationError::UserExists(_)));
}
