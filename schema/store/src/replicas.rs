//! Replicas: the processes that serve the centre together. Each replica writes a sign of life into the database every [`SEEN_EVERY`].
//!
//! All times are the database's, so the clocks of the replicas' hosts need not agree. If a replica gives no sign for [`DEAD_AFTER`], the
//! others treat it as dead: they end its leases, and share its mailboxes among themselves ([`assigned()`]). The replica may only have been
//! frozen. When it continues, it finds its leases taken. Until then, both it and the new holder may settle the same letters; settling
//! recognises a letter that has a verdict already. So a wrong assignment of leases costs double work, and never a wrong result.

use std::time::Duration;

use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};
use crate::letters::{in_hand, outbox};

mod assigned;
mod list;
#[cfg(test)]
mod tests;

pub use assigned::{Assignment, LiveReplica, assigned};
pub use list::{ListedReplica, list};

/// Time between two signs of life.
pub const SEEN_EVERY: Duration = Duration::from_secs(5);
/// Time without a sign of life after which the others treat a replica as dead.
pub const DEAD_AFTER: Duration = Duration::from_secs(15);
/// Time for which a replica that has ended stays in the list.
const LISTED_AFTER_ITS_END: &str = "1 day";

/// A replica, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Identity of the process, which stays the same across restarts.
    pub process: Uuid,
    /// One run of the process, from its start to its end.
    pub life: Uuid,
    /// Name that the operator gave the process, or its host's name.
    pub name: String,
    /// Name of the host.
    pub host: String,
    /// Boot id of the host's kernel.
    pub boot: String,
    /// Path of the process's data folder.
    pub data_folder: String,
    /// Version of the program.
    pub version: String,
    /// Leases that the process may take.
    pub leases: Vec<String>,
    /// Digest of the settings that should be the same for all replicas.
    pub configuration: String,
}

/// Result of a replica's entry in the list of replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The replica is entered, and may work.
    Entered,
    /// Another running program has the same identity: its data folder was copied, or two processes were given one name.
    Twin(Twin),
}

/// The other program with the same identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// Name of the other program's host.
    pub host: String,
    /// Path of the other program's data folder.
    pub data_folder: String,
}

/// Enters a replica that starts. It must be the only running program of its identity, so it is not entered while an earlier run of the same
/// process seems to be alive. That run does not count if it has ended or is dead, or if it had the same data folder on the same running
/// host: the new run holds the lock of this folder, so the earlier one must have ended.
///
/// # Errors
/// A fault of the database.
pub async fn enter(connection: &mut AsyncPgConnection, replica: &Replica) -> Result<Entry, Fault> {
    tell(connection, replica, false, true).await
}

/// Writes a sign of life of a replica, and whether it is draining, that is, finishing its work before it ends. A replica that was treated
/// as dead is alive again.
///
/// # Errors
/// A fault of the database.
pub async fn beat(connection: &mut AsyncPgConnection, replica: &Replica, drains: bool) -> Result<Entry, Fault> {
    tell(connection, replica, drains, false).await
}

async fn tell(
    connection: &mut AsyncPgConnection,
    replica: &Replica,
    drains: bool,
    is_start: bool,
) -> Result<Entry, Fault> {
    let text = "INSERT INTO xm.replicas AS r (process, life, name, host, boot, data_folder, version, configuration, leases, drains)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (process) DO UPDATE
            SET life = excluded.life, name = excluded.name, host = excluded.host, boot = excluded.boot,
                data_folder = excluded.data_folder, version = excluded.version, configuration = excluded.configuration,
                leases = excluded.leases, drains = excluded.drains, seen_at = now(), gone_at = NULL,
                started_at = CASE WHEN r.life = excluded.life THEN r.started_at ELSE now() END
          WHERE r.life = excluded.life OR r.gone_at IS NOT NULL OR r.seen_at < now() - make_interval(secs => ?::double precision)
             OR (?::boolean AND (r.host, r.boot, r.data_folder) = (excluded.host, excluded.boot, excluded.data_folder))
         RETURNING process";
    let binds = [
        Bind::Uuid(replica.process),
        Bind::Uuid(replica.life),
        Bind::Text(&replica.name),
        Bind::Text(&replica.host),
        Bind::Text(&replica.boot),
        Bind::Text(&replica.data_folder),
        Bind::Text(&replica.version),
        Bind::Text(&replica.configuration),
        Bind::Texts(replica.leases.iter().map(|lease| Some(lease.as_str())).collect()),
        Bind::Boolean(drains),
        Bind::seconds(DEAD_AFTER),
        Bind::Boolean(is_start),
    ];
    let told: Vec<Uuid> = Statement::<SqlUuid>::new(text, &binds).load(connection).await?;
    if !told.is_empty() {
        return Ok(Entry::Entered);
    }
    let other = "SELECT host, data_folder FROM xm.replicas WHERE process = ?";
    let rows: Vec<(String, String)> =
        Statement::<(Text, Text)>::new(other, &[Bind::Uuid(replica.process)]).load(connection).await?;
    // If the row is missing, it was deleted after the first statement, which the running program blocked. The twin is then reported without
    // its place, and the next attempt succeeds.
    let (host, data_folder) = rows.into_iter().next().unwrap_or_default();
    Ok(Entry::Twin(Twin { host, data_folder }))
}

