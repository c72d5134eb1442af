//! Tests of people on a real PostgreSQL: who can sign in, who may do what, and what the audit log contains.

mod functions;
mod inspected;
mod matrix;
mod sessions;

use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use sdc::letter::{Matricule, Mode};
use serde_json::json;

use super::{
    AuditAction, NewUser, Operator, Privilege, SystemAccount, audit, mapping, sign_in_as_system_account, users,
};
use crate::agencies::{self, NewAgency};
use crate::centre::server::{self, Server};
use crate::certificates::{self, CertificateFields, Confirmation};
use crate::database::{Connection, Database};
use crate::error::AdministrationError;
use crate::ledger::tariffs::{self, NewTariff};
use crate::testing::TestCluster;

pub(crate) fn number(matricule: u32) -> Matricule {
    Matricule::try_from(matricule).unwrap()
}

pub(crate) fn agency(matricule: u32) -> NewAgency {
    NewAgency {
        matricule: Some(number(matricule)),
        name: format!("Centre {matricule}"),
        town: String::new(),
        area: String::new(),
        telephone: String::new(),
        email: format!("centre{matricule}@example.cm"),
        plan: None,
        status: None,
        credit_limit: 0,
    }
}

/// Makes the fields of a certificate with the key of this number. OpenSSL could read neither the key nor the certificate, but no test needs
/// that.
pub(crate) fn certificate(key: u8) -> CertificateFields {
    let now = chrono::Utc::now();
    CertificateFields {
        der: vec![key],
        fingerprint: vec![key; 32],
        spki_sha256: vec![key; 32],
        key_id: vec![key; 20],
        issuer: vec![key],
        serial: vec![key],
        algorithm: "P-256".to_owned(),
        not_before: now - chrono::Duration::days(1),
        not_after: now + chrono::Duration::days(700),
        is_authority: false,
    }
}

pub(crate) async fn register(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    matricule: u32,
    certificate: &CertificateFields,
) -> Result<i32, AdministrationError> {
    let fingerprint = hex::encode(&certificate.fingerprint);
    let confirmation = Confirmation { fingerprint: &fingerprint, accepts_concerns: false };
    certificates::register(connection, operator, number(matricule), certificate, confirmation).await
}

pub(crate) fn account(name: &str) -> SystemAccount {
    SystemAccount::pretended(1000 + u32::from(name.as_bytes()[0]), name)
}

pub(crate) fn user(name: &str, privilege: Privilege) -> NewUser {
    NewUser { name: name.to_owned(), privilege, is_commission: false, account: Some(account(name).account().clone()) }
}

/// Makes a centre with agencies 1 and 2. The system account `root` founded it and is mapped to its user `ekane`.
pub(crate) async fn centre() -> (Database, Connection, Operator) {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    let founder = connection
        .transaction(async |connection| mapping::found(connection, &SystemAccount::pretended(0, "root"), "ekane").await)
        .await
        .unwrap();
    assert!(founder.password.is_some());
    let operator = founder.operator;
    server::initialise(&mut connection, &operator, &Server::new("centre.example.cm", Mode::Test)).await.unwrap();
    for matricule in [1, 2] {
        agencies::add(&mut connection, &operator, &agency(matricule)).await.unwrap();
    }
    (database, connection, operator)
}

/// Signs a user in by the system account of the same name.
pub(crate) async fn signed_in(connection: &mut Connection, name: &str) -> Operator {
    sign_in_as_system_account(connection, &account(name)).await.unwrap()
}

pub(crate) async fn last_line(connection: &mut Connection) -> audit::Line {
    audit::list(connection, None, 1).await.unwrap().remove(0)
}

pub(crate) async fn count(connection: &mut Connection, query: &str) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    diesel::sql_query(query).get_result::<Count>(connection).await.unwrap().count
}

pub(crate) fn tariff() -> NewTariff {
    NewTariff {
        plan: None,
        service: "export".to_owned(),
        table: None,
        per_act: 1,
        per_started_kb: 0,
        credit: None,
        valid_from: None,
    }
}

