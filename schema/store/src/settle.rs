//! The settling transaction: a batch of letters becomes rows, entries, journal lines and receipts, or nothing at all.
//!
//! ```text
//! Arrival ──judge──▶ Judged ──decide──▶ Decision ──rows──▶ Written ──post──▶ Settled (committed)
//!          no database        under the agencies' locks      open transaction
//! ```
//!
//! Promises (SPEC 4): exactly once, because the verdict's row is unique and lies in the same transaction as its effects;
//! no partial letter; letters of one installation in the order of their sequence numbers; a fault commits nothing and
//! burns nothing. Duplicates and lack of credit are decisions, never errors, so they cost no rollback.

mod arrival;
mod decide;
mod held;
mod isolate;
mod judge;
mod open;
mod post;
mod quarantine;
mod reads;
mod rows;
mod verdict;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use diesel_async::AsyncPgConnection;
use futures_util::join;
use tokio::task::yield_now;

pub use arrival::{Arrival, Claimed, Content, Outcome, Source};
pub use post::{RefusedLetter, Settled};
pub use quarantine::entry_bytes;

use crate::catalogue::Catalogue;
use crate::database::Database;
use crate::fault::Fault;
use crate::signers;
use decide::{Decision, Knowledge};
use judge::Judged;
use open::OpenTransaction;
use reads::Standing;
use rows::Inserted;

/// Rounds of decide and insert before a batch is given up as a fault. Each round removes at least one letter's rows.
const ROUNDS_MAX: usize = 50;

/// What settling is told by configuration.
#[derive(Clone, Debug)]
pub struct SettlingSettings {
    /// Bytes kept for containers whose sender nobody vouches for, shared by reason.
    pub stranger_bytes_max: u64,
    /// Bytes kept of an over-size mail.
    pub over_size_bytes_kept: usize,
}

impl Default for SettlingSettings {
    fn default() -> SettlingSettings {
        SettlingSettings { stranger_bytes_max: 1 << 30, over_size_bytes_kept: 16 * 1024 }
    }
}

/// Settles batches. Cheap to share; holds a copy of the catalogue that every transaction checks for staleness.
pub struct Settler {
    database: Database,
    settings: SettlingSettings,
    catalogue: ArcSwapOption<Catalogue>,
}

/// A batch whose rows are written in a transaction that is still open. Dropping it rolls back and closes the connection.
pub struct Written {
    transaction: OpenTransaction,
    batch: Vec<Arrival>,
    decisions: Vec<Decision>,
    standing: Standing,
    catalogue: Arc<Catalogue>,
    settings: SettlingSettings,
}

/// A batch that met a fault: nothing of it is committed.
#[derive(Debug)]
pub struct Unsettled {
    /// What was wrong with the world.
    pub fault: Fault,
    /// The batch, whole.
    pub batch: Vec<Arrival>,
}

impl Settler {
    /// Makes a settler.
    pub fn new(database: Database, settings: SettlingSettings) -> Settler {
        Settler { database, settings, catalogue: ArcSwapOption::empty() }
    }

    /// Opens the transaction, decides every letter and writes the rows of those accepted.
    ///
    /// # Errors
    /// [`Unsettled`] with the batch; the transaction is gone.
    pub async fn write(&self, batch: Vec<Arrival>) -> Result<Written, Unsettled> {
        match self.try_write(&batch).await {
            Ok((transaction, decisions, standing, catalogue)) => {
                Ok(Written { transaction, batch, decisions, standing, catalogue, settings: self.settings.clone() })
            }
            Err(fault) => Err(Unsettled { fault, batch }),
        }
    }

