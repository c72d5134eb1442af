//! Whether committed data is archived, as far as PostgreSQL itself knows. Backups by other tools are not visible to PostgreSQL.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Timestamptz};
use diesel_async::RunQueryDsl;

use super::Database;
use crate::database::fault::Fault;

/// The state of the WAL archive, from `pg_stat_archiver`.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Archiving {
    /// Whether WAL is archived at all (`archive_mode`).
    #[diesel(sql_type = Bool)]
    pub is_on: bool,
    /// Time when a WAL segment was last archived.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub archived_at: Option<DateTime<Utc>>,
    /// Time when archiving last failed.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub failed_at: Option<DateTime<Utc>>,
    /// Number of failures since the statistics were last reset.
    #[diesel(sql_type = BigInt)]
    pub failures: i64,
}

impl Database {
    /// Reads how far WAL is archived.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn archiving(&self) -> Result<Archiving, Fault> {
        let text = "SELECT current_setting('archive_mode') <> 'off' AS is_on, last_archived_time AS archived_at,
                           last_failed_time AS failed_at, failed_count AS failures FROM pg_stat_archiver";
        Ok(diesel::sql_query(text).get_result(&mut self.get().await?).await?)
    }
}