#[tokio::test]
async fn who_makes_a_centre_is_its_first_user_and_others_wait_for_a_mapping() {
    let (_database, mut connection, ekane) = centre().await;
    assert_eq!((ekane.user(), ekane.privilege(), ekane.is_commission()), ("ekane", Privilege::Superviseur, false));
    let root = SystemAccount::pretended(0, "root");
    assert_eq!(sign_in_as_system_account(&mut connection, &root).await.unwrap(), ekane);
    // An account without a mapping may not sign in. Nor may an account that has the name of a mapped account but another number: somebody
    // deleted the mapped account and made a new one of this name, which may be another person's.
    for stranger in [account("alice"), SystemAccount::pretended(77, "root")] {
        let error = sign_in_as_system_account(&mut connection, &stranger).await.unwrap_err();
        assert!(
            matches!(&error, AdministrationError::AccountUnmapped { account, .. } if account == stranger.name()),
            "{error}"
        );
        let line = last_line(&mut connection).await;
        assert_eq!((line.operator, line.action.as_str()), (format!("account {}", stranger.name()), "sign_in.refused"));
    }
    users::add(&mut connection, &ekane, &user("alice", Privilege::Operateur)).await.unwrap();
    assert_eq!(signed_in(&mut connection, "alice").await.privilege(), Privilege::Operateur);
    let error = mapping::map(&mut connection, &ekane, "ekane", account("alice").account()).await.unwrap_err();
    assert!(matches!(error, AdministrationError::AccountMapped { .. }), "{error}");
    assert_eq!(mapping::unmap(&mut connection, &ekane, "alice").await.unwrap(), "alice");
    assert!(sign_in_as_system_account(&mut connection, &account("alice")).await.is_err());
    let error = mapping::unmap(&mut connection, &ekane, "alice").await.unwrap_err();
    assert!(matches!(error, AdministrationError::AccountUnknown(_)), "{error}");
    let error = mapping::map(&mut connection, &ekane, "zoe", account("alice").account()).await.unwrap_err();
    assert!(matches!(error, AdministrationError::UserUnknown(_)), "{error}");
}

#[tokio::test]
async fn a_database_from_before_accounts_is_claimed_once() {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    connection
        .batch_execute(
            "INSERT INTO xm.users (name, privilege, password_hash, created_at)
             VALUES ('young', 3, '', now()), ('old', 3, '', now() - interval '1 year'), ('clerk', 1, '', now())",
        )
        .await
        .unwrap();
    let alice = account("alice");
    let error = sign_in_as_system_account(&mut connection, &alice).await.unwrap_err();
    assert!(
        matches!(&error, AdministrationError::NobodyMapped { superviseurs, .. } if superviseurs == &["old", "young"]),
        "{error}"
    );
    for nobody in ["clerk", "zoe"] {
        let error = mapping::map_first(&mut connection, &alice, nobody).await.unwrap_err();
        assert!(matches!(error, AdministrationError::UserUnknown(_)), "{error}");
    }
    assert_eq!(mapping::map_first(&mut connection, &alice, "young").await.unwrap().user(), "young");
    let error = mapping::map_first(&mut connection, &account("bob"), "old").await.unwrap_err();
    assert!(matches!(error, AdministrationError::AccountUnmapped { .. }), "{error}");
    // Only the first mapping of all may be made in this way. Another one is refused even if the mapping of the first account has ended
    // since.
    connection.batch_execute("UPDATE xm.system_accounts SET ended_at = now()").await.unwrap();
    let error = mapping::map_first(&mut connection, &account("bob"), "old").await.unwrap_err();
    assert!(matches!(error, AdministrationError::AccountUnmapped { .. }), "{error}");
}

#[tokio::test]
async fn init_on_a_database_from_before_accounts_takes_the_eldest_or_the_named_superviseur() {
    for (named, taken) in [("superviseur", "old"), ("young", "young")] {
        let database = TestCluster::shared().await.database().await;
        let mut connection = database.get().await.unwrap();
        connection
            .batch_execute(
                "INSERT INTO xm.users (name, privilege, password_hash, created_at)
                 VALUES ('young', 3, '', now()), ('old', 3, '', now() - interval '1 year')",
            )
            .await
            .unwrap();
        let found = async |connection: &mut Connection, who: SystemAccount| {
            connection.transaction(async |connection| mapping::found(connection, &who, named).await).await
        };
        let founder = found(&mut connection, account("alice")).await.unwrap();
        assert_eq!((founder.operator.user(), founder.password.is_none()), (taken, true));
        assert_eq!(found(&mut connection, account("alice")).await.unwrap().operator.user(), taken);
        assert!(found(&mut connection, account("bob")).await.is_err());
    }
}

