//! Decides a batch and writes its rows, in rounds: what a failed round tells of the database is learnt, the rows are taken back, and
//! the batch is decided anew.

use std::time::Instant;

use futures_util::join;

use super::batch::Batch;
use super::bodies::{self, Bodies};
use super::broken_tables::broken_tables;
use super::decide::{Knowledge, decide};
use super::failing_tables::{AGENCIES_MIN, failing_tables};
use super::flags::need_what_is_held;
use super::offenders::find_offenders;
use super::rows::Inserted;
use super::standing::Standing;
use super::transaction::OpenTransaction;
use super::withheld::{self, Withheld};
use super::{held, rows};
use crate::database::StatementLimits;
use crate::database::fault::Fault;
use crate::tables::catalogue::Catalogue;

/// Rounds of decide and insert before a batch is given up as a fault. Each round removes at least one letter's rows.
const ROUNDS_MAX: usize = 50;

/// The rounds of one batch, in its open transaction.
pub struct Rounds<'a> {
    pub transaction: &'a mut OpenTransaction,
    pub batch: &'a mut Batch,
    pub standing: &'a Standing,
    pub catalogue: &'a Catalogue,
    pub withheld: &'a Withheld,
    /// What a statement may take where nothing is known against it.
    pub usual: StatementLimits,
    /// Bytes of the versions held that may be fetched for the whole batch.
    pub held_bytes_max: usize,
    pub knowledge: Knowledge,
}

