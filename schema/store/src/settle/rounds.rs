//! Decides a batch and writes its rows, in rounds. If a round fails, its rows are rolled back, the cause is looked up in the database, and
//! the batch is decided again.

use std::collections::HashSet;
use std::time::Instant;

use futures_util::join;

use super::batch::Batch;
use super::bodies::{self, Bodies};
use super::broken_tables::broken_tables;
use super::decide::{Knowledge, decide};
use super::failing_tables::{AGENCIES_MIN, failing_tables};
use super::flags::{are_surely_new, need_what_is_held};
use super::offenders::find_offenders;
use super::rows::Inserted;
use super::standing::Standing;
use super::transaction::OpenTransaction;
use super::withheld::{self, Withheld};
use super::work::Work;
use super::{held, rows};
use crate::database::StatementLimits;
use crate::database::fault::Fault;
use crate::tables::catalogue::Catalogue;

/// Largest number of rounds before the batch fails with a fault. Each failed round takes the rows of at least one letter out of the batch.
const ROUNDS_MAX: usize = 50;

/// The rounds of one batch, in its open transaction.
pub struct Rounds<'a> {
    pub transaction: &'a mut OpenTransaction,
    pub batch: &'a mut Batch,
    pub standing: &'a Standing,
    pub catalogue: &'a Catalogue,
    pub withheld: &'a Withheld,
    /// Time limits of statements, used when no table and no letter has failed lately.
    pub usual: StatementLimits,
    /// Largest total size in bytes of the stored records that the whole batch may fetch, to show operators what its letters contradict.
    pub held_bytes_max: usize,
    pub knowledge: Knowledge,
}

