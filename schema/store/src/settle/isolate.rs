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
use super::open::OpenTransaction;
use super::rows::{check_deferred, gather, rule_of_the_database};
use crate::examine::row_number;
use crate::fault::Fault;

/// Rows that are named; the others of a letter may be right or wrong.
const NAMED_MAX: usize = 10;

/// Tries the accepted letters one after the other, keeps what passes for those behind it to meet, and takes everything back in
/// the end. Returns the refusal of those that fail, by their place in the batch.
pub async fn find_offenders(
    transaction: &mut OpenTransaction,
    batch: &[Arrival],
    decisions: &[Decision],
) -> Result<HashMap<usize, Refusal>, Fault> {
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
    transaction.roll_back_to_savepoint().await?;
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
    async fn name_rows(&self, transaction: &mut OpenTransaction, rule: &str) -> Result<Refusal, Fault> {
        let tables = self.decisions[self.at].acceptance().map_or(&[][..], |acceptance| &acceptance.tables);
        let all =
            tables.iter().enumerate().flat_map(|(table, rows)| (0..rows.row_count()).map(move |row| (table, row)));
        let mut faults = Vec::new();
        transaction.connection().batch_execute("SAVEPOINT all_rows").await?;
        let mut untried: Vec<Vec<(usize, usize)>> = vec![all.collect()];
        while let Some(mut part) = untried.pop() {
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
        transaction.connection().batch_execute("ROLLBACK TO SAVEPOINT all_rows").await?;
        Ok(Refusal::new(RefusalCode::RowsInvalid).with("rule", rule).with_faults(faults))
    }

    /// Inserts chosen rows and keeps them, or takes them back and returns the rule that refused them.
    async fn insert(
        &self,
        transaction: &mut OpenTransaction,
        chosen: impl Fn(usize, usize) -> bool,
        check: Check,
    ) -> Result<Option<String>, Fault> {
        let Some(one) = narrowed(&self.decisions[self.at], chosen) else { return Ok(None) };
        transaction.connection().batch_execute("SAVEPOINT trial").await?;
        let refused_by = self.insert_gathered(transaction, one, check).await?;
        if refused_by.is_some() {
            transaction.connection().batch_execute("ROLLBACK TO SAVEPOINT trial").await?;
        }
        transaction.connection().batch_execute("RELEASE SAVEPOINT trial").await?;
        Ok(refused_by)
    }

    async fn insert_gathered(
        &self,
        transaction: &mut OpenTransaction,
        one: Decision,
        check: Check,
    ) -> Result<Option<String>, Fault> {
        let blame = |fault: Fault| rule_of_the_database(&fault).map(Some).ok_or(fault);
        for gathered in gather(&self.batch[self.at..=self.at], &[one], true) {
            if let Err(fault) = gathered.insert(transaction.connection()).await {
                return blame(fault);
            }
        }
        if check == Check::Whole
            && let Err(fault) = check_deferred(transaction.connection()).await
        {
            return blame(fault);
        }
        Ok(None)
    }
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
