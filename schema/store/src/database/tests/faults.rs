//! Tests of faults that a real PostgreSQL raises, also with French messages.

use diesel_async::SimpleAsyncConnection;

use super::super::*;
use crate::database::fault::ConstraintKind;
use crate::testing::TestCluster;

#[tokio::test]
async fn a_fault_names_the_constraint_and_no_value() {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    let mut fault = async |statement: &str| Fault::from(connection.batch_execute(statement).await.unwrap_err());
    let email = "INSERT INTO xm.agencies (matricule, name) VALUES (1, 'canary')";
    let fault_one = fault(email).await;
    assert_eq!(
        fault_one,
        Fault::Constraint { kind: ConstraintKind::NotNull, table: "agencies".into(), constraint: "email".into() }
    );
    let fault_two = fault("INSERT INTO xm.users VALUES ('Canary', 1, 'x')").await;
    assert!(fault_two.is_constraint("users_name_check"), "{fault_two}");
    let fault_three = fault("SELECT 'canary'::integer").await;
    for fault in [&fault_one, &fault_two, &fault_three] {
        assert!(!format!("{fault} {fault:?}").to_lowercase().contains("canary"), "{fault:?}");
    }
}

/// A trigger may raise any message; only the SQLSTATE shows the cause.
#[tokio::test]
async fn faults_are_told_apart_by_sqlstate_whatever_the_words_and_the_language() {
    let database = TestCluster::shared().await.empty_database().await;
    let mut connection = database.get().await.unwrap();
    let mut fault = async |statement: &str| Fault::from(connection.batch_execute(statement).await.unwrap_err());
    for words in [
        "the database system is shutting down",
        "terminating connection due to administrator command",
        "could not open the register of this centre",
        "deadlock detected",
        "current transaction is aborted",
        "column \"x\" of the act does not exist",
        "le registre n''existe pas",
    ] {
        let raised =
            fault(&format!("DO $$ BEGIN RAISE EXCEPTION '{words}' USING HINT = 'SQLSTATE 57P01'; END $$")).await;
        assert!(matches!(&raised, Fault::Refused { sqlstate, .. } if sqlstate == "P0001"), "{words}: {raised:?}");
    }
    for (sqlstate, expected) in [
        ("53100", "away"),
        ("57P03", "away"),
        ("58030", "away"),
        ("XX001", "away"),
        ("40P01", "busy"),
        ("55P03", "busy"),
        ("57014", "busy"),
        ("42P01", "altered"),
        ("42501", "altered"),
        ("P0001", "own"),
        ("22012", "own"),
        ("XX000", "own"),
    ] {
        let statement = format!("DO $$ BEGIN RAISE EXCEPTION 'words' USING ERRCODE = '{sqlstate}'; END $$");
        let fault = fault(&statement).await;
        let found = match &fault {
            fault if fault.is_away() => "away",
            fault if fault.is_passing() => "busy",
            fault if fault.is_altered() => "altered",
            _ => "own",
        };
        assert_eq!(found, expected, "{sqlstate}: {fault:?}");
    }
    let missing = fault("SELECT nowhere FROM pg_class").await;
    assert!(missing.is_altered() && missing.to_string().contains("nowhere"), "{missing}");
}

/// Makes two transactions wait for each other's row of `acte`, so that PostgreSQL ends one of them.
async fn deadlock(database: &Database) -> Fault {
    let mut others = [database.get().await.unwrap(), database.get().await.unwrap()];
    for (other, number) in others.iter_mut().zip([1, 2]) {
        other.batch_execute(&format!("BEGIN; SELECT FROM acte WHERE numero = {number} FOR UPDATE")).await.unwrap();
    }
    let [first, second] = &mut others;
    let ends = tokio::join!(
        first.batch_execute("SELECT FROM acte WHERE numero = 2 FOR UPDATE; COMMIT"),
        second.batch_execute("SELECT FROM acte WHERE numero = 1 FOR UPDATE; COMMIT")
    );
    Fault::from(ends.0.and(ends.1).unwrap_err())
}

