//! A real PostgreSQL for each test process, and a fresh migrated database for each test. This crate and the crates that depend on it use
//! this module in their tests.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot get its world ends at once, saying why")]

#[cfg(test)]
pub(crate) mod centre;
pub mod fixture;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cluster::Cluster;
use cluster::testing;
pub use cluster::testing::eventually;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use nix::unistd::Uid;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::database::statement::Statement;
use crate::database::{Database, DatabaseSettings};
use crate::people::{Operator, SystemAccount, sign_in_as_system_account};
use crate::replicas::Replica;

/// Makes a replica without data about its host.
pub fn replica(process: Uuid) -> Replica {
    Replica {
        process,
        life: Uuid::now_v7(),
        name: String::new(),
        host: String::new(),
        boot: String::new(),
        data_folder: String::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        leases: Vec::new(),
        configuration: String::new(),
    }
}

const TEMPLATE: &str = "migrated";

static SHARED: OnceCell<TestCluster> = OnceCell::const_new();

/// A private PostgreSQL for tests.
pub struct TestCluster {
    /// The PostgreSQL server. A test that does not share it may kill and restart it.
    pub cluster: Cluster,
    databases: AtomicU32,
}

/// Makes settings in which a test may keep a transaction open, with its locks, for an hour. On a loaded machine a test may be paused for
/// longer than the program lets a transaction be idle.
fn patient(url: String) -> DatabaseSettings {
    DatabaseSettings { idle_in_transaction_timeout: Duration::from_secs(3600), ..DatabaseSettings::new(url) }
}

impl TestCluster {
    /// Returns the cluster that all tests of this process share.
    pub async fn shared() -> &'static TestCluster {
        SHARED.get_or_init(TestCluster::own).await
    }

    /// Starts a cluster for one test alone. The test may kill the cluster or make its disk unavailable.
    pub async fn own() -> TestCluster {
        TestCluster::with_settings(&[]).await
    }

    /// Starts a cluster for one test alone, with these PostgreSQL settings.
    pub async fn with_settings(settings: &[(&str, &str)]) -> TestCluster {
        let cluster = testing::with_settings(settings).await;
        let test_cluster = TestCluster { cluster, databases: AtomicU32::new(0) };
        test_cluster.make_template().await;
        test_cluster
    }

    async fn make_template(&self) {
        self.admin(&format!("CREATE DATABASE {TEMPLATE}")).await;
        let database = self.connect(TEMPLATE);
        database.migrate().await.unwrap_or_else(|error| panic!("the migrations failed: {error}"));
        drop(database);
        // PostgreSQL cannot copy a database that is in use, so from now on nobody may connect to the template.
        self.admin(&format!("ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false")).await;
        self.admin(&format!(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{TEMPLATE}'"
        ))
        .await;
    }

    /// Makes a fresh database in which all migrations have run.
    pub async fn database(&self) -> Database {
        let name = self.fresh_name();
        self.admin(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await;
        self.connect(&name)
    }

    /// Makes a fresh empty database, without the centre's schema.
    pub async fn empty_database(&self) -> Database {
        let name = self.fresh_name();
        self.admin(&format!("CREATE DATABASE {name}")).await;
        self.connect(&name)
    }

    /// Makes a fresh migrated database and returns its URL, for programs under test.
    pub async fn database_url(&self) -> String {
        let name = self.fresh_name();
        self.admin(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await;
        self.cluster.url_of(&name)
    }

    /// Returns the same database, with connections of the login that reads records for agencies.
    pub async fn reader_of(&self, database: &Database) -> Database {
        let mut connection = database.get().await.expect("the database answers");
        let names: Vec<String> = Statement::<Text>::new("SELECT current_database()::text", &[])
            .load(&mut *connection)
            .await
            .expect("a database has a name");
        let url = self.cluster.reader_url_of(names.concat().as_str());
        Database::new(patient(url)).expect("the private cluster's URL is valid")
    }

    fn fresh_name(&self) -> String {
        format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed))
    }

    fn connect(&self, name: &str) -> Database {
        Database::new(patient(self.cluster.url_of(name))).expect("the private cluster's URL is valid")
    }

    /// Runs a statement as superuser, on a new connection.
    async fn admin(&self, statement: &str) {
        testing::run(&self.cluster, "postgres", statement).await;
    }

    /// Returns the text of the server's log.
    pub fn log(&self) -> String {
        testing::log(&self.cluster)
    }
}

/// Makes the user `tester` of privilege 3 if it does not exist, and signs the system account of this process in as `tester`. The user has
/// no password, since hashing one would take time in each test.
pub async fn operator(connection: &mut AsyncPgConnection) -> Operator {
    let account = SystemAccount::of_this_process(Uid::current());
    diesel::sql_query(
        "INSERT INTO xm.users (name, privilege, password_hash) VALUES ('tester', 3, '') ON CONFLICT DO NOTHING",
    )
    .execute(connection)
    .await
    .expect("a user can be made");
    diesel::sql_query(
        "INSERT INTO xm.system_accounts (uid, account, user_name) VALUES ($1, $2, 'tester') ON CONFLICT DO NOTHING",
    )
    .bind::<BigInt, _>(i64::from(account.account().uid))
    .bind::<Text, _>(account.name())
    .execute(connection)
    .await
    .expect("an account can be mapped");
    sign_in_as_system_account(connection, &account).await.expect("the account is mapped")
}
