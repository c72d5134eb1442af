//! Tests of failover: the program must find the new primary after the old one was killed, frozen or replaced. A commit whose wait for the
//! standby was cut short must count as unknown.
//!
//! Every deadline of these tests is far longer than the step that it guards, and far shorter than the limit that would otherwise end the
//! work.

use std::time::Duration;

use cluster::testing::standby::{freeze, promote, replicate_synchronously, standby_of};
use cluster::testing::{self, eventually};
use cluster::{Cluster, Port, connect};
use diesel::sql_types::{Integer, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use super::super::{Connection, Database, DatabaseSettings};
use crate::database::fault::Fault;
use crate::settle::transaction::OpenTransaction;

/// Limit of statements. It is so long that no test reaches it: a statement that ends earlier was ended by something else.
const NEVER: Duration = Duration::from_secs(3600);

/// A primary and its standby.
struct Pair {
    primary: Cluster,
    standby: Cluster,
    ports: [Port; 2],
}

impl Pair {
    async fn start() -> Pair {
        let ports = [Port::hold().unwrap(), Port::hold().unwrap()];
        let mut primary = testing::own().await;
        primary.stop().await;
        testing::restart_on_network(&mut primary, ports[0].number(), None).await;
        let standby = standby_of(&primary, ports[0].number(), ports[1].number()).await;
        let pair = Pair { primary, standby, ports };
        pair.run(0, "CREATE TABLE written (by_port integer)").await;
        pair
    }

    fn url(&self, at: usize) -> String {
        testing::url_on_network(self.ports[at].number())
    }

    /// Returns the port of a host as a number, in the type of PostgreSQL's `inet_server_port()`.
    fn number(&self, at: usize) -> i32 {
        i32::from(self.ports[at].number())
    }

    async fn run(&self, at: usize, statement: &str) {
        connect(&self.url(at)).await.unwrap().batch_execute(statement).await.unwrap();
    }

    /// Makes a pool over both hosts. The limit of its statements is so long that no test reaches it.
    fn database(&self) -> Database {
        let [first, second] = &self.ports;
        let mut settings =
            DatabaseSettings::new(format!("postgresql://xmserver@localhost:{first},localhost:{second}/xmserver"));
        settings.statement_timeout = NEVER;
        Database::new(settings).unwrap()
    }

    async fn end(mut self) {
        self.primary.stop().await;
        self.standby.stop().await;
    }
}

#[derive(diesel::QueryableByName)]
struct ServerPort {
    #[diesel(sql_type = Integer)]
    port: i32,
}

#[derive(diesel::QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    value: String,
}

async fn port_of(connection: &mut Connection) -> Result<i32, Fault> {
    let row: ServerPort = diesel::sql_query("SELECT inet_server_port() AS port").get_result(connection).await?;
    Ok(row.port)
}

async fn write(database: &Database) -> Result<i32, Fault> {
    let mut connection = database.get().await?;
    connection.batch_execute("INSERT INTO written SELECT inet_server_port()").await?;
    port_of(&mut connection).await
}

/// Waits until the pool writes to a host. Tries again after each fault, as the program does.
async fn written_to(database: &Database, port: i32) {
    eventually("the pool writes to the new primary", async || write(database).await == Ok(port)).await;
}

#[tokio::test]
async fn a_frozen_primary_is_left_and_what_waited_for_it_fails_at_once() {
    let pair = Pair::start().await;
    let database = pair.database();
    assert_eq!(write(&database).await, Ok(pair.number(0)));
    let mut waiting = database.get().await.unwrap();
    let mut idle = database.get().await.unwrap();
    assert_eq!(port_of(&mut idle).await, Ok(pair.number(0)));
    let frozen = freeze(&pair.primary);
    let statement = tokio::spawn(async move { port_of(&mut waiting).await });
    promote(&pair.url(1)).await;
    let fault = statement.await.unwrap().unwrap_err();
    assert!(fault.is_away(), "{fault}");
    written_to(&database, pair.number(1)).await;
    assert!(port_of(&mut idle).await.unwrap_err().is_away(), "no connection to the former primary stays");
    assert_eq!(database.primary_changes(), 1);
    drop(frozen);
    written_to(&database, pair.number(1)).await;
    assert_eq!(database.primary_changes(), 1, "a primary that is back is not asked");
    pair.end().await;
}

