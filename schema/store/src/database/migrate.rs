//! Bringing the control schema up to this program's version, from any number of replicas at once.
//!
//! A migration that has landed never changes. Those of a program before it go on working while one runs (`-- expand`), and wait
//! only for what it locks. So an index on a table that grows with the letters (`xm.letters`, `xm.originals`, `xm.journal`,
//! `xm.entries`, `xm.quarantine`, `xm.flags`) is made CONCURRENTLY: in a migration of its own, of that one statement, whose folder
//! has a `metadata.toml` that says `run_in_transaction = false`. On tables with partitions PostgreSQL makes none that way: there
//! `CREATE INDEX … ON ONLY` the parent, one CONCURRENTLY on each partition, and `ALTER INDEX … ATTACH PARTITION`. What an
//! interrupted one leaves behind is dropped before the next try.

use std::time::Duration;

use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::Database;
use crate::database::fault::Fault;
use crate::planted::{self, Bug};
use crate::reading::login;
use cluster::MAJOR_MIN;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");
/// The advisory lock that one migrating replica holds: the letters "xmserver" read as a number.
const MIGRATION_LOCK: i64 = i64::from_be_bytes(*b"xmserver");

/// Pause between two tries to have it.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Why the schema was not brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// PostgreSQL is too old.
    #[error("the database is PostgreSQL {found}: {MAJOR_MIN} or newer is needed")]
    PostgresTooOld {
        /// Its major version.
        found: i32,
    },
    /// A newer program was here before.
    #[error(
        "the database has migration {found}, which this program does not know: install the newer xmserver that made it, or restore a backup"
    )]
    DatabaseNewer {
        /// The unknown migration.
        found: String,
    },
    /// No program as new as this one was here before.
    #[error(
        "the database lacks {missing} of this program's migrations: start `xmserver run` of this version, which runs them, and try again"
    )]
    DatabaseOlder {
        /// How many.
        missing: usize,
    },
    /// A migration failed. Nothing of it remains, or an index that is not valid, which the next try drops.
    #[error("a migration failed, and those before it stay: {0}")]
    Failed(String),
    /// The task that ran the migrations was ended.
    #[error("the migration was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
    /// The database is away or refuses.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<diesel::result::Error> for MigrateError {
    fn from(error: diesel::result::Error) -> MigrateError {
        MigrateError::Fault(error.into())
    }
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Integer)]
    number: i32,
}

impl Database {
    /// Runs the migrations that are missing, and makes the partitions of the coming months. Returns how many it ran.
    ///
    /// Any number of replicas may call it at once: one does the work, the others find it done.
    ///
    /// # Errors
    /// PostgreSQL older than 15, a database newer than the program, a migration that fails, the database away.
    pub async fn migrate(&self) -> Result<usize, MigrateError> {
        let count = self.run_migrations(MIGRATIONS).await?;
        self.ensure_partitions(2).await?;
        login::prepare(&mut *self.get().await?).await?;
        if planted::has(Bug::NoUniqueKey) {
            let text = "ALTER TABLE xm.letters DROP CONSTRAINT IF EXISTS letters_pkey, DROP CONSTRAINT IF EXISTS letters_sequence;
                        DROP INDEX IF EXISTS xm.entries_letter";
            self.get().await?.batch_execute(text).await?;
        }
        Ok(count)
    }

