//! What the centre tells offices by itself, hour by hour, for as long as it is polled. What is queued leaves as answers do.

use std::time::Duration;

use store::agencies::profiles;
use store::certificates::ending;
use store::database::Database;
use store::database::fault::Fault;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Tells offices whose certificate ends, at the start and every hour. Of several programs of a centre each looks, and one tells.
pub async fn tell_hourly(database: Database) {
    let mut hours = tokio::time::interval(HOUR);
    loop {
        hours.tick().await;
        match tell(&database).await {
            Ok(0) => {}
            Ok(notices) => tracing::info!(notices, "offices are told that their certificates end"),
            Err(fault) => {
                tracing::warn!(%fault, "offices whose certificates end could not be told; trying again in an hour");
            }
        }
    }
}

/// Tells offices, minute by minute, what cannot wait for an hour: that their address has been changed. Of several programs of a centre
/// each looks, and one tells.
pub async fn tell_minutely(database: Database) {
    let mut minutes = tokio::time::interval(MINUTE);
    loop {
        minutes.tick().await;
        match tell_changes(&database).await {
            Ok(0) => {}
            Ok(notices) => tracing::info!(notices, "offices are told that their profiles were changed"),
            // What takes no letters is told of elsewhere, once.
            Err(fault) => tracing::debug!(%fault, "offices whose profiles were changed could not be told; trying again in a minute"),
        }
    }
}

async fn tell_changes(database: &Database) -> Result<usize, Fault> {
    profiles::tell(&mut *database.get().await?).await
}

async fn tell(database: &Database) -> Result<usize, Fault> {
    ending::tell(&mut *database.get().await?).await
}
