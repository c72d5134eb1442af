//! Notices that the centre queues by itself, at intervals. They are sent in the same way as answers. One replica queues them for all
//! replicas ([`Housekeeper`]). If two replicas did, each notice would still be queued only once.

use std::time::Duration;

use store::agencies::profiles;
use store::certificates::ending;
use store::database::Database;
use store::database::fault::Fault;
use store::letters::{messages, notices, telling};

use crate::housekeeping::Housekeeper;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Queues notices at the start and every hour: about certificates of offices that end soon, about certificates with which the centre will
/// sign, and the notices that offices have not acknowledged. At the start no table definitions are queued, so that the letters that wait
/// come first. The definitions follow every hour, and a changed definition follows within a minute ([`tell_minutely`]).
pub async fn tell_hourly(housekeeper: Housekeeper) {
    let mut hours = tokio::time::interval(HOUR);
    let mut is_start = true;
    loop {
        hours.tick().await;
        // Only the first hour after the program's start counts as the start. A replica that takes over the lease later must queue the
        // definitions too, because some may have changed in between.
        let is_first = std::mem::take(&mut is_start);
        if !has_work(&housekeeper).await {
            continue;
        }
        let database = &housekeeper.database;
        match tell(database, is_first).await {
            Ok(0) => {}
            Ok(notices) => tracing::info!(notices, "offices are told of certificates and tables"),
            Err(fault) => {
                tracing::warn!(%fault, "offices could not be told of certificates and tables; trying again in an hour");
            }
        }
        match send_again(database).await {
            Ok(0) => {}
            Ok(notices) => tracing::info!(notices, "what offices have not seen is sent again"),
            Err(fault) => {
                tracing::warn!(%fault, "what offices have not seen could not be sent again; trying again in an hour");
            }
        }
    }
}

/// Queues, every minute, the notices that cannot wait for an hour: about changed profiles and about changed table definitions, without
/// which letters of offices may be refused. It also continues broadcasts that were interrupted.
pub async fn tell_minutely(housekeeper: Housekeeper) {
    let mut minutes = tokio::time::interval(MINUTE);
    let mut watch = telling::Watch::default();
    loop {
        minutes.tick().await;
        if !has_work(&housekeeper).await {
            continue;
        }
        match tell_at_once(&housekeeper.database, &mut watch).await {
            Ok(0) => {}
            Ok(notices) => tracing::info!(notices, "offices are told of their profiles, of tables, or of a broadcast"),
            // The level is debug, because other parts of the program already report that the database cannot be reached.
            Err(fault) => tracing::debug!(%fault, "offices could not be told; trying again in a minute"),
        }
    }
}

/// Says whether this replica has the lease of the work. While the database cannot be reached, no replica has it; other parts of the program
/// report that.
async fn has_work(housekeeper: &Housekeeper) -> bool {
    housekeeper.has_work().await.unwrap_or_else(|fault| {
        tracing::debug!(%fault, "it is not known which replica tells offices; trying again later");
        false
    })
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

async fn tell_at_once(database: &Database, watch: &mut telling::Watch) -> Result<usize, Fault> {
    let mut connection = database.get().await?;
    let mut told = profiles::tell(&mut connection).await? + watch.look(&mut connection).await?;
    while let Some(step) = messages::go_on(&mut connection, None).await? {
        if step.is_ended {
            told += usize::try_from(step.told).unwrap_or_default();
        }
    }
    Ok(told)
}
