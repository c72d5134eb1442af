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

mod apart;
mod arrival;
pub(crate) mod decide;
mod defaults;
mod empty;
mod flags;
mod gathered;
mod held;
mod isolate;
pub(crate) mod judge;
mod nobody;
mod open;
mod post;
mod reads;
mod retry;
mod rows;
pub(crate) mod statement;
mod verdict;
mod withheld;
mod work;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwapOption;
use diesel_async::AsyncPgConnection;
use futures_util::join;
use sdc::refusal::RefusalCode;
use tokio::task::yield_now;

pub use apart::Apart;
pub use arrival::{Arrival, Claimed, Content, Outcome, Source};
pub use post::{RefusedLetter, Settled};
pub use retry::{Retry, Tried};

use crate::certificates::signers::{self, Signer};
use crate::database::fault::Fault;
use crate::database::{Database, StatementLimits};
use crate::tables::catalogue::Catalogue;
use decide::{Decision, Knowledge};
use judge::Judged;
use open::OpenTransaction;
use reads::Standing;
use rows::Inserted;
use withheld::Withheld;
use work::Bodies;

/// Rounds of decide and insert before a batch is given up as a fault. Each round removes at least one letter's rows.
const ROUNDS_MAX: usize = 50;

/// What settling is told by configuration.
#[derive(Clone, Debug)]
pub struct SettlingSettings {
    /// Bytes kept of containers that are no letter of a known signer: shared by reason, with a room for mails that an agency vouches for.
    pub stranger_bytes_max: u64,
    /// Bytes kept of an over-size mail.
    pub over_size_bytes_kept: usize,
    /// Bytes, as JSON, of the versions held that one batch fetches where letters contradict them; each is cut to fit.
    pub held_bytes_max: usize,
}

impl Default for SettlingSettings {
    fn default() -> SettlingSettings {
        SettlingSettings { stranger_bytes_max: 1 << 30, over_size_bytes_kept: 16 * 1024, held_bytes_max: 512 << 10 }
    }
}

/// Shares of the total that mails have which an agency vouches for; each reason has one.
const VOUCHED_SHARES: u64 = 2;
/// Agencies that fill the room of such mails.
const AGENCIES_VOUCHED: u64 = 8;

impl SettlingSettings {
    /// Returns how many bytes may be kept for one reason, of containers whose sender nobody vouches for.
    pub fn stranger_bytes_of_reason(&self) -> u64 {
        let reasons = RefusalCode::ALL.iter().filter(|code| !code.is_answered()).count();
        self.stranger_bytes_max / (reasons as u64 + VOUCHED_SHARES)
    }

    /// Returns how many bytes may be kept of mails that agencies vouch for.
    pub fn vouched_bytes_max(&self) -> u64 {
        self.stranger_bytes_of_reason() * VOUCHED_SHARES
    }

    /// Returns how many of these one agency may vouch for.
    pub fn vouched_bytes_of_agency(&self) -> u64 {
        self.vouched_bytes_max() / AGENCIES_VOUCHED
    }
}

/// Settles batches. Cheap to share; holds a copy of the catalogue that every transaction checks for staleness.
pub struct Settler {
    database: Database,
    settings: SettlingSettings,
    catalogue: ArcSwapOption<Catalogue>,
    withheld: Arc<Withheld>,
}

/// A batch whose rows are written in a transaction that is still open. Dropping it rolls back and closes the connection.
pub struct Written {
    transaction: OpenTransaction,
    batch: Vec<Arrival>,
    decisions: Vec<Decision>,
    bodies: Bodies,
    standing: Standing,
    catalogue: Arc<Catalogue>,
    settings: SettlingSettings,
    withheld: Arc<Withheld>,
    /// Who had its letters tried again; absent where they have just come.
    retry: Option<Retry>,
}

/// A batch that met a fault: nothing of it is committed.
#[derive(Debug)]
pub struct Unsettled {
    /// What was wrong with the world.
    pub fault: Fault,
    /// The batch, whole; nothing of it where nobody knows whether it was committed.
    pub batch: Vec<Arrival>,
}

impl Settler {
    /// Makes a settler.
    pub fn new(database: Database, settings: SettlingSettings) -> Settler {
        Settler { database, settings, catalogue: ArcSwapOption::empty(), withheld: Arc::default() }
    }

    /// Opens the transaction, decides every letter and writes the rows of those accepted.
    ///
    /// # Errors
    /// [`Unsettled`] with the batch; the transaction is gone.
    pub async fn write(&self, batch: Vec<Arrival>) -> Result<Written, Unsettled> {
        self.write_as(batch, None).await
    }

