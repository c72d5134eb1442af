//! Finds the rows that a rule of the database refuses: a constraint or trigger that operators added to a table. Also finds the letters for
//! whose rows a trigger fails; such letters are not refused.
//!
//! The search is rare. PostgreSQL stops at the first fault and does not tell which row caused it. So the letters are tried one by one, and
//! the rows of a refused letter in ever smaller parts.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection;
use sdc::refusal::{Refusal, RefusalCode, RowFault};

use super::batch::Case;
use super::corrections::apply::apply;
use super::decision::Acceptance;
use super::gathered::{Place, gather};
use super::not_inserted::NotInserted;
use super::rows::{check_deferred, insert_gathered};
use super::transaction::OpenTransaction;
use crate::database::fault::Fault;
use crate::tables::examine::row_number;

/// Largest number of rows that a refusal lists. The other rows of the letter may be right or wrong.
const NAMED_MAX: usize = 10;
/// Largest number of rows of one letter that are tried again to find the refused ones. Each try costs as much as writing the row.
const TRIED_MAX: usize = 20_000;
/// Longest time of a search, since the agencies' accounts are locked meanwhile. Letters that are not tried in this time are settled another
/// time.
const SEARCH_MAX: Duration = Duration::from_secs(20);

/// The result of trying the letters of a failed batch one by one, by their place in the batch.
#[derive(Default)]
pub struct Offenders {
    /// Letters whose rows a rule refuses.
    pub refused: HashMap<usize, Refusal>,
    /// Letters for whose rows a trigger fails.
    pub failed: HashMap<usize, Fault>,
    /// Letters that were not tried for lack of time.
    pub untried: HashSet<usize>,
}

impl Offenders {
    pub fn is_empty(&self) -> bool {
        self.refused.is_empty() && self.failed.is_empty() && self.untried.is_empty()
    }
}

/// Tries the accepted letters one after the other. The rows of a letter that succeeds stay in the tables while later letters are tried. At
/// the end all rows are rolled back.
///
/// # Errors
/// A fault with another cause than a letter, such as a lost connection.
pub async fn find_offenders(transaction: &mut OpenTransaction, batch: &[Case]) -> Result<Offenders, Fault> {
    let began = Instant::now();
    let mut offenders = Offenders::default();
    for (at, case) in batch.iter().enumerate() {
        let Some(trial) = Trial::of(case) else { continue };
        // The search goes on until it has found one offender. If it stopped earlier, the next round would search again without result.
        if began.elapsed() > SEARCH_MAX && !offenders.is_empty() {
            offenders.untried.insert(at);
            continue;
        }
        match trial.insert(transaction, |_, _| true, Check::Whole).await? {
            Tried::Kept => {}
            Tried::Refused(rule) => {
                offenders.refused.insert(at, trial.name_rows(transaction, &rule).await?);
            }
            Tried::Failed(fault) => {
                offenders.failed.insert(at, fault);
            }
        }
    }
    transaction.roll_back_to_savepoint().await?;
    Ok(offenders)
}

/// The result of trying rows.
enum Tried {
    /// The rows are in their tables.
    Kept,
    /// A rule refused one of the rows. Contains the rule's name.
    Refused(String),
    /// A fault that is not the refusal of a row by a rule.
    Failed(Fault),
}

/// Whether deferred constraints are checked too. All rows of a letter together must satisfy them; a part of the rows need not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    Whole,
    Rows,
}

/// An accepted letter that is tried without the other letters of its batch.
struct Trial<'a> {
    /// The letter, as a batch of one.
    alone: &'a [Case],
    acceptance: &'a Acceptance,
}

impl<'a> Trial<'a> {
    fn of(case: &'a Case) -> Option<Trial<'a>> {
        case.acceptance().map(|acceptance| Trial { alone: std::slice::from_ref(case), acceptance })
    }

    /// Finds the rows that the rule refuses: halves each part that fails, down to single rows.
    async fn name_rows(&self, transaction: &mut OpenTransaction, rule: &str) -> Result<Refusal, Fault> {
        let tables = self.acceptance.work.tables();
        let all =
            tables.iter().enumerate().flat_map(|(table, rows)| (0..rows.row_count()).map(move |row| (table, row)));
        let mut faults = Vec::new();
        execute(transaction, "SAVEPOINT all_rows").await?;
        let mut untried: Vec<Vec<(usize, usize)>> = vec![all.collect()];
        let mut tried = 0;
        while let Some(mut part) = untried.pop() {
            tried += part.len();
            if tried > TRIED_MAX && part.len() > 1 {
                break;
            }
            let (Some(&first), Some(&last)) = (part.first(), part.last()) else { continue };
            let chosen = |table: usize, row: usize| (first..=last).contains(&(table, row));
            let rule = match self.insert(transaction, chosen, Check::Rows).await? {
                Tried::Kept => continue,
                Tried::Refused(rule) => rule,
                // A trigger fails for these rows, while other rows of the letter are refused by the rule. The letter is refused for the
                // latter, so it does not have to wait for the trigger.
                Tried::Failed(_) => break,
            };
            if part.len() > 1 {
                let second_half = part.split_off(part.len() / 2);
                // The list is a stack: the first half, pushed last, is tried next.
                untried.extend([second_half, part]);
                continue;
            }
            faults.push(RowFault {
                table: tables[first.0].definition.name.clone(),
                row: row_number(first.1),
                column: None,
                rule: "database".to_owned(),
                expected: rule,
            });
            if faults.len() == NAMED_MAX {
                break;
            }
        }
        execute(transaction, "ROLLBACK TO SAVEPOINT all_rows").await?;
        Ok(Refusal::new(RefusalCode::RowsInvalid).with("rule", rule).with_faults(faults))
    }

    /// Inserts the chosen rows. If this fails, rolls them all back and returns the reason.
    ///
    /// # Errors
    /// A fault with another cause than a row, such as a lost connection.
    async fn insert(
        &self,
        transaction: &mut OpenTransaction,
        chosen: impl Fn(usize, usize) -> bool,
        check: Check,
    ) -> Result<Tried, Fault> {
        execute(transaction, "SAVEPOINT trial").await?;
        let tried = match self.insert_new(transaction, chosen, check).await {
            Ok(()) => Tried::Kept,
            Err(NotInserted::Rule(rule) | NotInserted::Held(rule)) => Tried::Refused(rule),
            Err(NotInserted::Failed(fault)) => Tried::Failed(fault),
        };
        if !matches!(tried, Tried::Kept) {
            execute(transaction, "ROLLBACK TO SAVEPOINT trial").await?;
        }
        execute(transaction, "RELEASE SAVEPOINT trial").await?;
        if let Tried::Failed(fault) = &tried {
            transaction.is_of_a_row(fault).await?;
        }
        Ok(tried)
    }

    async fn insert_new(
        &self,
        transaction: &OpenTransaction,
        chosen: impl Fn(usize, usize) -> bool,
        check: Check,
    ) -> Result<(), NotInserted> {
        let is_wanted = |(_, table, row): Place| self.acceptance.is_new[table][row] && chosen(table, row);
        let connection = transaction.shared();
        for gathered in gather(self.alone, is_wanted) {
            insert_gathered(connection, gathered).await?;
        }
        match check {
            Check::Whole => {
                apply(connection, self.alone).await?;
                check_deferred(connection).await
            }
            Check::Rows => Ok(()),
        }
    }
}

async fn execute(transaction: &mut OpenTransaction, text: &str) -> Result<(), Fault> {
    Ok(transaction.connection().batch_execute(text).await?)
}