#[tokio::test]
async fn the_last_superviseur_who_can_sign_in_stays() {
    let (_database, mut connection, ekane) = centre().await;
    // A second Superviseur without an account cannot sign in, so `ekane` still counts as the last.
    let without = NewUser { account: None, ..user("mbome", Privilege::Superviseur) };
    users::add(&mut connection, &ekane, &without).await.unwrap();
    let error = mapping::unmap(&mut connection, &ekane, "root").await.unwrap_err();
    assert!(matches!(error, AdministrationError::SuperviseurLast), "{error}");
    let error = users::set_privilege(&mut connection, &ekane, "ekane", Privilege::Operateur).await.unwrap_err();
    assert!(matches!(error, AdministrationError::SuperviseurLast), "{error}");
    let listed = users::list(&mut connection).await.unwrap();
    let shown: Vec<_> = listed.iter().map(|user| (user.name.as_str(), user.privilege, user.accounts.len())).collect();
    assert_eq!(shown, [("ekane", 3, 1), ("mbome", 3, 0)]);
}

/// An audit line as a former version wrote it. Its hash was computed by another program, so the test fails if this program hashes lines in
/// another form: the lines of every existing log would then seem changed.
const OLD_LINE: &str = r#"INSERT INTO xm.audit (id, at, operator, action, subject, detail, previous_hash, hash) VALUES
    (1, '2025-11-30 10:53:20.123456Z', 'mbarga', 'agency.recharge', 'agency 000001', '{"note": "cash", "amount": 5000, "balance": 5000}',
     '\x0000000000000000000000000000000000000000000000000000000000000000',
     '\xb6c38e162a9ec19abc4fc2b3c4334de0dbeb9956bd113a8c43ba135c426c78b2')"#;

#[tokio::test]
async fn lines_of_before_verify_and_new_ones_follow_them() {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    connection.batch_execute(OLD_LINE).await.unwrap();
    assert_eq!(audit::verify(&mut connection, None).await.unwrap().id, 1);
    let operator = Operator::pretended("mbarga", Privilege::Superviseur);
    let action = AuditAction::AgencyRecharge { agency: number(1), amount: 5000, balance: 10_000, note: "cash" };
    connection.transaction(async |connection| audit::write(connection, &operator, &action).await).await.unwrap();
    let lines = audit::list(&mut connection, None, 2).await.unwrap();
    assert_eq!((&lines[0].action, &lines[0].subject), (&lines[1].action, &lines[1].subject));
    assert_eq!(lines[0].detail, json!({ "note": "cash", "amount": 5000, "balance": 10_000 }));
    assert_eq!(audit::verify(&mut connection, None).await.unwrap().id, 2);
}

#[tokio::test]
async fn a_change_is_told_with_its_parameters() {
    let (_database, mut connection, ekane) = centre().await;
    let line = last_line(&mut connection).await;
    assert_eq!((line.action.as_str(), line.subject.as_str()), ("agency.add", "agency 000002"));
    assert_eq!((&line.detail["name"], &line.detail["status"]), (&json!("Centre 2"), &json!(3)));
    tariffs::set(&mut connection, &ekane, &tariff()).await.unwrap();
    let line = last_line(&mut connection).await;
    assert_eq!((line.action.as_str(), line.subject.as_str()), ("tariff.set", "tariff export"));
    assert_eq!(line.detail, json!(tariff()));
    users::add(&mut connection, &ekane, &user("alice", Privilege::ChefDAgence)).await.unwrap();
    let lines = audit::list(&mut connection, None, 2).await.unwrap();
    assert_eq!((lines[1].action.as_str(), lines[1].subject.as_str()), ("user.add", "user alice"));
    assert_eq!(lines[1].detail, json!({ "privilege": "chef_d_agence" }));
    assert_eq!(lines[0].detail["account"], json!(account("alice").account()));
}
