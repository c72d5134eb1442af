//! The epoch of the database. An office asks for the records that changed since a position (`changed_since`). A position counts
//! transactions within one epoch; a restored database begins a new epoch.

use diesel::sql_types::Integer;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::database::fault::Fault;
use crate::database::statement::Statement;

/// Returns the number of the present epoch. A new epoch begins when the identifier of the cluster or its timeline has changed. This means
/// that the database was restored, or that a standby took over, which may lack the last transactions. Positions of earlier epochs are then
/// no longer valid.
///
/// # Errors
/// A fault of the database.
pub async fn epoch(connection: &mut AsyncPgConnection) -> Result<u32, Fault> {
    let text = "WITH now AS (SELECT s.system_identifier || '/' || c.timeline_id AS life
                               FROM pg_control_system() s, pg_control_checkpoint() c),
                     last AS (SELECT epoch, life FROM xm.epochs ORDER BY epoch DESC LIMIT 1),
                     begun AS (INSERT INTO xm.epochs (epoch, life)
                               SELECT coalesce((SELECT epoch FROM last), 0) + 1, now.life FROM now
                                WHERE now.life IS DISTINCT FROM (SELECT life FROM last)
                               ON CONFLICT DO NOTHING RETURNING epoch)
                SELECT coalesce((SELECT epoch FROM begun), (SELECT epoch FROM last), 1)";
    let rows: Vec<i32> = Statement::<Integer>::new(text, &[]).load(connection).await?;
    Ok(rows.into_iter().next().and_then(|epoch| u32::try_from(epoch).ok()).unwrap_or(1))
}