impl Rounds<'_> {
    /// Decides the batch and inserts its rows. After each failure it decides again with the new facts, until every new row of the accepted
    /// letters is in its table. Returns the bodies of the answers.
    ///
    /// # Errors
    /// A fault with another cause than a single table or letter.
    pub async fn run(mut self) -> Result<Bodies, Fault> {
        self.knowledge.surely_new = self.surely_new();
        for _round in 0..ROUNDS_MAX {
            let decisions = decide(self.batch, self.standing, self.catalogue, &self.knowledge);
            self.batch.take_decisions(decisions);
            if self.doubt_new_rows() {
                continue;
            }
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
            // If the connection is lost, the fault that lost it is returned, since it explains more than the fault of the rollback.
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
            // No table is unusable, and no record of the batch is stored already. So a constraint, trigger or unique index that operators
            // added has refused a row, or a trigger has failed.
            self.find_offenders(cause).await?;
        }
        Err(Fault::Bug(
            "a batch could not be settled in a bounded number of rounds: report this with the database's log"
                .to_owned(),
        ))
    }

    /// Lists the letters for which checks need to know which rows are new, and for which this is clear without a look-up
    /// (`Knowledge::surely_new`). On an election night most letters are of this kind. A letter that is tried again is always looked up.
    fn surely_new(&self) -> HashSet<usize> {
        if self.knowledge.ruling.is_some() || self.knowledge.retried_at.is_some() {
            return HashSet::new();
        }
        let holdings = &self.knowledge.holdings;
        let is_new = |work: &Work| need_what_is_held(work, holdings) && are_surely_new(work, holdings);
        let letters = self.batch.iter().enumerate();
        letters.filter(|(_, case)| case.judged.work().is_some_and(is_new)).map(|(place, _)| place).collect()
    }

    /// Takes letters that are no longer accepted out of `surely_new`, since it is not sure that their rows are new. Says whether there were
    /// any; if so, the batch is decided again.
    fn doubt_new_rows(&mut self) -> bool {
        let before = self.knowledge.surely_new.len();
        let batch = &*self.batch;
        let is_accepted: Vec<bool> = batch.iter().map(|case| case.acceptance().is_some()).collect();
        self.knowledge.surely_new.retain(|place| is_accepted[*place]);
        self.knowledge.surely_new.len() < before
    }

    /// Says whether the stored rows of an accepted letter must still be looked up, because a check needs them.
    fn must_look_up(&self) -> bool {
        self.batch.iter().enumerate().any(|(place, case)| {
            let waits = |work| need_what_is_held(work, &self.knowledge.holdings);
            !self.knowledge.knows_new_rows(place) && case.acceptance().is_some_and(|acceptance| waits(&acceptance.work))
        })
    }

    async fn insert(&self) -> Result<Inserted, Fault> {
        let rows = rows::insert(self.transaction.shared(), self.batch, self.usual);
        let (saved, inserted) = join!(self.transaction.savepoint(self.limits()), rows);
        saved?;
        Ok(inserted)
    }

    /// Returns the ids of the tables that accepted letters write to, once for each letter.
    fn tables(&self) -> impl Iterator<Item = i32> {
        let acceptances = self.batch.iter().filter_map(|case| case.acceptance());
        acceptances.flat_map(|acceptance| acceptance.work.tables().iter().map(|rows| rows.definition.table_id))
    }

    /// Returns the time limits of the statements that write the rows of accepted letters. They are short if a table or letter among them
    /// has failed lately.
    fn limits(&self) -> StatementLimits {
        let letters = self.batch.iter().filter(|case| case.acceptance().is_some()).map(|case| &case.arrival);
        self.withheld.limits(self.tables(), letters, self.usual)
    }

    /// Looks up which records are stored already, and says whether any of them was not known before.
    ///
    /// PostgreSQL reports only one fault of many, so some records may be stored already although another row failed. The look-up comes
    /// before the search for a letter to refuse: in that search, a duplicate would fail as well, and would be refused for it.
    async fn learn_held(&mut self) -> Result<bool, Fault> {
        // If a failing table is being tried, statements have a short time limit, so that other letters do not wait long. The look-up writes
        // nothing to that table and may read many rows, so it gets the usual limit.
        self.transaction.limit(withheld::settling_limits(self.usual)).await?;
        match held::look_up(self.transaction.connection(), self.batch, self.held_bytes_max).await {
            Ok(held) => {
                let accepted = self.batch.iter().enumerate().filter(|(_, case)| case.acceptance().is_some());
                self.knowledge.looked_up.extend(accepted.map(|(place, _)| place));
                Ok(self.knowledge.learn(held))
            }
            Err(fault) => {
                self.transaction.roll_back_to_savepoint().await?;
                // The look-up failed, so it is unknown which letter is at fault. But a table that cannot be read may be the cause, so
                // broken tables are searched for.
                if self.withhold_broken(&fault).await? { Ok(true) } else { Err(fault) }
            }
        }
    }

    /// Defers the letter at a place because something that it requests cannot be read, and rolls back the rows written in this round.
    ///
    /// # Errors
    /// The fault, if a single letter cannot be its cause.
    async fn withhold_letter(&mut self, place: usize, fault: &Fault) -> Result<(), Fault> {
        self.knowledge.waiting.insert(place);
        let rolled_back = self.transaction.roll_back_to_savepoint().await;
        rolled_back.map_err(|lost| if fault.is_away() { fault.clone() } else { lost })?;
        // `Unreadable` means that something stored which this letter's answer needs, such as an entry of its agency's account, cannot be
        // read. So the letter is the cause. Any other fault may come from the database as a whole, which is asked first.
        if !matches!(fault, Fault::Unreadable { .. }) {
            self.transaction.is_of_a_row(fault).await?;
        }
        self.withheld.add_letters(std::iter::once((&self.batch[place].arrival, fault)), Instant::now());
        Ok(())
    }

    /// Makes the letters of those tables wait that take no rows of any letter (the tables are withheld). Says whether there are such
    /// tables.
    ///
    /// # Errors
    /// The fault, if it comes from the database itself and not from a table or row.
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

    /// Finds the letters that a rule refuses, and the letters for whose rows a trigger fails. If every letter fails for a table, all its
    /// letters have to wait (the table is withheld), so that the next batch need not be tried letter by letter. `cause` is the fault of the
    /// insert; it is `None` if a rule refused a row.
    ///
    /// # Errors
    /// The cause, if the letters fail only together; a fault of the search itself.
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
            // All letters for a withheld table wait with it, so at first none of them gets a wait of its own. But if the table has waited
            // before and fails again, the cause may be a single bad letter rather than the table. Then each letter that failed gets a wait
            // of its own: otherwise the bad letter would be tried first whenever the table is tried, and would stop the others each time.
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
