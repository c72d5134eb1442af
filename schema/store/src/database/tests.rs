//! Migrating, pooling and dropping connections, against a real PostgreSQL.

mod admitted;
mod encrypted;
mod version_before;

use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use diesel_migrations::FileBasedMigrations;

use super::*;
use crate::database::fault::ConstraintKind;
use crate::database::statement::Statement;
use crate::testing::{TestCluster, eventually};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

async fn count(database: &Database, from: &str) -> i64 {
    let mut connection = database.get().await.unwrap();
    diesel::sql_query(format!("SELECT count(*) AS count FROM {from}"))
        .get_result::<Count>(&mut connection)
        .await
        .unwrap()
        .count
}

#[tokio::test]
async fn two_replicas_may_migrate_at_once() {
    let database = TestCluster::shared().await.empty_database().await;
    let replicas = futures_util::future::join_all((0..3).map(|_| {
        let replica = database.clone();
        tokio::spawn(async move { replica.migrate().await })
    }))
    .await;
    let runs: Vec<usize> = replicas.into_iter().map(|replica| replica.unwrap().unwrap()).collect();
    assert_eq!(runs.iter().filter(|run| **run > 0).count(), 1, "one replica ran the migrations: {runs:?}");
    assert_eq!(count(&database, "xm.plans").await, 1);
    assert_eq!(count(&database, "pg_tables WHERE schemaname = 'public'").await, 0);
    // This month and two more, of journal and originals.
    assert_eq!(count(&database, "pg_class WHERE relname ~ '^(journal|originals)_20[0-9_]+$'").await, 6);
}