/// Records that a replica has ended, and ends its leases.
///
/// # Errors
/// A fault of the database.
pub async fn leave(connection: &mut AsyncPgConnection, replica: &Replica) -> Result<(), Fault> {
    let text = "UPDATE xm.replicas SET gone_at = now() WHERE process = ? AND life = ?";
    let binds = [Bind::Uuid(replica.process), Bind::Uuid(replica.life)];
    if Statement::<()>::new(text, &binds).execute(connection).await? > 0 {
        free(connection, replica.process).await?;
        in_hand::adopt_pushed(connection, replica.process).await?;
    }
    Ok(())
}

/// Ends the leases of a replica.
async fn free(connection: &mut AsyncPgConnection, process: Uuid) -> Result<(), Fault> {
    let text = "UPDATE xm.leases SET held_until = now() WHERE holder = ? AND held_until > now()";
    Statement::<()>::new(text, &[Bind::Uuid(process)]).execute(connection).await?;
    Ok(())
}

/// Finds replicas that are dead, ends their leases of mailboxes and of answers, and returns their identities. Also deletes replicas that
/// ended more than a day ago.
///
/// # Errors
/// A fault of the database.
pub async fn bury(connection: &mut AsyncPgConnection) -> Result<Vec<Uuid>, Fault> {
    connection
        .transaction(async |connection| {
            // Several replicas may find the same dead replica. The one that locks its row does the work; the others skip the locked row.
            let text = format!(
                "WITH forgotten AS (DELETE FROM xm.replicas WHERE gone_at < now() - interval '{LISTED_AFTER_ITS_END}'),
                      dead AS (SELECT process FROM xm.replicas
                                WHERE gone_at IS NULL AND seen_at < now() - make_interval(secs => ?::double precision)
                                  FOR UPDATE SKIP LOCKED)
                 UPDATE xm.replicas r SET gone_at = now() FROM dead WHERE r.process = dead.process RETURNING r.process"
            );
            let dead: Vec<Uuid> =
                Statement::<SqlUuid>::new(&text, &[Bind::seconds(DEAD_AFTER)]).load(connection).await?;
            for process in &dead {
                free(connection, *process).await?;
                outbox::release(connection, *process).await?;
                in_hand::adopt_pushed(connection, *process).await?;
            }
            Ok(dead)
        })
        .await
}

/// Lists the replicas to which leases may be assigned now. A program of the former version has no row. It counts as alive while it holds a
/// lease, and as able to take only the leases that it holds.
///
/// # Errors
/// A fault of the database.
pub async fn live(connection: &mut AsyncPgConnection) -> Result<Vec<LiveReplica>, Fault> {
    let text = "SELECT process, leases FROM xm.replicas
                 WHERE gone_at IS NULL AND NOT drains AND seen_at > now() - make_interval(secs => ?::double precision)
                UNION ALL
                SELECT l.holder, array_agg(l.name ORDER BY l.name) FROM xm.leases l
                 WHERE l.held_until > now() AND NOT EXISTS (SELECT FROM xm.replicas r WHERE r.process = l.holder)
                 GROUP BY l.holder";
    let rows: Vec<(Uuid, Vec<String>)> =
        Statement::<(SqlUuid, Array<Text>)>::new(text, &[Bind::seconds(DEAD_AFTER)]).load(connection).await?;
    Ok(rows.into_iter().map(|(process, leases)| LiveReplica { process, leases }).collect())
}
