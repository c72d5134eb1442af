//! Connections to PostgreSQL: a bounded pool. Every connection has the same session settings, and no connection over a network is
//! unencrypted.
//!
//! A `Database` is cheap to clone and to share. It connects when it is first used, so a program can start and run while PostgreSQL cannot
//! be reached. Tasks of the runtime that first calls `get` drive the connections, so that runtime must live as long as the process. The
//! runtime of an actor's arbiter would end the connections when the arbiter is rebuilt.

use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::QueueMode;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Text};
use diesel_async::pooled_connection::deadpool::{Object, Pool, PoolError};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolError as ManagerError, RecyclingMethod,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::FutureExt;

mod archiving;
mod compatibility;
mod connect;
pub mod fault;
mod hosts;
pub mod identifier;
mod messages;
mod migrate;
mod replication;
pub(crate) mod schema;
mod session;
mod settings;
pub(crate) mod sqlstate;
pub mod statement;
#[cfg(test)]
mod tests;
mod watch;
mod wire;

pub use archiving::Archiving;
use hosts::Hosts;
pub use migrate::MigrateError;
pub use replication::Standbys;
use session::connect;
use settings::Target;
pub use settings::{DatabaseSettings, SettingsError};

use crate::database::fault::Fault;

/// Writes one megabyte, as much as a batch may add to a table, to test whether the disk has room. The caller rolls the transaction back.
pub(crate) const ROOM_PROBE: &str =
    "CREATE UNLOGGED TABLE xm.room_probe AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)";

/// Time limits of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementLimits {
    /// Longest wait for a lock.
    pub lock: Duration,
    /// Longest time of the whole statement, including waits.
    pub statement: Duration,
}

/// A connection borrowed from the pool.
///
/// A connection with an open transaction must not simply be dropped: dropping returns it to the pool, and its locks would remain until the
/// pool uses it again. `Object::take` removes the connection from the pool, and dropping the result closes it.
pub type Connection = Object<AsyncPgConnection>;

/// The database, reached through a pool of connections.
#[derive(Clone)]
pub struct Database {
    pool: Pool<AsyncPgConnection>,
    hosts: Arc<Hosts>,
    settings: Arc<DatabaseSettings>,
}

/// Makes a connection of the pool on the runtime that the settings name, so that it outlives the runtime of the caller. Without such a
/// runtime, the connection is made on the caller's.
async fn connect_at_home(hosts: Arc<Hosts>, settings: Arc<DatabaseSettings>) -> ConnectionResult<AsyncPgConnection> {
    let Some(home) = settings.runtime.clone() else { return connect(&hosts, &settings, true).await };
    let connecting = home.spawn(async move { connect(&hosts, &settings, true).await });
    connecting.await.unwrap_or_else(|_ended| Err(ConnectionError::BadConnection("the process is ending".to_owned())))
}

impl Database {
    /// Checks the settings and makes an empty pool, without connecting yet.
    ///
    /// # Errors
    /// Settings that cannot work, or that would allow records on a network unencrypted.
    pub fn new(settings: DatabaseSettings) -> Result<Database, SettingsError> {
        let hosts = Arc::new(Hosts::new(Target::new(&settings)?));
        let settings = Arc::new(settings);
        let mut manager = ManagerConfig::default();
        // Before each loan, the pool could send a query to see whether the connection still works. It notices a closed connection without
        // this, so the query would only cost time.
        manager.recycling_method = RecyclingMethod::Fast;
        let (for_setup, its_settings) = (Arc::clone(&hosts), Arc::clone(&settings));
        manager.custom_setup = Box::new(move |_url| {
            let (hosts, settings) = (Arc::clone(&for_setup), Arc::clone(&its_settings));
            async move { connect_at_home(hosts, settings).await }.boxed()
        });
        // The URL may contain a password. It stays out of the pool, whose errors and debug output would repeat it.
        let pool = Pool::builder(AsyncDieselConnectionManager::new_with_config("", manager))
            .max_size(settings.connections_max.max(1))
            // The pool lends the connection that was used last: its statements are prepared, and its buffers are already large enough.
            .queue_mode(QueueMode::Lifo)
            .build()
            .map_err(|error| SettingsError::Tls(rustls::Error::General(error.to_string())))?;
        Ok(Database { pool, hosts, settings })
    }