impl Rounds<'_> {
    /// Decides, inserts, and decides anew with what was learnt, until every row that was decided on is in its table. Returns what
    /// answers give beside their receipts.
    ///
    /// # Errors
    /// A fault that is of no single table and no single letter.
    pub async fn run(mut self) -> Result<Bodies, Fault> {
        for _round in 0..ROUNDS_MAX {
            let decisions = decide(self.batch, self.standing, self.catalogue, &self.knowledge);
            self.batch.take_decisions(decisions);
            if self.must_look_up() {
                self.transaction.savepoint(self.limits()).await?;
                self.learn_held().await?;
                continue;
            }
            let cause = match self.insert().await? {
                Inserted::All => {
                    self.withheld.taken(self.tables());
                    match bodies::read(self.transaction.shared(), self.batch, self.catalogue).await {
                        Ok(bodies) => return Ok(bodies),
                        Err((place, fault)) => {
                            self.withhold_letter(place, &fault).await?;
                            continue;
                        }
                    }
                }
                Inserted::Failed(fault) => Some(fault),
                Inserted::SomeAreHeld | Inserted::Refused => None,
            };
            // Where the connection is gone, the fault with which it was lost tells more than that of the rollback.
            let rolled_back = self.transaction.roll_back_to_savepoint().await;
            rolled_back.map_err(|lost| cause.clone().filter(Fault::is_away).unwrap_or(lost))?;
            if let Some(fault) = &cause
                && self.withhold_broken(fault).await?
            {
                continue;
            }
            if self.learn_held().await? {
                continue;
            }
            // A rule of the operators: a constraint, a trigger, or a unique index of their own.
            self.find_offenders(cause).await?;
        }
        Err(Fault::Bug(
            "a batch could not be settled in a bounded number of rounds: report this with the database's log"
                .to_owned(),
        ))
    }

    /// Says whether checks of an accepted letter wait for what is held of its rows.
    fn must_look_up(&self) -> bool {
        self.batch.iter().enumerate().any(|(place, case)| {
            let waits = |work| need_what_is_held(work, &self.knowledge.holdings);
            !self.knowledge.looked_up.contains(&place)
                && case.acceptance().is_some_and(|acceptance| waits(&acceptance.work))
        })
    }

    async fn insert(&self) -> Result<Inserted, Fault> {
        let rows = rows::insert(self.transaction.shared(), self.batch, self.usual);
        let (saved, inserted) = join!(self.transaction.savepoint(self.limits()), rows);
        saved?;
        Ok(inserted)
    }

    /// Returns the tables that accepted letters write to, once for each letter.
    fn tables(&self) -> impl Iterator<Item = i32> {
        let acceptances = self.batch.iter().filter_map(|case| case.acceptance());
        acceptances.flat_map(|acceptance| acceptance.work.tables().iter().map(|rows| rows.definition.table_id))
    }

    /// Returns what the statements may take that write the rows of accepted letters.
    fn limits(&self) -> StatementLimits {
        let letters = self.batch.iter().filter(|case| case.acceptance().is_some()).map(|case| &case.arrival);
        self.withheld.limits(self.tables(), letters, self.usual)
    }

    /// Learns which records are held, and says whether any of them was not known before.
    ///
    /// PostgreSQL names one fault of many, so records may be held beside a row that fails. They are looked up before a letter is
    /// blamed: else a duplicate would be refused for the row of its neighbour.
    async fn learn_held(&mut self) -> Result<bool, Fault> {
        // What is held is only read, of however many rows. The look-up has the usual time, even where a table is on trial.
        self.transaction.limit(withheld::settling_limits(self.usual)).await?;
        match held::look_up(self.transaction.connection(), self.batch, self.held_bytes_max).await {
            Ok(held) => {
                let accepted = self.batch.iter().enumerate().filter(|(_, case)| case.acceptance().is_some());
                self.knowledge.looked_up.extend(accepted.map(|(place, _)| place));
                Ok(self.knowledge.learn(held))
            }
            Err(fault) => {
                self.transaction.roll_back_to_savepoint().await?;
                // Without the look-up no letter is blamed.
                if self.withhold_broken(&fault).await? { Ok(true) } else { Err(fault) }
            }
        }
    }

    /// Withholds a letter that asks for something which cannot be read, and takes back what was written beside it in this round.
    ///
    /// # Errors
    /// The fault, where it can be of no single letter.
    async fn withhold_letter(&mut self, place: usize, fault: &Fault) -> Result<(), Fault> {
        self.knowledge.waiting.insert(place);
        let rolled_back = self.transaction.roll_back_to_savepoint().await;
        rolled_back.map_err(|lost| if fault.is_away() { fault.clone() } else { lost })?;
        // A row that this program cannot read belongs to the account that the letter asks about.
        if !matches!(fault, Fault::Unreadable { .. }) {
            self.transaction.is_of_a_row(fault).await?;
        }
        self.withheld.add_letters(std::iter::once((&self.batch[place].arrival, fault)), Instant::now());
        Ok(())
    }

    /// Withholds the tables that take no rows of any letter, and says whether there are any.
    ///
    /// # Errors
    /// The fault, where it can be of no table and no row.
    async fn withhold_broken(&mut self, fault: &Fault) -> Result<bool, Fault> {
        self.transaction.is_of_a_row(fault).await?;
        self.transaction.limit(withheld::search_limits(Some(fault), self.usual)).await?;
        let broken = broken_tables(self.transaction, self.batch).await?;
        for (definition, fault) in &broken {
            self.knowledge.withheld.insert(definition.table_id);
            self.withheld.add_table(definition, fault, self.catalogue.revision, Instant::now());
        }
        Ok(!broken.is_empty())
    }

    /// Finds the letters that a rule refuses or over whose rows a trigger fails. A table of which no letter passes is withheld, so
    /// that the next batch need not be tried one by one. `cause` is what failed where no rule did.
    ///
    /// # Errors
    /// The cause, where it befalls only all letters together, or the database is away.
    async fn find_offenders(&mut self, cause: Option<Fault>) -> Result<(), Fault> {
        self.transaction.limit(withheld::search_limits(cause.as_ref(), self.usual)).await?;
        let mut offenders = find_offenders(self.transaction, self.batch).await?;
        if offenders.is_empty() {
            let together = || Fault::Bug("rows were refused together but not one by one".to_owned());
            return Err(cause.unwrap_or_else(together));
        }
        let now = Instant::now();
        for failing in failing_tables(self.batch, &offenders) {
            let definition = &failing.definition;
            let has_waited = self.withheld.has_table(definition.table_id);
            if !has_waited && failing.agencies < AGENCIES_MIN {
                continue;
            }
            self.knowledge.withheld.insert(definition.table_id);
            self.withheld.add_table(definition, &failing.fault, self.catalogue.revision, now);
            // A letter with which a table is tried in vain waits by itself too: it may be the only one that fails by now, and would
            // be tried first for ever.
            if !has_waited {
                offenders.failed.retain(|place, _| !failing.letters.contains(place));
            }
        }
        let failed = offenders.failed.iter().map(|(place, fault)| (&self.batch[*place].arrival, fault));
        self.withheld.add_letters(failed, now);
        self.knowledge.waiting.extend(offenders.failed.into_keys().chain(offenders.untried));
        self.knowledge.refused_by_database.extend(offenders.refused);
        Ok(())
    }
}
