//! Names the rows that a rule of the database itself refuses: a constraint or trigger that the operators put on a table. And
//! the letters over whose rows a trigger fails, which are to blame for nothing.
//!
//! The rare path. PostgreSQL stops at the first fault and does not say which row, so the letters are tried one by one, and
//! the rows of an offender in ever smaller parts.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection;
use sdc::refusal::{Refusal, RefusalCode, RowFault};

use super::arrival::Arrival;
use super::decide::{Acceptance, Decision};
use super::gathered::{gather, is_new};
use super::open::OpenTransaction;
use super::rows::{NotInserted, check_deferred, insert_gathered};
use crate::database::fault::Fault;
use crate::tables::examine::row_number;

/// Rows that are named; the others of a letter may be right or wrong.
const NAMED_MAX: usize = 10;
/// Rows of one letter that are tried again to find those to name: each costs as much as if it were written.
const TRIED_MAX: usize = 20_000;
/// Longest search, in which the agencies' accounts stay locked. What is not tried by then comes again.
const SEARCH_MAX: Duration = Duration::from_secs(20);

/// What letters that cannot be settled together do alone, by their place in the batch.
#[derive(Default)]
pub struct Offenders {
    /// Those that a rule refuses.
    pub refused: HashMap<usize, Refusal>,
    /// Those over which a trigger fails.
    pub failed: HashMap<usize, Fault>,
    /// Those that there was no time to try.
    pub untried: HashSet<usize>,
}

impl Offenders {
    pub fn is_empty(&self) -> bool {
        self.refused.is_empty() && self.failed.is_empty() && self.untried.is_empty()
    }
}

/// Tries the accepted letters one after the other, keeps what passes for those behind it to meet, and takes everything back in
/// the end.
///
/// # Errors
/// What no letter is to blame for: the database is away.
pub async fn find_offenders(
    transaction: &mut OpenTransaction,
    batch: &[Arrival],
    decisions: &[Decision],
) -> Result<Offenders, Fault> {
    let began = Instant::now();
    let mut offenders = Offenders::default();
    for at in 0..decisions.len() {
        if decisions[at].acceptance().is_none() {
            continue;
        }
        // One at least: else a batch would never get on.
        if began.elapsed() > SEARCH_MAX && !offenders.is_empty() {
            offenders.untried.insert(at);
            continue;
        }
        let whole = Trial { batch, decisions, at };
        match whole.insert(transaction, |_, _| true, Check::Whole).await? {
            Tried::Kept => {}
            Tried::Refused(rule) => {
                offenders.refused.insert(at, whole.name_rows(transaction, &rule).await?);
            }
            Tried::Failed(fault) => {
                offenders.failed.insert(at, fault);
            }
        }
    }
    transaction.roll_back_to_savepoint().await?;
    Ok(offenders)
}

/// What became of rows that were tried.
enum Tried {
    /// They are in their tables.
    Kept,
    /// This rule refused one of them.
    Refused(String),
    /// Something failed that is no rule.
    Failed(Fault),
}

/// Whether constraints that are checked at the end are checked too: only a whole letter must satisfy them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    Whole,
    Rows,
}

/// One letter of a batch, tried alone.
struct Trial<'a> {
    batch: &'a [Arrival],
    decisions: &'a [Decision],
    at: usize,
}

impl Trial<'_> {
    /// Finds the rows that fail, halving what fails until single rows are left.
    async fn name_rows(&self, transaction: &mut OpenTransaction, rule: &str) -> Result<Refusal, Fault> {
        let tables = self.decisions[self.at].acceptance().map_or(&[][..], |acceptance| acceptance.work.tables());
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
                // The letter is refused whatever a trigger does over its other rows, which are not looked into any further.
                Tried::Failed(_) => break,
            };
            if part.len() > 1 {
                let second_half = part.split_off(part.len() / 2);
                // The last one is tried next.
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

    /// Inserts chosen rows and keeps them, or takes them back and says why.
    ///
    /// # Errors
    /// The database is away.
    async fn insert(
        &self,
        transaction: &mut OpenTransaction,
        chosen: impl Fn(usize, usize) -> bool,
        check: Check,
    ) -> Result<Tried, Fault> {
        let Some(one) = narrowed(&self.decisions[self.at], chosen) else { return Ok(Tried::Kept) };
        execute(transaction, "SAVEPOINT trial").await?;
        let tried = match self.insert_one(transaction, one, check).await {
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

    async fn insert_one(
        &self,
        transaction: &mut OpenTransaction,
        one: Decision,
        check: Check,
    ) -> Result<(), NotInserted> {
        let one = [one];
        let connection = transaction.shared();
        for gathered in gather(&self.batch[self.at..=self.at], &one, is_new(&one)) {
            insert_gathered(connection, gathered).await?;
        }
        match check {
            Check::Whole => check_deferred(connection).await,
            Check::Rows => Ok(()),
        }
    }
}

async fn execute(transaction: &mut OpenTransaction, text: &str) -> Result<(), Fault> {
    Ok(transaction.connection().batch_execute(text).await?)
}

/// Copies a decision with only the chosen new rows marked.
fn narrowed(decision: &Decision, chosen: impl Fn(usize, usize) -> bool) -> Option<Decision> {
    let Decision::Accepted { key, acceptance, account, highest_sequence } = decision else { return None };
    let is_new = acceptance
        .is_new
        .iter()
        .enumerate()
        .map(|(table, marks)| marks.iter().enumerate().map(|(row, &new)| new && chosen(table, row)).collect())
        .collect();
    let acceptance = Acceptance { work: acceptance.work.clone(), is_new, price: acceptance.price };
    Some(Decision::Accepted { key: key.clone(), acceptance, account: *account, highest_sequence: *highest_sequence })
}
