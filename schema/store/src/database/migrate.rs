//! Migrations: they bring the control schema to this program's version. Any number of replicas may start at once.
//!
//! A published migration never changes. Programs of the former version continue to work while a migration runs (`-- expand`), and wait only
//! for its locks. Such programs may also start after the migration, since the database records the kind of each migration
//! (`compatibility`). Things that only older programs need are removed by a contraction (`-- contract since VERSION`), which waits until no
//! program older than VERSION is running. An index on a table that grows with the number of letters (`xm.letters`, `xm.originals`,
//! `xm.journal`, `xm.entries`, `xm.quarantine`, `xm.flags`) must not block writers for long. The index is therefore made CONCURRENTLY, in a
//! migration of one statement. The folder of that migration has a `metadata.toml` with `run_in_transaction = false`. PostgreSQL cannot make
//! such an index on a partitioned table: the migration uses `CREATE INDEX … ON ONLY` for the parent, one CONCURRENTLY for each partition,
//! and `ALTER INDEX … ATTACH PARTITION`. If a migration was interrupted, its invalid index is dropped before the next attempt.

use std::time::Duration;

use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::Database;
use super::compatibility::{self, CONTRACTIONS, Contraction};
use crate::database::fault::Fault;
use crate::planted::{self, Bug};
use crate::reading::login;
use cluster::MAJOR_MIN;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");
/// The advisory lock that a replica holds while it migrates: the letters "xmserver", read as a number.
const MIGRATION_LOCK: i64 = i64::from_be_bytes(*b"xmserver");

/// Pause between two attempts to take the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Reasons for which the schema is not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// PostgreSQL is older than the oldest supported version.
    #[error("the database is PostgreSQL {found}: {MAJOR_MIN} or newer is needed")]
    PostgresTooOld {
        /// Major version of PostgreSQL.
        found: i32,
    },
    /// A newer program has migrated the database.
    #[error(
        "the database has migration {found}, which this program does not know: install the newer xmserver that made it, or restore a backup"
    )]
    DatabaseNewer {
        /// Version of the migration that this program does not know.
        found: String,
    },
    /// The database lacks migrations of this program: it was last migrated by an older one.
    #[error(
        "the database lacks {missing} of this program's migrations: start `xmserver run` of this version, which runs them, and try again"
    )]
    DatabaseOlder {
        /// Number of missing migrations.
        missing: usize,
    },
    /// A migration failed. A migration in a transaction changed nothing; a migration with CONCURRENTLY may leave an invalid index, which
    /// the next attempt drops.
    #[error("a migration failed, and those before it stay: {0}")]
    Failed(String),
    /// The task that ran the migrations was ended.
    #[error("the migration was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
    /// The database cannot be reached, or refuses a statement.
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
    /// Runs the missing migrations, and makes the partitions of the coming months. Returns the number of migrations run.
    ///
    /// Any number of replicas may call `migrate` at once: one runs the migrations, the others wait and then find none missing.
    ///
    /// # Errors
    /// PostgreSQL older than 15; a database newer than the program; a migration that fails; a database that cannot be reached.
    pub async fn migrate(&self) -> Result<usize, MigrateError> {
        let count = self.run_migrations(MIGRATIONS, CONTRACTIONS).await?;
        self.ensure_partitions(2).await?;
        login::prepare(&mut *self.get().await?).await?;
        if planted::has(Bug::NoUniqueKey) {
            let text = "ALTER TABLE xm.letters DROP CONSTRAINT IF EXISTS letters_pkey, DROP CONSTRAINT IF EXISTS letters_sequence;
                        DROP INDEX IF EXISTS xm.entries_letter";
            self.get().await?.batch_execute(text).await?;
        }
        Ok(count)
    }

    /// Runs the migrations of a source that the database does not have yet. Returns their number.
    pub(super) async fn run_migrations<S>(
        &self,
        migrations: S,
        contractions: &'static [Contraction],
    ) -> Result<usize, MigrateError>
    where
        S: MigrationSource<Pg> + Send + Sync + 'static,
    {
        // Migrations, and the wait for another replica that migrates, may take longer than the usual limits.
        let mut connection = self.connect_without_limits().await?;
        let Number { number } = diesel::sql_query("SELECT current_setting('server_version_num')::integer AS number")
            .get_result(&mut connection)
            .await?;
        let found = number / 10_000;
        if i64::from(found) < i64::from(MAJOR_MIN) {
            return Err(MigrateError::PostgresTooOld { found });
        }
        // The lock is polled, since waiting in one statement could deadlock. A waiting statement holds a snapshot, and the replica that
        // makes an index concurrently waits for the end of all older snapshots.
        while !try_lock(&mut connection).await? {
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        // The table of applied migrations is in schema `xm`, not in `public`. The schema is created only if it is missing: if an
        // administrator has created it, the program's login may lack the right to create schemas.
        let missing = diesel::sql_query("SELECT 1 AS number WHERE to_regnamespace('xm') IS NULL")
            .get_result::<Number>(&mut connection)
            .await
            .optional()?;
        if missing.is_some() {
            connection.batch_execute("CREATE SCHEMA xm").await?;
        }
        connection.batch_execute("SET search_path = xm").await?;
        let applied = applied_versions(&mut connection).await?;
        let known = versions(&migrations)?;
        refuse_newer(&mut connection, &applied, &known).await?;
        let waiting = compatibility::waiting(&mut connection, contractions, &applied).await?;
        let recorded = compatibility::recorded(&known, contractions);
        drop_invalid_indexes(&mut connection).await?;
        // diesel's harness, which runs the migrations, is synchronous and would block the runtime, so it runs on a separate thread. The
        // connection closes when the closure returns or panics, and PostgreSQL then releases the advisory lock.
        let count = tokio::task::spawn_blocking(move || {
            let mut harness = AsyncConnectionWrapper::<AsyncPgConnection>::from(connection);
            let count = harness
                .run_pending_migrations(Without { source: migrations, left_out: waiting })
                .map(|run| run.len())
                .map_err(|error| MigrateError::Failed(error.to_string()))?;
            diesel::connection::SimpleConnection::batch_execute(&mut harness, &recorded)?;
            Ok::<usize, MigrateError>(count)
        })
        .await??;
        Ok(count)
    }

    /// Refuses a database that a newer program has migrated, or that lacks migrations of this program. On such a database a command would
    /// find columns missing, or would omit values that the newer version needs. A database without any migration is accepted.
    ///
    /// # Errors
    /// [`MigrateError::DatabaseNewer`], [`MigrateError::DatabaseOlder`]; a database that cannot be reached.
    pub async fn require_current_schema(&self) -> Result<(), MigrateError> {
        let mut connection = self.get().await?;
        let applied = applied_versions(&mut connection).await?;
        if applied.is_empty() {
            return Ok(());
        }
        let known = versions(&MIGRATIONS)?;
        refuse_newer(&mut connection, &applied, &known).await?;
        let may_wait = |version: &String| CONTRACTIONS.iter().any(|contraction| contraction.version == *version);
        match known.iter().filter(|known| !applied.contains(known) && !may_wait(known)).count() {
            0 => Ok(()),
            missing => Err(MigrateError::DatabaseOlder { missing }),
        }
    }

    /// Makes the monthly partitions of the journal and the originals, beginning with this month.
    ///
    /// # Errors
    /// The database cannot be reached, or a default partition already has rows of one of these months.
    pub async fn ensure_partitions(&self, months_ahead: i32) -> Result<(), Fault> {
        let mut connection = self.get().await?;
        diesel::sql_query("SELECT xm.ensure_partitions($1)")
            .bind::<Integer, _>(months_ahead)
            .execute(&mut connection)
            .await?;
        Ok(())
    }
}

