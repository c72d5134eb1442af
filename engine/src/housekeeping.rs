//! Work that one replica does for all replicas: it makes the database partitions of the coming months, and deletes parts of answers that
//! nobody needs any more. A lease decides which replica this is; the loops of [`crate::notices`] use the same lease.

use std::time::Duration;

use store::centre;
use store::database::Database;
use store::database::fault::Fault;
use store::letters::leases::{self, Lease};
use store::letters::outbox;
use store::reading::staging;
use uuid::Uuid;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Number of months ahead for which partitions are made.
const MONTHS_AHEAD: i32 = 2;
/// Name of the lease.
const LEASE: &str = "housekeeping";
/// Time for which the lease is held; it is renewed every minute. The lease of a replica is freed when the replica ends or is found dead.
const HOLD: Duration = Duration::from_secs(180);

/// The centre's database, and the process that would do the work.
#[derive(Clone)]
pub struct Housekeeper {
    /// The database.
    pub database: Database,
    /// Identity of the process.
    pub process: Uuid,
}

impl Housekeeper {
    /// Takes or renews the lease of the work, and says whether this process has it. It does no harm if two replicas do the work, or if none
    /// does it for some minutes.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn has_work(&self) -> Result<bool, Fault> {
        let mut connection = self.database.get().await?;
        let lease = leases::take(&mut connection, LEASE, self.process, HOLD, true).await?;
        Ok(lease != Lease::Elsewhere)
    }
}

/// Works once a day. Records this process's own addresses, as every replica does. The replica that has the lease also makes the database
/// partitions of the coming months, and deletes parts of answers that are older than 14 days; receipts are kept.
pub async fn work_daily(housekeeper: Housekeeper, own_addresses: Vec<String>) {
    let database = &housekeeper.database;
    loop {
        tokio::time::sleep(DAY).await;
        if let Err(fault) = recorded(database, &own_addresses).await {
            tracing::warn!(%fault, "the centre's own addresses could not be written down; trying again tomorrow");
        }
        if !housekeeper.has_work().await.unwrap_or(true) {
            continue;
        }
        if let Err(fault) = database.ensure_partitions(MONTHS_AHEAD).await {
            tracing::warn!(%fault, "the coming months' partitions could not be made; trying again tomorrow");
        }
        if let Err(fault) = forgotten(database).await {
            tracing::warn!(%fault, "old parts of answers could not be forgotten; trying again tomorrow");
        }
    }
}

async fn recorded(database: &Database, own_addresses: &[String]) -> Result<(), Fault> {
    centre::addresses::record(&mut *database.get().await?, own_addresses).await
}

async fn forgotten(database: &Database) -> Result<usize, Fault> {
    let mut connection = database.get().await?;
    Ok(outbox::forget_parts(&mut connection).await? + staging::forget(&mut connection).await?)
}