    async fn try_write(
        &self,
        batch: &[Arrival],
    ) -> Result<(OpenTransaction, Vec<Decision>, Standing, Arc<Catalogue>), Fault> {
        let mut connection = self.database.get().await?;
        let mut catalogue = self.catalogue(&mut connection).await?;
        let mut transaction = OpenTransaction::on(connection);
        // Letters are judged while PostgreSQL takes the locks, which are held for as long: those who also want them are
        // operators who change the agency, and another process that settles for it.
        let judging = async {
            yield_now().await;
            batch.iter().map(|arrival| judge::judge(arrival, &catalogue)).collect()
        };
        let locking = Standing::lock(transaction.shared(), batch);
        let (begun, standing, mut judged): (_, _, Vec<Judged>) = join!(transaction.begin(), locking, judging);
        begun?;
        let mut standing = standing?;
        let connection = transaction.connection();
        if standing.catalogue_revision != catalogue.revision {
            catalogue = self.reload_catalogue(connection).await?;
            judged = batch.iter().map(|arrival| judge::judge(arrival, &catalogue)).collect();
        }
        rejudge_stale(connection, batch, &mut judged, &standing, &catalogue).await?;
        standing.read_by_keys(connection, batch, &judged).await?;

        let mut knowledge = Knowledge::default();
        for _round in 0..ROUNDS_MAX {
            let decisions = decide::decide(batch, &judged, &standing, &catalogue, &knowledge);
            let rows = rows::insert(transaction.shared(), batch, &decisions);
            let (saved, inserted) = join!(transaction.savepoint(), rows);
            saved?;
            match inserted? {
                Inserted::All => return Ok((transaction, decisions, standing, catalogue)),
                Inserted::SomeAreHeld => {
                    transaction.roll_back_to_savepoint().await?;
                    let held = held::look_up(transaction.connection(), batch, &decisions).await?;
                    if !knowledge.learn(held) {
                        // Held, but neither by identity nor by legal key: a unique index that the operators added.
                        let offenders = isolate::find_offenders(&mut transaction, batch, &decisions).await?;
                        knowledge.blame(offenders)?;
                    }
                }
                Inserted::Refused => {
                    transaction.roll_back_to_savepoint().await?;
                    let offenders = isolate::find_offenders(&mut transaction, batch, &decisions).await?;
                    knowledge.blame(offenders)?;
                }
            }
        }
        Err(Fault::Bug(
            "a batch could not be settled in a bounded number of rounds: report this with the database's log"
                .to_owned(),
        ))
    }

    async fn catalogue(&self, connection: &mut AsyncPgConnection) -> Result<Arc<Catalogue>, Fault> {
        match self.catalogue.load_full() {
            Some(catalogue) => Ok(catalogue),
            None => self.reload_catalogue(connection).await,
        }
    }

    async fn reload_catalogue(&self, connection: &mut AsyncPgConnection) -> Result<Arc<Catalogue>, Fault> {
        let catalogue = Arc::new(Catalogue::load(connection).await?);
        self.catalogue.store(Some(Arc::clone(&catalogue)));
        Ok(catalogue)
    }
}

/// Judges again the letters whose agency has changed since its signer was cached.
async fn rejudge_stale(
    connection: &mut AsyncPgConnection,
    batch: &[Arrival],
    judged: &mut [Judged],
    standing: &Standing,
    catalogue: &Catalogue,
) -> Result<(), Fault> {
    let is_stale = |arrival: &&Arrival| {
        arrival.signer().is_some_and(|signer| standing.revision(signer.matricule) != Some(signer.revision))
    };
    let stale: Vec<i32> = batch
        .iter()
        .filter(is_stale)
        .filter_map(|arrival| arrival.signer().map(|signer| signer.certificate_id))
        .collect();
    if stale.is_empty() {
        return Ok(());
    }
    let fresh: HashMap<_, _> = signers::reload(connection, &stale).await?;
    for (arrival, judged) in batch.iter().zip(judged) {
        if let Some(signer) = arrival.signer().and_then(|signer| fresh.get(&signer.certificate_id)) {
            *judged = judge::judge_for(arrival, signer, catalogue);
        }
    }
    Ok(())
}
