//! Names the rows that a rule of the database itself refuses: a constraint or trigger that the operators put on a table.
//!
//! The rare path. PostgreSQL stops at the first fault and does not say which row, so every letter is tried by
//! itself, and inside an offender every row.

use std::collections::HashMap;

use diesel_async::SimpleAsyncConnection;
use sdc::refusal::{Refusal, RefusalCode, RowFault};

use super::arrival::Arrival;
use super::decide::{Acceptance, Decision};
use super::open::OpenTransaction;
use super::rows::{gather, rule_of_the_database};
use crate::examine::row_number;
use crate::fault::Fault;

/// Tries each accepted letter alone and returns the refusal of those that fail, by their place in the batch.
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
        if try_rows(transaction, batch, decisions, at, |_, _| true).await?.is_some() {
            offenders.insert(at, name_rows(transaction, batch, decisions, at).await?);
        }
    }
    Ok(offenders)
}

async fn name_rows(
    transaction: &mut OpenTransaction,
    batch: &[Arrival],
    decisions: &[Decision],
    at: usize,
) -> Result<Refusal, Fault> {
    let mut faults = Vec::new();
    let tables = decisions[at].acceptance().map(|acceptance| acceptance.tables.as_slice()).unwrap_or_default();
    for (table, rows) in tables.iter().enumerate() {
        for row in 0..rows.row_count() {
            if let Some(rule) = try_rows(transaction, batch, decisions, at, |t, r| t == table && r == row).await? {
                faults.push(RowFault {
                    table: rows.definition.name.clone(),
                    row: row_number(row),
                    column: None,
                    rule: "database".to_owned(),
                    expected: rule,
                });
            }
        }
    }
    Ok(Refusal::new(RefusalCode::RowsInvalid).with_faults(faults))
}

/// Inserts chosen rows of one letter and takes them back; returns the rule that refused them.
async fn try_rows(
    transaction: &mut OpenTransaction,
    batch: &[Arrival],
    decisions: &[Decision],
    at: usize,
    chosen: impl Fn(usize, usize) -> bool,
) -> Result<Option<String>, Fault> {
    let Some(one) = narrowed(&decisions[at], chosen) else { return Ok(None) };
    transaction.connection().batch_execute("SAVEPOINT one_letter").await?;
    let mut refused_by = None;
    for gathered in gather(&batch[at..=at], &[one], true) {
        let expected = gathered.places.len();
        match gathered.insert(transaction.connection()).await {
            Ok(written) if written == expected => {}
            Ok(_fewer) => refused_by = Some("a unique index".to_owned()),
            Err(fault) => match rule_of_the_database(&fault) {
                Some(rule) => refused_by = Some(rule),
                None => return Err(fault),
            },
        }
        if refused_by.is_some() {
            break;
        }
    }
    transaction.connection().batch_execute("ROLLBACK TO SAVEPOINT one_letter").await?;
    Ok(refused_by)
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
    let acceptance = Acceptance { tables: acceptance.tables.clone(), is_new, price: acceptance.price };
    Some(Decision::Accepted { key: key.clone(), acceptance, account: *account, highest_sequence: *highest_sequence })
}