/// Lists the applied migrations, newest first. The list is empty if no program has migrated the database.
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

/// Tries to take the advisory lock of migrations. Returns whether it was free; the lock ends with the connection.
async fn try_lock(connection: &mut AsyncPgConnection) -> Result<bool, MigrateError> {
    let taken = diesel::sql_query("SELECT 1 AS number WHERE pg_try_advisory_lock($1)")
        .bind::<BigInt, _>(MIGRATION_LOCK)
        .get_result::<Number>(connection)
        .await
        .optional()?;
    Ok(taken.is_some())
}

/// Drops the invalid indexes of interrupted migrations, since the next attempt would find their names in use. No other program makes an
/// index of the control schema now, since this program holds the lock.
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

/// Refuses a database with a migration that this program cannot work with.
async fn refuse_newer(
    connection: &mut AsyncPgConnection,
    applied: &[String],
    known: &[String],
) -> Result<(), MigrateError> {
    match compatibility::first_unknown(connection, applied, known).await? {
        Some(found) => Err(MigrateError::DatabaseNewer { found }),
        None => Ok(()),
    }
}

/// A source of migrations without some of them.
struct Without<S> {
    source: S,
    /// Versions of the migrations that are left out.
    left_out: Vec<String>,
}

impl<S: MigrationSource<Pg>> MigrationSource<Pg> for Without<S> {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<Pg>>>> {
        let mut migrations = self.source.migrations()?;
        migrations.retain(|migration| !self.left_out.contains(&migration.name().version().to_string()));
        Ok(migrations)
    }
}

fn versions(source: &impl MigrationSource<Pg>) -> Result<Vec<String>, MigrateError> {
    let migrations: Vec<Box<dyn Migration<Pg>>> =
        source.migrations().map_err(|error| MigrateError::Failed(error.to_string()))?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}