/// The migrations of a program after this one, which makes an index without keeping anybody from writing.
fn with_an_index() -> (tempfile::TempDir, FileBasedMigrations) {
    let place = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap() {
        let from = entry.unwrap().path();
        let to = place.path().join(from.file_name().unwrap());
        std::fs::create_dir(&to).unwrap();
        for file in std::fs::read_dir(&from).unwrap() {
            let file = file.unwrap().path();
            std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
    let index = place.path().join("00000000009999_index");
    std::fs::create_dir(&index).unwrap();
    let up = "-- expand\nCREATE UNIQUE INDEX CONCURRENTLY agencies_name ON xm.agencies (name);\n";
    for (name, text) in [
        ("up.sql", up),
        ("down.sql", "DROP INDEX CONCURRENTLY xm.agencies_name;\n"),
        ("metadata.toml", "run_in_transaction = false\n"),
    ] {
        std::fs::write(index.join(name), text).unwrap();
    }
    let migrations = FileBasedMigrations::from_path(place.path()).unwrap();
    (place, migrations)
}

#[tokio::test]
async fn replicas_that_wait_do_not_keep_an_index_from_being_made_concurrently() {
    let database = TestCluster::shared().await.database().await;
    let (_place, migrations) = with_an_index();
    let replicas = futures_util::future::join_all((0..3).map(|_| {
        let (replica, migrations) = (database.clone(), migrations.clone());
        tokio::spawn(async move { replica.run_migrations(migrations).await })
    }))
    .await;
    let runs: Vec<usize> = replicas.into_iter().map(|replica| replica.unwrap().unwrap()).collect();
    assert_eq!(runs.iter().sum::<usize>(), 1, "one replica made it: {runs:?}");
    assert_eq!(count(&database, "pg_index WHERE indexrelid = 'xm.agencies_name'::regclass AND indisvalid").await, 1);
}

#[tokio::test]
async fn an_index_that_a_failed_migration_left_is_made_anew() {
    let database = TestCluster::shared().await.database().await;
    let twins = "INSERT INTO xm.agencies (matricule, name, email)
        VALUES (1, 'Twin', 'one@example.org'), (2, 'Twin', 'two@example.org')";
    database.get().await.unwrap().batch_execute(twins).await.unwrap();
    let (_place, migrations) = with_an_index();
    let failed = database.run_migrations(migrations.clone()).await.unwrap_err();
    assert!(matches!(failed, MigrateError::Failed(_)), "{failed}");
    assert_eq!(count(&database, "pg_index WHERE NOT indisvalid").await, 1, "it is left behind");
    database.get().await.unwrap().batch_execute("UPDATE xm.agencies SET name = email").await.unwrap();
    assert_eq!(database.run_migrations(migrations).await.unwrap(), 1);
    assert_eq!(count(&database, "pg_index WHERE NOT indisvalid").await, 0);
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    connection
        .batch_execute("INSERT INTO xm.__diesel_schema_migrations VALUES ('99990101000000', now())")
        .await
        .unwrap();
    let error = database.migrate().await.unwrap_err();
    assert!(matches!(&error, MigrateError::DatabaseNewer { found } if found == "99990101000000"), "{error}");
    let error = database.require_current_schema().await.unwrap_err();
    assert!(matches!(&error, MigrateError::DatabaseNewer { found } if found == "99990101000000"), "{error}");
}

#[tokio::test]
async fn a_database_that_lacks_a_migration_of_this_program_is_named() {
    let database = TestCluster::shared().await.database().await;
    database.require_current_schema().await.unwrap();
    let mut connection = database.get().await.unwrap();
    let last = "DELETE FROM xm.__diesel_schema_migrations WHERE version = (SELECT max(version) FROM xm.__diesel_schema_migrations)";
    connection.batch_execute(last).await.unwrap();
    let error = database.require_current_schema().await.unwrap_err();
    assert!(matches!(error, MigrateError::DatabaseOlder { missing: 1 }), "{error}");
}

/// A summary of the first range would be changed by each of its first lines. PostgreSQL says what it had to make anew.
#[tokio::test]
async fn no_line_of_a_new_part_of_the_journal_changes_the_index_of_its_numbers() {
    let database = TestCluster::shared().await.database().await;
    database.ensure_partitions(5).await.unwrap();
    let lines = "INSERT INTO xm.journal (received_at, outcome, transport, mailbox, container_bytes)
        SELECT now() + make_interval(months => n), 'accepted', 'mail', 'centre', 900 FROM generate_series(0, 9) n";
    database.get().await.unwrap().batch_execute(lines).await.unwrap();
    let parts = count(&database, "pg_inherits WHERE inhparent = 'xm.journal_number'::regclass").await;
    assert_eq!(parts, 7, "six months, and what is of no month");
    let without_summary = "pg_inherits i, brin_summarize_range(i.inhrelid::regclass, 0) AS made
        WHERE i.inhparent = 'xm.journal_number'::regclass AND made = 1";
    assert_eq!(count(&database, without_summary).await, parts);
}

/// A full disk refuses what makes a file longer, and answers everything else.
#[tokio::test]
async fn a_database_without_room_is_away_though_it_answers() {
    let database = TestCluster::shared().await.database().await;
    database.probe().await.unwrap();
    database.probe().await.unwrap();
    assert_eq!(count(&database, "pg_class WHERE relname = 'room_probe'").await, 0, "nothing remains of it");
    let full = "CREATE FUNCTION xm.full() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
                    RAISE EXCEPTION 'could not extend file \"base/5/16384\": No space left on device' USING ERRCODE = '53100';
                END $$;
                CREATE EVENT TRIGGER full_disk ON ddl_command_start EXECUTE FUNCTION xm.full()";
    database.get().await.unwrap().batch_execute(full).await.unwrap();
    assert!(database.probe().await.unwrap_err().is_away());
    assert_eq!(count(&database, "xm.plans").await, 1);
}

#[tokio::test]
async fn a_database_that_accepts_and_never_answers_is_away_to_the_probe() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut settings = DatabaseSettings::new(format!("postgresql://nobody@127.0.0.1:{port}/nothing"));
    settings.wait = std::time::Duration::from_millis(50);
    let database = Database::new(settings).unwrap();
    // Ends a probe without a deadline; one with a deadline is far from it on any machine.
    let probed = tokio::time::timeout(std::time::Duration::from_secs(60), database.probe()).await;
    assert!(probed.expect("the probe ends").unwrap_err().is_away());
    drop(silent);
}

#[tokio::test]
async fn every_connection_has_the_session_settings() {
    let database = TestCluster::shared().await.database().await;
    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = Text)]
        value: String,
    }
    let mut connection = database.get().await.unwrap();
    for (name, value) in [
        ("application_name", "xmserver"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("statement_timeout", "1min"),
        ("lock_timeout", "20s"),
        ("TimeZone", "UTC"),
        ("synchronous_commit", "on"),
    ] {
        let row: Setting = diesel::sql_query("SELECT current_setting($1) AS value")
            .bind::<Text, _>(name)
            .get_result(&mut connection)
            .await
            .unwrap();
        assert_eq!(row.value, value, "{name}");
    }
    let report = database.report().await.unwrap();
    assert_eq!(report.problems(), Vec::<String>::new());
    assert_eq!(report.advice(), Vec::<String>::new());
}

