//! The door to PostgreSQL: a bounded pool of connections, each with the same session settings, none in clear over a network.
//!
//! A `Database` is cheap to clone and to share. It connects when it is first needed, so a program starts, and stays up,
//! while PostgreSQL is away. Connections are driven by tasks of the runtime that called `get` first: use one that
//! lives as long as the process (an actor's arbiter may be rebuilt, and would take its connections along).

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
mod connect;
pub mod fault;
pub mod identifier;
mod migrate;
pub(crate) mod schema;
mod settings;
pub(crate) mod sqlstate;
pub mod statement;
#[cfg(test)]
mod tests;

pub use archiving::Archiving;
use connect::connect;
pub use migrate::MigrateError;
use settings::Target;
pub use settings::{DatabaseSettings, SettingsError};

use crate::database::fault::Fault;

/// Writes as many bytes as a batch may add to a table, in a transaction that does not keep them.
pub(crate) const ROOM_PROBE: &str =
    "CREATE UNLOGGED TABLE xm.room_probe AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)";

/// How long a statement may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementLimits {
    /// Longest wait for a lock.
    pub lock: Duration,
    /// Longest time in all.
    pub statement: Duration,
}

/// A connection on loan from the pool.
///
/// One that holds an open transaction must not simply be dropped: its locks would stay until the pool looks at it
/// again. `Object::take` it and drop that.
pub type Connection = Object<AsyncPgConnection>;

/// The database, by a pool of connections.
#[derive(Clone)]
pub struct Database {
    pool: Pool<AsyncPgConnection>,
    target: Arc<Target>,
    settings: Arc<DatabaseSettings>,
}

impl Database {
    /// Checks the settings and makes an empty pool. Connects to nothing yet.
    ///
    /// # Errors
    /// Settings that cannot work, or that would send records over a network in clear.
    pub fn new(settings: DatabaseSettings) -> Result<Database, SettingsError> {
        let target = Arc::new(Target::new(&settings)?);
        let settings = Arc::new(settings);
        let mut manager = ManagerConfig::default();
        // A closed connection is noticed without asking the server: a round trip per loan would buy nothing.
        manager.recycling_method = RecyclingMethod::Fast;
        let (for_setup, its_settings) = (Arc::clone(&target), Arc::clone(&settings));
        manager.custom_setup = Box::new(move |_url| {
            let (target, settings) = (Arc::clone(&for_setup), Arc::clone(&its_settings));
            async move { connect(&target, &settings).await }.boxed()
        });
        // The URL stays out of the pool, whose errors and debug output would repeat it.
        let pool = Pool::builder(AsyncDieselConnectionManager::new_with_config("", manager))
            .max_size(settings.connections_max.max(1))
            // The one used last: its statements are prepared and its buffers grown, the others' need not be.
            .queue_mode(QueueMode::Lifo)
            .build()
            .map_err(|error| SettingsError::Tls(rustls::Error::General(error.to_string())))?;
        Ok(Database { pool, target, settings })
    }

    /// Borrows a connection.
    ///
    /// # Errors
    /// The database is away, or busy: no connection came free in time.
    pub async fn get(&self) -> Result<Connection, Fault> {
        match tokio::time::timeout(self.settings.wait, self.pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(ManagerError::ConnectionError(error)))) => Err(error.into()),
            Ok(Err(PoolError::Backend(ManagerError::QueryError(error)))) => Err(error.into()),
            Ok(Err(error)) => Err(Fault::Away(error.to_string())),
            Err(_elapsed) => Err(self.waited_for()),
        }
    }

    /// Says what was waited for in vain: a connection that others have, or PostgreSQL.
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
    /// The database is away.
    pub async fn connect_alone(&self) -> Result<AsyncPgConnection, Fault> {
        Ok(connect(&self.target, &self.settings).await?)
    }

    /// Tries whether the database answers and has room to write: a full disk refuses letters and nothing else.
    /// Nothing remains of it.
    ///
    /// # Errors
    /// The database is away, answers nothing for as long as work waits for a connection, or its disk is full.
    pub async fn probe(&self) -> Result<(), Fault> {
        // What is made in a transaction that does not end is gone with it. Alone: where it fails, a transaction is left in it.
        let text = format!("BEGIN; {ROOM_PROBE}; ROLLBACK");
        let probing = async { Ok(self.connect_alone().await?.batch_execute(&text).await?) };
        // A proxy may accept and say nothing: the next probe finds another connection, and this one would wait for ever.
        tokio::time::timeout(self.settings.wait, probing).await.unwrap_or_else(|_elapsed| {
            Err(Fault::Away(format!("the probe had no answer within {} s", self.settings.wait.as_secs())))
        })
    }

    /// Returns how long a statement of a session may wait for a lock, and how long it may take.
    pub fn limits(&self) -> StatementLimits {
        StatementLimits { lock: self.settings.lock_timeout, statement: self.settings.statement_timeout }
    }

    /// Returns how many connections are open, and how many of them are idle.
    pub fn connections(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.size, status.available)
    }

    /// Reads what `xmserver check` judges.
    ///
    /// # Errors
    /// The database is away.
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

/// How the database is set up, as far as promises hang on it.
#[derive(Clone, Debug, QueryableByName)]
pub struct DatabaseReport {
    /// Such as 150018.
    #[diesel(sql_type = Integer)]
    pub version_number: i32,
    /// Such as `15.18`.
    #[diesel(sql_type = Text)]
    pub version: String,
    /// Whether what is committed is written to the disk.
    #[diesel(sql_type = Bool)]
    pub fsync: bool,
    /// Whether a torn page can be mended after a crash.
    #[diesel(sql_type = Bool)]
    pub full_page_writes: bool,
    /// Whether a commit waits for the disk; ours is set to `on` for each session.
    #[diesel(sql_type = Text)]
    pub synchronous_commit: String,
    /// Whether rotten pages are noticed.
    #[diesel(sql_type = Bool)]
    pub data_checksums: bool,
    /// Must be `UTF8`.
    #[diesel(sql_type = Text)]
    pub encoding: String,
    /// Whether this is a read-only standby.
    #[diesel(sql_type = Bool)]
    pub is_standby: bool,
}

impl DatabaseReport {
    /// Names everything that breaks a promise; empty when all is well.
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

    /// Names what is worth a change without breaking a promise.
    pub fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        if !self.data_checksums {
            advice.push("data checksums are off: rotten pages go unnoticed; see pg_checksums --enable".to_owned());
        }
        advice
    }
}