    /// Borrows a connection.
    ///
    /// # Errors
    /// The database cannot be reached, or no connection became free in time.
    pub async fn get(&self) -> Result<Connection, Fault> {
        match tokio::time::timeout(self.settings.wait, self.pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(ManagerError::ConnectionError(error)))) => Err(error.into()),
            Ok(Err(PoolError::Backend(ManagerError::QueryError(error)))) => Err(error.into()),
            Ok(Err(error)) => Err(Fault::Away(error.to_string())),
            Err(_elapsed) => Err(self.waited_for()),
        }
    }

    /// Makes the fault for a wait without a connection: all connections are in use, or PostgreSQL accepts none.
    fn waited_for(&self) -> Fault {
        let (status, seconds) = (self.pool.status(), self.settings.wait.as_secs());
        if status.available == 0 && status.size >= status.max_size {
            let message = format!("each of {} connections was in use for {seconds} s", status.max_size);
            return Fault::Busy { sqlstate: String::new(), message };
        }
        Fault::Away(format!("no connection was made within {seconds} s"))
    }

    /// Makes a connection outside the pool, which closes when it is dropped.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn connect_alone(&self) -> Result<AsyncPgConnection, Fault> {
        Ok(connect(&self.hosts, &self.settings, true).await?)
    }

    /// Makes a connection outside the pool whose statements may take any time: neither this program nor PostgreSQL ends them. Migrations
    /// need this.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub(crate) async fn connect_without_limits(&self) -> Result<AsyncPgConnection, Fault> {
        Ok(connect(&self.hosts, &self.settings, false).await?)
    }

    /// Checks that the database answers and can write: on a full disk, PostgreSQL still reads but cannot store letters. The check does not
    /// change the database.
    ///
    /// # Errors
    /// The database cannot be reached, does not answer within the pool's time to wait, or has a full disk.
    pub async fn probe(&self) -> Result<(), Fault> {
        // The rollback removes the table. A probe that fails leaves its transaction open, so it uses a connection outside the pool, which
        // closes afterwards.
        let text = format!("BEGIN; {ROOM_PROBE}; ROLLBACK");
        let probing = async { Ok(self.connect_alone().await?.batch_execute(&text).await?) };
        // A proxy may accept a connection and never answer. Without a limit, the probe would then wait for ever.
        tokio::time::timeout(self.settings.wait, probing).await.unwrap_or_else(|_elapsed| {
            Err(Fault::Away(format!("the probe had no answer within {} s", self.settings.wait.as_secs())))
        })
    }

    /// Returns the sessions' time limits: for one lock, and for one statement.
    pub fn limits(&self) -> StatementLimits {
        StatementLimits { lock: self.settings.lock_timeout, statement: self.settings.statement_timeout }
    }

    /// Returns the number of open connections, and how many of them are idle.
    pub fn connections(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.size, status.available)
    }

    /// Returns the number of hosts that the URL names.
    pub fn hosts(&self) -> usize {
        self.hosts.count()
    }

    /// Returns how often the primary moved to another host.
    pub fn primary_changes(&self) -> u64 {
        self.hosts.primary_changes()
    }

    /// Returns the number of COMMITs whose answer never came. Whether these transactions were committed is unknown.
    pub fn unknown_commits(&self) -> u64 {
        self.hosts.unknown_commits()
    }

    /// Reads the settings that `xmserver check` judges.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn report(&self) -> Result<DatabaseReport, Fault> {
        let mut connection = self.get().await?;
        let report = diesel::sql_query(
            "SELECT current_setting('server_version_num')::integer AS version_number,
                    current_setting('server_version') AS version,
                    current_setting('fsync')::boolean AS fsync,
                    current_setting('full_page_writes')::boolean AS full_page_writes,
                    current_setting('synchronous_commit') AS synchronous_commit,
                    current_setting('data_checksums')::boolean AS data_checksums,
                    current_setting('server_encoding') AS encoding,
                    pg_is_in_recovery() AS is_standby",
        )
        .get_result(&mut connection)
        .await?;
        Ok(report)
    }
}

/// Settings of the database that the server's promises depend on.
#[derive(Clone, Debug, QueryableByName)]
pub struct DatabaseReport {
    /// Version as a number, such as 150018 for 15.18.
    #[diesel(sql_type = Integer)]
    pub version_number: i32,
    /// Version as text, such as `15.18`.
    #[diesel(sql_type = Text)]
    pub version: String,
    /// Whether PostgreSQL writes committed data to the disk.
    #[diesel(sql_type = Bool)]
    pub fsync: bool,
    /// Whether PostgreSQL can restore a page that a crash left half written.
    #[diesel(sql_type = Bool)]
    pub full_page_writes: bool,
    /// Whether a commit waits for the disk; the program sets this to `on` in each session.
    #[diesel(sql_type = Text)]
    pub synchronous_commit: String,
    /// Whether PostgreSQL notices corrupted pages.
    #[diesel(sql_type = Bool)]
    pub data_checksums: bool,
    /// Encoding of the database, which must be `UTF8`.
    #[diesel(sql_type = Text)]
    pub encoding: String,
    /// Whether the database is a standby, which cannot be written to.
    #[diesel(sql_type = Bool)]
    pub is_standby: bool,
}

impl DatabaseReport {
    /// Returns a sentence for each setting that breaks a promise; empty if all settings keep the promises.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut expect = |holds: bool, problem: String| {
            if !holds {
                problems.push(problem);
            }
        };
        expect(
            self.version_number >= 150_000,
            format!("PostgreSQL {} is too old: 15 or newer is needed", self.version),
        );
        expect(
            self.fsync,
            "fsync is off: a power cut loses letters whose mail is already deleted; set fsync = on".into(),
        );
        expect(
            self.full_page_writes,
            "full_page_writes is off: a power cut can ruin tables; set full_page_writes = on".into(),
        );
        expect(
            matches!(self.synchronous_commit.as_str(), "on" | "remote_apply"),
            format!("synchronous_commit is {} in our sessions: it must be on", self.synchronous_commit),
        );
        expect(self.encoding == "UTF8", format!("the database's encoding is {}: it must be UTF8", self.encoding));
        expect(!self.is_standby, "the database is a standby, which cannot be written: name the primary".into());
        problems
    }

    /// Returns a sentence for each setting that should be changed but breaks no promise.
    pub fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        if !self.data_checksums {
            advice.push("data checksums are off: rotten pages go unnoticed; see pg_checksums --enable".to_owned());
        }
        advice
    }
}