    /// Runs those of some migrations that are missing.
    pub(super) async fn run_migrations<S>(&self, migrations: S) -> Result<usize, MigrateError>
    where
        S: MigrationSource<Pg> + Send + Sync + 'static,
    {
        let mut connection = self.connect_alone().await?;
        let Number { number } = diesel::sql_query("SELECT current_setting('server_version_num')::integer AS number")
            .get_result(&mut connection)
            .await?;
        let found = number / 10_000;
        if i64::from(found) < i64::from(MAJOR_MIN) {
            return Err(MigrateError::PostgresTooOld { found });
        }
        // A migration may take its time, and so may waiting for the replica that is at it.
        connection.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0").await?;
        // Asked for again and again, not waited for: whoever waits in a statement holds a snapshot, for whose end an index that
        // is made concurrently waits, and neither would ever come to it.
        while !try_lock(&mut connection).await? {
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        // The bookkeeping of migrations lies beside what it describes, not in `public`.
        // Where an administrator made the schema, our login need not be allowed to make any.
        let missing = diesel::sql_query("SELECT 1 AS number WHERE to_regnamespace('xm') IS NULL")
            .get_result::<Number>(&mut connection)
            .await
            .optional()?;
        if missing.is_some() {
            connection.batch_execute("CREATE SCHEMA xm").await?;
        }
        connection.batch_execute("SET search_path = xm").await?;
        let applied = applied_versions(&mut connection).await?;
        refuse_newer(&applied, &versions(&migrations)?)?;
        drop_invalid_indexes(&mut connection).await?;
        // The harness is synchronous: on a thread of its own, since it would block an actor's runtime.
        // The connection closes when the closure returns, and frees the advisory lock however that happens.
        let count = tokio::task::spawn_blocking(move || {
            let mut harness = AsyncConnectionWrapper::<AsyncPgConnection>::from(connection);
            harness
                .run_pending_migrations(migrations)
                .map(|run| run.len())
                .map_err(|error| MigrateError::Failed(error.to_string()))
        })
        .await??;
        Ok(count)
    }

    /// Refuses a database that a newer program has changed, or that this program has not brought up to date yet: whoever reads or
    /// changes it all the same sees columns that are missing, or leaves out what the newer one has added. A database in which no
    /// program has been is neither.
    ///
    /// # Errors
    /// [`MigrateError::DatabaseNewer`], [`MigrateError::DatabaseOlder`], the database away.
    pub async fn require_current_schema(&self) -> Result<(), MigrateError> {
        let mut connection = self.get().await?;
        let applied = applied_versions(&mut connection).await?;
        if applied.is_empty() {
            return Ok(());
        }
        let known = versions(&MIGRATIONS)?;
        refuse_newer(&applied, &known)?;
        match known.iter().filter(|known| !applied.contains(known)).count() {
            0 => Ok(()),
            missing => Err(MigrateError::DatabaseOlder { missing }),
        }
    }

    /// Makes the monthly partitions of journal and originals, from this month on.
    ///
    /// # Errors
    /// The database away, or a default partition that already holds rows of such a month.
    pub async fn ensure_partitions(&self, months_ahead: i32) -> Result<(), Fault> {
        let mut connection = self.get().await?;
        diesel::sql_query("SELECT xm.ensure_partitions($1)")
            .bind::<Integer, _>(months_ahead)
            .execute(&mut connection)
            .await?;
        Ok(())
    }
}

/// Lists the migrations that were run, the newest first; none where no program has been.
async fn applied_versions(connection: &mut AsyncPgConnection) -> Result<Vec<String>, MigrateError> {
    let exists: Vec<Version> = diesel::sql_query(
        "SELECT relname::text AS version FROM pg_class WHERE oid = to_regclass('xm.__diesel_schema_migrations')",
    )
    .load(connection)
    .await?;
    if exists.is_empty() {
        return Ok(Vec::new());
    }
    let applied: Vec<Version> =
        diesel::sql_query("SELECT version::text FROM xm.__diesel_schema_migrations ORDER BY version DESC")
            .load(connection)
            .await?;
    Ok(applied.into_iter().map(|applied| applied.version).collect())
}

/// Takes the lock of whoever migrates, unless another has it. It is freed with the connection.
async fn try_lock(connection: &mut AsyncPgConnection) -> Result<bool, MigrateError> {
    let taken = diesel::sql_query("SELECT 1 AS number WHERE pg_try_advisory_lock($1)")
        .bind::<BigInt, _>(MIGRATION_LOCK)
        .get_result::<Number>(connection)
        .await
        .optional()?;
    Ok(taken.is_some())
}

/// Drops what interrupted migrations left behind: under their names the next try would find something else than it makes. Nobody
/// makes an index of the control schema now, since nobody else has the lock.
async fn drop_invalid_indexes(connection: &mut AsyncPgConnection) -> Result<(), MigrateError> {
    let invalid: Vec<Version> = diesel::sql_query(
        "SELECT format('%I.%I', n.nspname, c.relname) AS version
           FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE NOT i.indisvalid AND n.nspname = 'xm' AND c.relkind = 'i'",
    )
    .load(connection)
    .await?;
    for Version { version: index } in invalid {
        tracing::warn!(index, "an interrupted migration left this index behind: it is dropped, and made anew");
        connection.batch_execute(&format!("DROP INDEX CONCURRENTLY {index}")).await?;
    }
    Ok(())
}

fn refuse_newer(applied: &[String], known: &[String]) -> Result<(), MigrateError> {
    match applied.iter().find(|applied| !known.contains(applied)) {
        Some(found) => Err(MigrateError::DatabaseNewer { found: found.clone() }),
        None => Ok(()),
    }
}

fn versions(source: &impl MigrationSource<Pg>) -> Result<Vec<String>, MigrateError> {
    let migrations: Vec<Box<dyn Migration<Pg>>> =
        source.migrations().map_err(|error| MigrateError::Failed(error.to_string()))?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}
