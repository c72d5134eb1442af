//! For tests of this crate and of the crates above: a real PostgreSQL per test process, a fresh migrated database per test.
//!
//! The cluster lies in the system's temporary folder. A helper process removes it when the test process has ended,
//! however it ended; what a killed helper left is removed by the next run, which knows it by its free lock.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot get its world ends at once, saying why")]

pub mod fixture;

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use nix::unistd::Uid;
use tokio::sync::OnceCell;

use crate::cluster::{self, Cluster, ClusterSettings};
use crate::database::{Database, DatabaseSettings};
use crate::people::{Operator, SystemAccount, sign_in_as_system_account};

const PREFIX: &str = "xm-test-";
const TEMPLATE: &str = "migrated";

static SHARED: OnceCell<TestCluster> = OnceCell::const_new();

/// A private PostgreSQL for tests.
pub struct TestCluster {
    /// The cluster, to be killed and restarted by tests that own it.
    pub cluster: Cluster,
    databases: AtomicU32,
}

impl TestCluster {
    /// Returns the cluster that all tests of this process share.
    pub async fn shared() -> &'static TestCluster {
        SHARED.get_or_init(TestCluster::own).await
    }

    /// Starts a cluster for one test alone, which may then do violence to it.
    pub async fn own() -> TestCluster {
        TestCluster::with_settings(&[]).await
    }

    /// Starts a cluster for one test alone, with settings of PostgreSQL.
    pub async fn with_settings(settings: &[(&str, &str)]) -> TestCluster {
        remove_leftovers().await;
        let mut all =
            vec![("max_connections".to_owned(), "300".to_owned()), ("shared_buffers".to_owned(), "64MB".to_owned())];
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let settings = ClusterSettings { data_folder: temporary_folder(), binaries: None, settings: all };
        let cluster = Cluster::start(settings).await.unwrap_or_else(|error| panic!("no test cluster: {error}"));
        let test_cluster = TestCluster { cluster, databases: AtomicU32::new(0) };
        test_cluster.make_template().await;
        test_cluster
    }

    async fn make_template(&self) {
        self.admin(&format!("CREATE DATABASE {TEMPLATE}")).await;
        let database = self.connect(TEMPLATE);
        database.migrate().await.unwrap_or_else(|error| panic!("the migrations failed: {error}"));
        drop(database);
        // A database in use cannot be copied; nobody may connect to this one again.
        self.admin(&format!("ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false")).await;
        self.admin(&format!(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{TEMPLATE}'"
        ))
        .await;
    }

    /// Makes a fresh database with all migrations run.
    pub async fn database(&self) -> Database {
        let name = self.fresh_name();
        self.admin(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await;
        self.connect(&name)
    }

    /// Makes a fresh database without anything in it.
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

    fn fresh_name(&self) -> String {
        format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed))
    }

    fn connect(&self, name: &str) -> Database {
        Database::new(DatabaseSettings::new(self.cluster.url_of(name))).expect("the private cluster's URL is valid")
    }

    /// Runs a statement as superuser, on a connection of its own.
    async fn admin(&self, statement: &str) {
        let client = cluster::connect(&self.cluster.url_of("postgres")).await.expect("the test cluster answers");
        client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Reads the server's log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.cluster.log_path()).expect("the test cluster has a log")
    }
}

/// Signs the account of this process in as user `tester` of privilege 3, who is made where he is not there yet: without a password,
/// whose hash would cost each test its time.
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

/// Waits for a condition, looking every few milliseconds.
///
/// # Panics
/// When the condition does not come true within 20 s.
pub async fn eventually<F: AsyncFnMut() -> bool>(what: &str, mut condition: F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "in 20 s it did not happen that {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Makes a folder that is removed once this process has ended and no postmaster runs in it any more.
fn temporary_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("{PREFIX}{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&folder).expect("the temporary folder can be written");
    // The service user must be able to pass; what lies inside is private by itself.
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o711)).expect("the folder is ours");
    // Reads until this process, which holds the other end, is gone. Nothing a test does, not even SIGKILL, hinders that.
    const REMOVE: &str = r#"read -r _; n=0
        while [ -e "$0/data/postmaster.pid" ] && [ $n -lt 100 ]; do n=$((n+1)); sleep 0.1; done
        rm -rf -- "$0""#;
    let helper = Command::new("sh")
        .args(["-c", REMOVE])
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        // Out of reach of the terminal's Ctrl-C, which ends the tests.
        .process_group(0)
        .spawn()
        .expect("there is a shell");
    // Its standard input stays open for as long as this process lives.
    std::mem::forget(helper);
    folder
}

/// Removes what runs left behind whose helper was killed too.
async fn remove_leftovers() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let folder = entry.path();
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_abandoned(&folder) {
            if let Err(error) = cluster::end_leftover(&folder.join("data")).await {
                tracing::warn!(%error, "a left-over test cluster stays");
                continue;
            }
            if let Err(error) = std::fs::remove_dir_all(&folder) {
                tracing::debug!(%error, "somebody else removed a left-over test cluster");
            }
        }
    }
}

/// Says whether nobody holds the folder's lock, nor is just about to take it.
fn is_abandoned(folder: &Path) -> bool {
    let old = |path: &Path| {
        std::fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > Duration::from_secs(60)))
    };
    match File::open(folder.join("lock")) {
        Ok(lock) => old(folder) && lock.try_lock().is_ok(),
        Err(_missing) => old(folder),
    }
}
