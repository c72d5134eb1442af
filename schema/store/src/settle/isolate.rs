//! Names the rows that a rule of the database itself refuses: a constraint or trigger that the operators put on a table.
//!
//! The rare path. PostgreSQL stops at the first fault and does not say which row, so the letters are tried one by one, and
//! the rows of an offender in ever smaller parts.

use std::collections::HashMap;
use std::sync::Arc;

use diesel_async::SimpleAsyncConnection;
use sdc::refusal::{Refusal, RefusalCode, RowFault};

use super::arrival::Arrival;
use super::decide::{Acceptance, Decision};
use super::gathered::{gather, is_new};
use super::open::OpenTransaction;
use super::rows::{NotInserted, check_deferred, insert_gathered};
use crate::examine::row_number;
use crate::fault::Fault;

/// Rows that are named; the others of a letter may be right or wrong.
const NAMED_MAX: usize = 10;
/// Rows of one letter that are tried again to find those to name: each costs as much as if it were written.
const TRIED_MAX: usize = 20_000;

/// Tries the accepted letters one after the other, keeps what passes for those behind it to meet, and takes everything back in
/// the end. Returns the refusal of those that fail, by their place in the batch.
///
/// # Errors
/// What no row is to blame for: a table that is no longer what was adopted, or a fault.
pub async fn find_offenders(
    transaction: &mut OpenTransaction,
    batch: &[Arrival],
    decisions: &[Decision],
) -> Result<HashMap<usize, Refusal>, NotInserted> {
    let mut offenders = HashMap::new();
    for at in 0..decisions.len() {
        if decisions[at].acceptance().is_none() {
            continue;
        }
        let whole = Trial { batch, decisions, at };
        if let Some(rule) = whole.insert(transaction, |_, _| true, Check::Whole).await? {
            offenders.insert(at, whole.name_rows(transaction, &rule).await?);
        }
    }
    transaction.roll_back_to_savepoint().await.map_err(NotInserted::Fault)?;
    Ok(offenders)
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
    async fn name_rows(&self, transaction: &mut OpenTransaction, rule: &str) -> Result<Refusal, NotInserted> {
        let tables = self.decisions[self.at].acceptance().map_or(&[][..], |acceptance| &acceptance.tables);
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
            let Some(rule) = self.insert(transaction, chosen, Check::Rows).await? else { continue };
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

    /// Inserts chosen rows and keeps them, or takes them back and returns the rule that refused them.
    async fn insert(
        &self,
        transaction: &mut OpenTransaction,
        chosen: impl Fn(usize, usize) -> bool,
        check: Check,
    ) -> Result<Option<String>, NotInserted> {
        let Some(one) = narrowed(&self.decisions[self.at], chosen) else { return Ok(None) };
        execute(transaction, "SAVEPOINT trial").await?;
        let refused_by = self.insert_one(transaction, one, check).await?;
        if refused_by.is_some() {
            execute(transaction, "ROLLBACK TO SAVEPOINT trial").await?;
        }
        execute(transaction, "RELEASE SAVEPOINT trial").await?;
        Ok(refused_by)
    }

    async fn insert_one(
        &self,
        transaction: &mut OpenTransaction,
        one: Decision,
        check: Check,
    ) -> Result<Option<String>, NotInserted> {
        let one = [one];
        let connection = transaction.shared();
        for gathered in gather(&self.batch[self.at..=self.at], &one, is_new(&one)) {
            if let Some(rule) = blamed(insert_gathered(connection, gathered).await)? {
                return Ok(Some(rule));
            }
        }
        if check == Check::Rows {
            return Ok(None);
        }
        match blamed(check_deferred(connection).await) {
            Err(NotInserted::Fault(fault)) if fault.is_altered() => Err(self.altered(fault)),
            checked => checked,
        }
    }

    /// Blames the letter's first table for what its triggers do not find.
    fn altered(&self, fault: Fault) -> NotInserted {
        let first = self.decisions[self.at].acceptance().and_then(|acceptance| acceptance.tables.first());
        match first {
            Some(rows) => NotInserted::Altered(Arc::clone(&rows.definition), fault),
            None => NotInserted::Fault(fault),
        }
    }
}

/// Returns the rule that refused a row.
fn blamed(inserted: Result<(), NotInserted>) -> Result<Option<String>, NotInserted> {
    match inserted {
        Ok(()) => Ok(None),
        Err(NotInserted::Rule(rule) | NotInserted::Held(rule)) => Ok(Some(rule)),
        Err(why) => Err(why),
    }
}

async fn execute(transaction: &mut OpenTransaction, text: &str) -> Result<(), NotInserted> {
    transaction.connection().batch_execute(text).await.map_err(|error| NotInserted::Fault(error.into()))
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
    let acceptance = Acceptance { tables: Arc::clone(&acceptance.tables), is_new, price: acceptance.price };
    Some(Decision::Accepted { key: key.clone(), acceptance, account: *account, highest_sequence: *highest_sequence })
}