#[tokio::test]
async fn a_killed_primary_is_replaced_by_the_promoted_standby() {
    let mut pair = Pair::start().await;
    let database = pair.database();
    assert_eq!(write(&database).await, Ok(pair.number(0)));
    pair.primary.kill().await;
    let fault = write(&database).await.unwrap_err();
    assert!(fault.is_away(), "{fault}");
    promote(&pair.url(1)).await;
    written_to(&database, pair.number(1)).await;
    assert_eq!(database.primary_changes(), 1);
    pair.end().await;
}

#[tokio::test]
async fn a_slow_statement_of_a_healthy_primary_is_left_in_peace() {
    let pair = Pair::start().await;
    let database = pair.database();
    let mut connection = database.get().await.unwrap();
    // Three seconds are longer than the silence after which the host is examined. The examination must not make the program leave the host.
    connection.batch_execute("SELECT pg_sleep(3)").await.unwrap();
    assert_eq!((port_of(&mut connection).await, database.primary_changes()), (Ok(pair.number(0)), 0));
    pair.end().await;
}

#[tokio::test]
async fn hosts_that_cannot_be_written_are_each_told_of() {
    let mut pair = Pair::start().await;
    pair.primary.kill().await;
    let fault = pair.database().get().await.map(drop).unwrap_err().to_string();
    for (port, words) in pair.ports.iter().zip(["refused", "transaction_read_only"]) {
        assert!(fault.contains(&format!("localhost:{port}: ")) && fault.contains(words), "{fault}");
    }
    pair.end().await;
}

/// With only one host, the program cannot leave a frozen one for another. The statement must end all the same, so that the program learns
/// of the fault.
#[tokio::test]
async fn a_statement_on_the_only_host_ends_though_the_host_is_frozen() {
    let cluster = testing::own().await;
    let mut settings = DatabaseSettings::new(cluster.url());
    settings.statement_timeout = Duration::from_millis(100);
    let mut connection = Database::new(settings).unwrap().get().await.unwrap();
    let frozen = freeze(&cluster);
    let fault = Fault::from(connection.batch_execute("SELECT 1").await.unwrap_err());
    assert!(fault.is_away(), "{fault}");
    drop(frozen);
}

/// If the wait of a COMMIT for the standby is cancelled, PostgreSQL still reports success. The standby does not have the commit, and a
/// failover would lose it.
#[tokio::test]
async fn a_commit_that_stopped_waiting_for_the_standby_is_unknown() {
    let mut pair = Pair::start().await;
    let database = pair.database();
    replicate_synchronously(&pair.url(0)).await;
    pair.run(0, "INSERT INTO written VALUES (0)").await;
    pair.standby.kill().await;
    for (number, ending) in (1..).zip(["pg_cancel_backend", "pg_terminate_backend"]) {
        let transaction = OpenTransaction::on(database.get().await.unwrap());
        transaction.begin().await.unwrap();
        transaction.shared().batch_execute("INSERT INTO written VALUES (1)").await.unwrap();
        let committing = tokio::spawn(transaction.commit());
        let end = format!("SELECT {ending}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        eventually("the COMMIT no longer waits", async || {
            pair.run(0, &end).await;
            committing.is_finished()
        })
        .await;
        let fault = committing.await.unwrap().unwrap_err();
        assert!(fault.is_away(), "{ending}: {fault}");
        eventually("it is counted", async || database.unknown_commits() == number).await;
    }
    pair.end().await;
}

#[tokio::test]
async fn an_administrators_stronger_durability_stays_and_a_weaker_one_does_not() {
    let cluster = testing::own().await;
    for (chosen, used) in [("remote_apply", "remote_apply"), ("off", "on"), ("local", "on"), ("on", "on")] {
        let chosen = format!("ALTER DATABASE xmserver SET synchronous_commit = {chosen}");
        testing::run(&cluster, "postgres", &chosen).await;
        let mut connection = Database::new(DatabaseSettings::new(cluster.url())).unwrap().get().await.unwrap();
        let text = "SELECT current_setting('synchronous_commit') AS value";
        let found: Setting = diesel::sql_query(text).get_result(&mut connection).await.unwrap();
        assert_eq!(found.value, used, "{chosen}");
    }
}
