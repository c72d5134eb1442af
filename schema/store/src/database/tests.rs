//! Tests of pooled and dropped connections on a real PostgreSQL.

mod admitted;
mod encrypted;
mod failover;
mod faults;
mod migrated;
mod version_before;

use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};

use super::*;
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

/// On a full disk, PostgreSQL refuses every write that makes a file longer, and accepts all other statements.
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
    // The deadline is only for a probe that never ends. A probe with its own limit ends long before the deadline, on any machine.
    let probed = tokio::time::timeout(std::time::Duration::from_secs(60), database.probe()).await;
    assert!(probed.expect("the probe ends").unwrap_err().is_away());
    drop(silent);
}

#[tokio::test]
async fn every_connection_has_the_session_settings() {
    let url = TestCluster::shared().await.database_url().await;
    let database = Database::new(DatabaseSettings::new(url)).unwrap();
    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = Text)]
        value: String,
    }
    let mut connection = database.get().await.unwrap();
    for (name, value) in [
        ("application_name", "xmserver"),
        ("idle_in_transaction_session_timeout", "10s"),
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

/// Settling sends several statements before it reads their results, and relies on their order.
#[tokio::test]
async fn statements_sent_together_are_done_in_order_also_where_some_must_be_prepared_first() {
    let database = TestCluster::shared().await.empty_database().await;
    let mut connection = database.connect_alone().await.unwrap();
    connection.batch_execute("CREATE SEQUENCE turn").await.unwrap();
    let texts: Vec<String> = (0..16).map(|at| format!("SELECT nextval('turn') + 0 * {at}")).collect();
    // The connection runs every third statement once now, so these are prepared. The other statements are prepared when all are sent
    // together. The order must hold in spite of this.
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

    // PostgreSQL ends while a connection is borrowed.
    let mut lent = database.get().await.unwrap();
    test_cluster.cluster.kill().await;
    let fault = Fault::from(diesel::sql_query("SELECT 1").execute(&mut lent).await.unwrap_err());
    assert!(fault.is_away(), "{fault}");
    drop(lent);
    // No new connection can be made.
    let fault = database.get().await.err().unwrap();
    assert!(fault.is_away(), "{fault}");

    test_cluster.cluster.restart().await.unwrap();
    assert_eq!(count(&database, "xm.agencies").await, 0);

    // In an orderly shutdown, PostgreSQL ends sessions with a special error.
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
    // On a busy machine, connecting may take longer than the configured wait, so the test tries again.
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
async fn a_transaction_left_open_is_taken_out_of_the_pool() {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    connection
        .batch_execute("INSERT INTO xm.agencies (matricule, name, email) VALUES (1, 'a', 'a@b.c')")
        .await
        .unwrap();
    // The timeout drops the running transaction, as the end of an actor's task does.
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
