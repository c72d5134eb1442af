//! Tests that the database login that reads for agencies may read its views and do little else. They try what a person with the login's
//! password could try.

use std::process::Command;

use diesel_async::SimpleAsyncConnection;
use store::reading::login;
use store::testing::TestCluster;

use super::world::{TABLE, TABLE_ID, columns};

/// Statements that are refused, each with a part of PostgreSQL's error.
const REFUSED: [(&str, &str); 44] = [
    ("SELECT * FROM lab.acte", "permission denied"),
    ("SELECT * FROM xm.agencies", "permission denied"),
    ("SELECT * FROM xm.letters", "permission denied"),
    ("SELECT * FROM xm.users", "permission denied"),
    ("INSERT INTO xm_read.table_7 (\"Numero\", \"Status\") VALUES (9, 2)", "permission denied"),
    ("UPDATE xm_read.table_7 SET \"Nom\" = ''", "permission denied"),
    ("DELETE FROM xm_read.table_7", "permission denied"),
    ("SELECT * FROM xm_read.table_7 FOR UPDATE", "permission denied"),
    ("TRUNCATE lab.acte", "permission denied"),
    ("DROP VIEW xm_read.table_7", "must be owner"),
    ("CREATE TABLE public.x (a int)", "permission denied"),
    ("CREATE TABLE xm_read.x (a int)", "permission denied"),
    ("CREATE TEMPORARY TABLE x (a int)", "permission denied"),
    ("CREATE SCHEMA x", "permission denied"),
    ("CREATE DATABASE x", "permission denied"),
    ("CREATE ROLE x", "permission denied"),
    ("CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "permission denied"),
    ("CREATE EXTENSION dblink", "ERROR"),
    ("SET ROLE xmserver", "permission denied"),
    ("SET SESSION AUTHORIZATION xmserver", "permission denied"),
    ("ALTER ROLE xm_reader SUPERUSER", "must be superuser"),
    ("ALTER SYSTEM SET fsync = off", "permission denied"),
    ("GRANT xmserver TO xm_reader", "must"),
    ("SELECT set_config('role', 'none', false)", "permission denied"),
    ("SELECT pg_sleep(1)", "permission denied"),
    ("SELECT pg_sleep_for('1 second')", "permission denied"),
    ("SELECT pg_advisory_lock(1)", "permission denied"),
    ("SELECT pg_advisory_xact_lock(1)", "permission denied"),
    ("SELECT pg_try_advisory_lock(1)", "permission denied"),
    ("SELECT pg_notify('a', 'b')", "permission denied"),
    ("SELECT lo_create(0)", "permission denied"),
    ("SELECT lo_from_bytea(0, 'x')", "permission denied"),
    ("SELECT lo_import('/etc/passwd')", "permission denied"),
    ("SELECT query_to_xml('SELECT 1', true, true, '')", "permission denied"),
    ("SELECT ts_stat('SELECT 1')", "permission denied"),
    ("SELECT pg_export_snapshot()", "permission denied"),
    ("SELECT txid_current()", "permission denied"),
    ("SELECT pg_read_file('/etc/passwd')", "permission denied"),
    ("SELECT pg_ls_dir('/')", "permission denied"),
    ("SELECT pg_terminate_backend(1)", "permission denied"),
    ("SELECT pg_reload_conf()", "permission denied"),
    ("COPY xm_read.table_7 TO '/tmp/x'", "ERROR"),
    ("COPY xm_read.table_7 TO PROGRAM 'true'", "ERROR"),
    ("SELECT pg_create_physical_replication_slot('x')", "permission denied"),
];

/// Statements that the login may run. They can make its own session slow or large, within the limits that PostgreSQL's administrator sets,
/// but cannot affect another session.
const LEFT_TO_IT: [&str; 7] = [
    "SELECT * FROM xm_read.table_7",
    "SET statement_timeout = 0",
    "SET work_mem = '1GB'",
    "SELECT count(*) FROM generate_series(1, 1000)",
    "SELECT repeat('x', 1000)",
    "SELECT relname FROM pg_class LIMIT 1",
    "LISTEN a",
];

#[tokio::test]
async fn it_may_read_its_views_and_nothing_else() {
    let cluster = TestCluster::own().await;
    let database = cluster.database().await;
    let mut connection = database.get().await.unwrap();
    connection.batch_execute(TABLE).await.unwrap();
    // Everybody may use a new database by rights that PostgreSQL gives to PUBLIC. The program takes them away when it starts. The test's
    // database is a copy of a prepared one, but PostgreSQL copies no such rights, so the copy has them anew and the test takes them away
    // here.
    login::prepare(&mut connection).await.unwrap();
    login::adopt(&mut connection, TABLE_ID, "lab", "acte", &columns()).await.unwrap();
    let excess = login::excess(&mut connection).await.unwrap();
    assert!(excess.is_empty(), "it may also: {}", excess.join(", "));

    let url = cluster.cluster.reader_url_of("test_0");
    let run = |statement: &str| {
        let output =
            Command::new("psql").args(["-X", "-v", "ON_ERROR_STOP=1", "-c", statement, &url]).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (statement, how) in REFUSED {
        let (succeeded, said) = run(statement);
        assert!(!succeeded && said.contains(how), "{statement}: {said}");
    }
    for statement in LEFT_TO_IT {
        let (succeeded, said) = run(statement);
        assert!(succeeded, "{statement}: {said}");
    }
}

#[tokio::test]
async fn what_it_may_too_much_is_named() {
    let cluster = TestCluster::own().await;
    let database = cluster.database().await;
    let mut connection = database.get().await.unwrap();
    let cases = [
        ("GRANT EXECUTE ON FUNCTION pg_sleep(double precision) TO xm_reader", "function pg_sleep(double precision)"),
        ("GRANT SELECT ON xm.agencies TO xm_reader", "SELECT on xm.agencies"),
        ("GRANT INSERT ON xm.plans TO PUBLIC", "INSERT on xm.plans"),
        ("GRANT CREATE ON SCHEMA public TO xm_reader", "CREATE in schema public"),
        ("GRANT TEMPORARY ON DATABASE test_0 TO PUBLIC", "TEMPORARY in the database"),
        ("GRANT pg_read_all_data TO xm_reader", "the role pg_read_all_data"),
        (
            "CREATE FUNCTION public.x() RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1'; GRANT USAGE ON SCHEMA public TO xm_reader",
            "function x()",
        ),
    ];
    for (grant, named) in cases {
        connection.batch_execute(grant).await.unwrap();
        let excess = login::excess(&mut connection).await.unwrap();
        assert!(excess.iter().any(|what| what == named), "{grant}: {}", excess.join(", "));
    }
}