    async fn write_as(&self, batch: Vec<Arrival>, retry: Option<Retry>) -> Result<Written, Unsettled> {
        match self.try_write(&batch, retry.is_some()).await {
            Ok((transaction, (decisions, bodies), standing, catalogue)) => {
                let (settings, withheld) = (self.settings.clone(), Arc::clone(&self.withheld));
                Ok(Written { transaction, batch, decisions, bodies, standing, catalogue, settings, withheld, retry })
            }
            Err(fault) => Err(Unsettled { fault, batch }),
        }
    }

    async fn try_write(
        &self,
        batch: &[Arrival],
        is_retry: bool,
    ) -> Result<(OpenTransaction, (Vec<Decision>, Bodies), Standing, Arc<Catalogue>), Fault> {
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
        defaults::fill(connection, &mut judged).await?;
        standing.read_by_keys(connection, batch, &judged).await?;

        let now = Instant::now();
        let (withheld, waiting) = (self.withheld.tables(catalogue.revision, now), self.withheld.letters(batch, now));
        let knowledge = Knowledge { withheld, waiting, is_retry, ..Knowledge::default() };
        let decided = self.insert_rows(&mut transaction, batch, &judged, &standing, &catalogue, knowledge).await?;
        Ok((transaction, decided, standing, catalogue))
    }

    /// Decides, inserts, and decides anew with what was learnt, until every row that was decided on is in its table, and what
    /// answers give beside their receipts is read.
    async fn insert_rows(
        &self,
        transaction: &mut OpenTransaction,
        batch: &[Arrival],
        judged: &[Judged],
        standing: &Standing,
        catalogue: &Catalogue,
        mut knowledge: Knowledge,
    ) -> Result<(Vec<Decision>, Bodies), Fault> {
        for _round in 0..ROUNDS_MAX {
            let decisions = decide::decide(batch, judged, standing, catalogue, &knowledge);
            let rows = rows::insert(transaction.shared(), batch, &decisions, self.database.limits());
            let (saved, inserted) = join!(transaction.savepoint(self.limits(batch, &decisions)), rows);
            saved?;
            let cause = match inserted {
                Inserted::All => {
                    self.withheld.taken(tables_of(&decisions));
                    match work::bodies(transaction.shared(), batch, &decisions, catalogue).await {
                        Ok(bodies) => return Ok((decisions, bodies)),
                        Err((at, fault)) => {
                            knowledge.waiting.insert(at);
                            self.withhold_letter(transaction, &batch[at], &fault).await?;
                            continue;
                        }
                    }
                }
                Inserted::Failed(fault) => Some(fault),
                Inserted::SomeAreHeld | Inserted::Refused => None,
            };
            // Where the connection is gone, what it was lost with tells more.
            let rolled_back = transaction.roll_back_to_savepoint().await;
            rolled_back.map_err(|lost| cause.clone().filter(Fault::is_away).unwrap_or(lost))?;
            if let Some(fault) = &cause
                && self.withhold_broken(transaction, batch, &decisions, catalogue, &mut knowledge, fault).await?
            {
                continue;
            }
            if self.learn_held(transaction, batch, &decisions, catalogue, &mut knowledge).await? {
                continue;
            }
            // A rule of the operators: a constraint, a trigger, or a unique index of their own.
            self.find_offenders(transaction, batch, &decisions, catalogue, &mut knowledge, cause).await?;
        }
        Err(Fault::Bug(
            "a batch could not be settled in a bounded number of rounds: report this with the database's log"
                .to_owned(),
        ))
    }

    /// Learns which records are held, and says whether anything was learnt. PostgreSQL names one fault of many: beside a row that
    /// fails, records may be held, which is known before anybody is blamed. Else a duplicate would be refused for its
    /// neighbour's row.
    async fn learn_held(
        &self,
        transaction: &mut OpenTransaction,
        batch: &[Arrival],
        decisions: &[Decision],
        catalogue: &Catalogue,
        knowledge: &mut Knowledge,
    ) -> Result<bool, Fault> {
        // What is held is only read, of however many rows: that takes what it takes, also where a table is tried.
        transaction.limit(withheld::settling_limits(self.database.limits())).await?;
        match held::look_up(transaction.connection(), batch, decisions, self.settings.held_bytes_max).await {
            Ok(held) => Ok(knowledge.learn(held)),
            Err(fault) => {
                transaction.roll_back_to_savepoint().await?;
                // Without it nobody is blamed.
                if self.withhold_broken(transaction, batch, decisions, catalogue, knowledge, &fault).await? {
                    Ok(true)
                } else {
                    Err(fault)
                }
            }
        }
    }

    /// Withholds a letter that asks for something which cannot be read, and takes back what was written beside it in this round.
    ///
    /// # Errors
    /// The fault, where it can be of no single letter.
    async fn withhold_letter(
        &self,
        transaction: &mut OpenTransaction,
        arrival: &Arrival,
        fault: &Fault,
    ) -> Result<(), Fault> {
        let rolled_back = transaction.roll_back_to_savepoint().await;
        rolled_back.map_err(|lost| if fault.is_away() { fault.clone() } else { lost })?;
        // What is held of an account that this program cannot read is held of that account.
        if !matches!(fault, Fault::Unreadable { .. }) {
            transaction.is_of_a_row(fault).await?;
        }
        self.withheld.add_letters(std::iter::once((arrival, fault)), Instant::now());
        Ok(())
    }