/// A ministry's server may have French messages. The test needs the locale that deploy/setup-debian.sh makes.
#[tokio::test]
async fn faults_of_a_server_that_speaks_french_are_told_apart_and_tell_no_value() {
    let cluster = TestCluster::with_settings(&[("lc_messages", "fr_FR.UTF-8"), ("deadlock_timeout", "10ms")]).await;
    let database = cluster.empty_database().await;
    let mut connection = database.get().await.unwrap();
    connection
        .batch_execute(
            "CREATE TABLE acte (numero integer PRIMARY KEY, nom varchar(6) NOT NULL CHECK (nom <> 'canari'));
             INSERT INTO acte VALUES (1, 'a'), (2, 'b')",
        )
        .await
        .unwrap();
    let mut fault = async |statement: &str| Fault::from(connection.batch_execute(statement).await.unwrap_err());

    let missing = fault("SELECT nulle_part FROM acte").await;
    assert!(
        missing.to_string().contains("la colonne « nulle_part » n'existe pas"),
        "the server speaks French: {missing}"
    );
    for (statement, sqlstate) in [
        ("SELECT nulle_part FROM acte", "42703"),
        ("SELECT FROM nulle_part", "42P01"),
        ("SELECT nulle_part()", "42883"),
        ("SET ROLE pg_monitor; SELECT FROM acte", "42501"),
    ] {
        let fault = fault(statement).await;
        assert!(
            matches!(&fault, Fault::Altered { sqlstate: found, .. } if found == sqlstate),
            "{statement}: {fault:?}"
        );
    }
    for (statement, sqlstate) in [
        ("RESET ROLE; SELECT 1 / 0", "22012"),
        ("SELECT 'canari'::date", "22007"),
        ("SELECT 'canari'::integer", "22P02"),
        ("INSERT INTO acte VALUES (3, 'canaris')", "22001"),
        ("DO $$ BEGIN RAISE EXCEPTION 'la connexion de « canari » est perdue'; END $$", "P0001"),
    ] {
        let fault = fault(statement).await;
        assert!(
            matches!(&fault, Fault::Refused { sqlstate: found, .. } if found == sqlstate),
            "{statement}: {fault:?}"
        );
        assert!(!format!("{fault} {fault:?}").contains("canari"), "{fault:?}");
    }
    for (statement, kind) in [
        ("INSERT INTO acte VALUES (1, 'a')", ConstraintKind::Unique),
        ("INSERT INTO acte VALUES (3, NULL)", ConstraintKind::NotNull),
        ("INSERT INTO acte VALUES (3, 'canari')", ConstraintKind::Check),
    ] {
        let fault = fault(statement).await;
        assert!(matches!(&fault, Fault::Constraint { kind: found, .. } if *found == kind), "{statement}: {fault:?}");
    }
    for statement in [
        "SET lock_timeout = 1; SELECT FROM acte WHERE numero = 1 FOR UPDATE",
        "SET lock_timeout = 0; SET statement_timeout = 1; SELECT pg_sleep(60)",
    ] {
        let mut other = database.get().await.unwrap();
        other.batch_execute("BEGIN; SELECT FROM acte FOR UPDATE").await.unwrap();
        let fault = fault(statement).await;
        assert!(matches!(fault, Fault::Busy { .. }), "{statement}: {fault:?}");
        drop(Object::take(other));
    }

    let deadlock = deadlock(&database).await;
    assert!(matches!(&deadlock, Fault::Busy { sqlstate, .. } if sqlstate == "40P01"), "{deadlock:?}");

    // An operator ends the session.
    let fault = fault("RESET ALL; SELECT pg_terminate_backend(pg_backend_pid())").await;
    assert!(fault.is_away(), "{fault:?}");
}
