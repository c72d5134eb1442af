//! What the centre tells offices by itself, for as long as it is polled. What is queued leaves as answers do. Of several programs of a
//! centre each looks, and one tells.

use std::time::Duration;

use store::agencies::profiles;
use store::certificates::ending;
use store::database::Database;
use store::database::fault::Fault;
use store::letters::{messages, notices, telling};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Tells, at the start and every hour, offices whose certificate ends and of certificates that the centre is about to sign with, and sends
/// again what offices do not say that they have seen; and every hour of tables as they become, since at the start letters that waited come
/// first.
pub async fn tell_hourly(database: Database) {
    let mut hours = tokio::time::interval(HOUR);
    let mut is_start = true;
    loop {
        hours.tick().await;
        match tell(&database, std::mem::take(&mut is_start)).await {
            Ok(0) => {}
            Ok(notices) => tracing::info!(notices, "offices are told of certificates and tables"),
            Err(fault) => {
                tracing::warn!(%fault, "offices could not be told of certificates and tables; trying again in an hour");
            }
        }
        match send_again(&database).await {
            Ok(0) => {}
            Ok(notices) => tracing::info!(notices, "what offices have not seen is sent again"),
            Err(fault) => {
                tracing::warn!(%fault, "what offices have not seen could not be sent again; trying again in an hour");
            }
        }
    }
}

/// Tells, minute by minute, what cannot wait for an hour: that an address was changed, and broadcasts that were interrupted.
pub async fn tell_minutely(database: Database) {
    let mut minutes = tokio::time::interval(MINUTE);
    loop {
        minutes.tick().await;
        match tell_at_once(&database).await {
            Ok(0) => {}
            Ok(notices) => tracing::info!(notices, "offices are told of their profiles, or of a broadcast"),
            // What takes no letters is told of elsewhere, once.
            Err(fault) => tracing::debug!(%fault, "offices could not be told; trying again in a minute"),
        }
    }
}

async fn tell(database: &Database, is_start: bool) -> Result<usize, Fault> {
    let mut connection = database.get().await?;
    let told = ending::tell(&mut connection).await? + telling::centre_certificates(&mut connection).await?;
    if is_start {
        return Ok(told);
    }
    Ok(told + telling::definitions(&mut connection).await?)
}

async fn send_again(database: &Database) -> Result<usize, Fault> {
    let mut connection = database.get().await?;
    while notices::forget_seen(&mut connection).await? > 0 {}
    notices::send_again(&mut connection).await
}

async fn tell_at_once(database: &Database) -> Result<usize, Fault> {
    let mut connection = database.get().await?;
    let mut told = profiles::tell(&mut connection).await?;
    while let Some(step) = messages::go_on(&mut connection, None).await? {
        if step.is_ended {
            told += usize::try_from(step.told).unwrap_or_default();
        }
    }
    Ok(told)
}
