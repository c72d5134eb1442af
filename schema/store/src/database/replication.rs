//! Counts the standbys that PostgreSQL reports.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::RunQueryDsl;

use super::Database;
use super::fault::Fault;

/// Result of counting the standbys that commits wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standbys {
    /// Number of connected synchronous standbys. A commit waits for at least one of them.
    Synchronous(i64),
    /// The login lacks the role `pg_read_all_stats`, so PostgreSQL does not show it the standbys, and their number is unknown.
    Hidden,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Bool)]
    is_shown: bool,
    #[diesel(sql_type = BigInt)]
    synchronous: i64,
}

impl Database {
    /// Counts the connected standbys that commits wait for.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn standbys(&self) -> Result<Standbys, Fault> {
        let mut connection = self.get().await?;
        let row: Row = diesel::sql_query(
            "SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS is_shown,
                    count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) AS synchronous
               FROM pg_stat_replication",
        )
        .get_result(&mut connection)
        .await?;
        Ok(if row.is_shown { Standbys::Synchronous(row.synchronous) } else { Standbys::Hidden })
    }
}