    /// Returns what statements may take that write the rows of accepted letters.
    fn limits(&self, batch: &[Arrival], decisions: &[Decision]) -> StatementLimits {
        let letters = batch.iter().zip(decisions).filter(|(_, decision)| decision.acceptance().is_some());
        let letters = letters.map(|(arrival, _)| arrival);
        self.withheld.limits(tables_of(decisions), letters, self.database.limits())
    }

    /// Withholds the tables that take no rows of anybody, and says whether there are any.
    ///
    /// # Errors
    /// The fault, where it can be of no table and no row.
    async fn withhold_broken(
        &self,
        transaction: &mut OpenTransaction,
        batch: &[Arrival],
        decisions: &[Decision],
        catalogue: &Catalogue,
        knowledge: &mut Knowledge,
        fault: &Fault,
    ) -> Result<bool, Fault> {
        transaction.is_of_a_row(fault).await?;
        transaction.limit(withheld::search_limits(Some(fault), self.database.limits())).await?;
        let broken = empty::broken_tables(transaction, batch, decisions).await?;
        for (definition, fault) in &broken {
            knowledge.withheld.insert(definition.table_id);
            self.withheld.add_table(definition, fault, catalogue.revision, Instant::now());
        }
        Ok(!broken.is_empty())
    }

    /// Finds the letters that a rule refuses or over whose rows a trigger fails. A table of which no letter passes is withheld, so
    /// that the next batch need not be tried one by one. `cause` is what failed where no rule did.
    ///
    /// # Errors
    /// The cause, where it befalls only all letters together, or the database is away.
    async fn find_offenders(
        &self,
        transaction: &mut OpenTransaction,
        batch: &[Arrival],
        decisions: &[Decision],
        catalogue: &Catalogue,
        knowledge: &mut Knowledge,
        cause: Option<Fault>,
    ) -> Result<(), Fault> {
        transaction.limit(withheld::search_limits(cause.as_ref(), self.database.limits())).await?;
        let mut offenders = isolate::find_offenders(transaction, batch, decisions).await?;
        if offenders.is_empty() {
            let together = || Fault::Bug("rows were refused together but not one by one".to_owned());
            return Err(cause.unwrap_or_else(together));
        }
        let now = Instant::now();
        for failing in nobody::failing_tables(batch, decisions, &offenders) {
            let definition = &failing.definition;
            let has_waited = self.withheld.has_table(definition.table_id);
            if !has_waited && failing.agencies < nobody::AGENCIES_MIN {
                continue;
            }
            knowledge.withheld.insert(definition.table_id);
            self.withheld.add_table(definition, &failing.fault, catalogue.revision, now);
            // A letter with which a table is tried in vain waits by itself too: it may be the only one that fails by now, and would
            // be tried first for ever.
            if !has_waited {
                offenders.failed.retain(|at, _| !failing.letters.contains(at));
            }
        }
        let failed = offenders.failed.iter().map(|(at, fault)| (&batch[*at], fault));
        self.withheld.add_letters(failed, now);
        knowledge.waiting.extend(offenders.failed.into_keys().chain(offenders.untried));
        knowledge.refused_by_database.extend(offenders.refused);
        Ok(())
    }

    /// Writes and posts a batch.
    ///
    /// # Errors
    /// [`Unsettled`], as of [`Settler::write`] and [`Written::post`].
    pub async fn settle(&self, batch: Vec<Arrival>) -> Result<Settled, Unsettled> {
        self.write(batch).await?.post().await
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

fn tables_of(decisions: &[Decision]) -> impl Iterator<Item = i32> {
    let acceptances = decisions.iter().filter_map(Decision::acceptance);
    acceptances.flat_map(|acceptance| acceptance.work.tables().iter().map(|rows| rows.definition.table_id))
}

/// Judges again the letters whose agency has changed since its signer was cached, and those that came when its certificate was
/// not valid, where another of its key may have been.
async fn rejudge_stale(
    connection: &mut AsyncPgConnection,
    batch: &[Arrival],
    judged: &mut [Judged],
    standing: &Standing,
    catalogue: &Catalogue,
) -> Result<(), Fault> {
    let is_stale = |arrival: &Arrival, signer: &Signer| {
        standing.revision(signer.matricule) != Some(signer.revision) || signer.may_be_valid_at(arrival.received_at)
    };
    let stale: Vec<&Signer> = batch
        .iter()
        .filter_map(|arrival| arrival.signer().map(Arc::as_ref).filter(|signer| is_stale(arrival, signer)))
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