/// Settling sends statements without waiting for one another, and relies on their order.
#[tokio::test]
async fn statements_sent_together_are_done_in_order_also_where_some_must_be_prepared_first() {
    let database = TestCluster::shared().await.empty_database().await;
    let mut connection = database.connect_alone().await.unwrap();
    connection.batch_execute("CREATE SEQUENCE turn").await.unwrap();
    let texts: Vec<String> = (0..16).map(|at| format!("SELECT nextval('turn') + 0 * {at}")).collect();
    // Every third is prepared already.
    for text in texts.iter().step_by(3) {
        drop(Statement::<BigInt>::new(text, &[]).load::<i64>(&mut connection).await.unwrap());
    }
    let shared = &connection;
    let turn = async |text: &String| Statement::<BigInt>::new(text, &[]).load::<i64>(&mut &*shared).await.unwrap()[0];
    for times in ["some prepared", "all prepared"] {
        let turns = futures_util::future::join_all(texts.iter().map(turn)).await;
        assert!(turns.is_sorted(), "{times}: {turns:?}");
    }
}

#[test]
fn a_report_names_every_broken_promise() {
    let report = DatabaseReport {
        version_number: 140_009,
        version: "14.9".to_owned(),
        fsync: false,
        full_page_writes: false,
        synchronous_commit: "off".to_owned(),
        data_checksums: false,
        encoding: "SQL_ASCII".to_owned(),
        is_standby: true,
    };
    assert_eq!(report.problems().len(), 6);
    assert_eq!(report.advice().len(), 1);
}

#[tokio::test]
async fn a_stopped_database_is_away_and_comes_back_by_itself() {
    let mut test_cluster = TestCluster::own().await;
    let database = test_cluster.database().await;
    assert_eq!(count(&database, "xm.agencies").await, 0);

    // A statement under way.
    let mut lent = database.get().await.unwrap();
    test_cluster.cluster.kill().await;
    let fault = Fault::from(diesel::sql_query("SELECT 1").execute(&mut lent).await.unwrap_err());
    assert!(fault.is_away(), "{fault}");
    drop(lent);
    // A new connection.
    let fault = database.get().await.err().unwrap();
    assert!(fault.is_away(), "{fault}");

    test_cluster.cluster.restart().await.unwrap();
    assert_eq!(count(&database, "xm.agencies").await, 0);

    // An orderly shutdown ends sessions with a message of its own.
    let mut lent = database.get().await.unwrap();
    test_cluster.cluster.stop().await;
    let fault = Fault::from(diesel::sql_query("SELECT 1").execute(&mut lent).await.unwrap_err());
    assert!(fault.is_away(), "{fault}");
}

#[tokio::test]
async fn no_connection_free_in_time_is_busy_and_not_away() {
    let url = TestCluster::shared().await.database_url().await;
    let mut settings = DatabaseSettings::new(url);
    settings.connections_max = 1;
    settings.wait = std::time::Duration::from_millis(50);
    let database = Database::new(settings).unwrap();
    // To connect may take longer than this on a machine that is busy.
    let mut lent = None;
    eventually("a connection is made", async || {
        lent = database.get().await.ok();
        lent.is_some()
    })
    .await;
    let fault = database.get().await.err().unwrap();
    assert!(fault.is_passing() && !fault.is_away(), "the intake stays open: {fault}");
    assert_eq!(database.connections(), (1, 0));
    drop(lent);
    assert!(database.get().await.is_ok());
}

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

/// What a trigger says is its own affair; what PostgreSQL means stands in the SQLSTATE.
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

/// Two that wait for each other's row of `acte`: PostgreSQL ends one of them.
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

/// A ministry's server speaks French: its own errors, not ours in French words. deploy/setup-debian.sh makes the locale.
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

    // The session is ended by an operator.
    let fault = fault("RESET ALL; SELECT pg_terminate_backend(pg_backend_pid())").await;
    assert!(fault.is_away(), "{fault:?}");
}

#[tokio::test]
async fn a_transaction_left_open_is_taken_out_of_the_pool() {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    connection
        .batch_execute("INSERT INTO xm.agencies (matricule, name, email) VALUES (1, 'a', 'a@b.c')")
        .await
        .unwrap();
    // As a cancelled task would.
    let cancelled = tokio::time::timeout(
        std::time::Duration::from_millis(50),
        connection.transaction(async |connection| {
            diesel::sql_query("UPDATE xm.agencies SET name = 'b'").execute(connection).await?;
            std::future::pending::<Result<(), diesel::result::Error>>().await
        }),
    )
    .await;
    assert!(cancelled.is_err());
    drop(Object::take(connection));
    eventually("its lock is free again", async || {
        let mut other = database.get().await.unwrap();
        diesel::sql_query("SELECT FROM xm.agencies FOR UPDATE NOWAIT").execute(&mut other).await.is_ok()
    })
    .await;
    assert_eq!(count(&database, "xm.agencies WHERE name = 'a'").await, 1);
}
