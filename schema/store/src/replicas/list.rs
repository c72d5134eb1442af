//! The list of replicas for operators.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Bool, Double, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use uuid::Uuid;

use crate::database::statement::Statement;
use crate::error::AdministrationError;

/// A replica in the list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedReplica {
    /// Identity of the process.
    pub process: Uuid,
    /// Name that the operator gave the process, or its host's name.
    pub name: String,
    /// Name of the host.
    pub host: String,
    /// Version of the program.
    pub version: String,
    /// Digest of the settings that should be the same for all replicas.
    pub configuration: String,
    /// Whether the replica is draining, that is, finishing its work before it ends.
    pub drains: bool,
    /// Start of the replica's present run.
    pub started_at: DateTime<Utc>,
    /// Seconds since the replica's last sign of life.
    pub silent_seconds: f64,
    /// Time when the replica ended, or was found dead; `None` while it is alive.
    pub gone_at: Option<DateTime<Utc>>,
    /// Leases that the replica holds now.
    pub leases: Vec<String>,
}

type Row = (SqlUuid, Text, Text, Text, Text, Bool, Timestamptz, Double, Nullable<Timestamptz>, Array<Text>);
type Loaded = (Uuid, String, String, String, String, bool, DateTime<Utc>, f64, Option<DateTime<Utc>>, Vec<String>);

/// Lists the replicas by name: first those that run, then those that have ended. A replica that has ended stays in the list for about a
/// day, until another replica deletes its row.
///
/// # Errors
/// A fault of the database.
pub async fn list(connection: &mut AsyncPgConnection) -> Result<Vec<ListedReplica>, AdministrationError> {
    let text = "SELECT r.process, r.name, r.host, r.version, r.configuration, r.drains, r.started_at,
                       extract(epoch FROM now() - r.seen_at)::double precision, r.gone_at,
                       ARRAY(SELECT l.name FROM xm.leases l WHERE l.holder = r.process AND l.held_until > now() ORDER BY l.name)
                  FROM xm.replicas r ORDER BY r.gone_at IS NOT NULL, r.name, r.process";
    let rows: Vec<Loaded> = Statement::<Row>::new(text, &[]).load(connection).await?;
    let listed = rows.into_iter().map(|row| {
        let (process, name, host, version, configuration, drains, started_at, silent_seconds, gone_at, leases) = row;
        ListedReplica {
            process,
            name,
            host,
            version,
            configuration,
            drains,
            started_at,
            silent_seconds,
            gone_at,
            leases,
        }
    });
    Ok(listed.collect())
}
