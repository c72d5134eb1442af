//! Imports agencies from a CSV file, with installations, codes of scopes, certificates and opening balances.
//!
//! Each row says what its agency is to have. An agency that is not there is added; of one that is there, what differs is changed. Nothing
//! is taken away: installations, codes and certificates that no row names stay, and so does what an empty cell stands for. A row that
//! cannot be imported is left out with the reason, and the other rows are imported.
//!
//! Rows are written in batches, each in a transaction of its own, together with one line of the audit log. So an import that was ended at
//! any moment has done some of its batches, and the same file imported again does the rest. Of a file that was imported whole, nothing
//! differs.

mod columns;
mod file;
mod known;
mod plan;
mod write;

use std::sync::Arc;

use chrono::Utc;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use sdc::letter::Matricule;

pub use columns::{Column, NAMED};
pub use file::{ImportFile, Row};
pub use plan::RowOutcome;

use self::known::Known;
use self::plan::{Planned, Rules, plan};
use super::status_of_many::{self, AGENCIES_ALONE_MAX};
use crate::error::AdministrationError;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Number of rows of a batch.
const BATCH_ROWS: usize = 1000;
/// Number of tries of a batch whose agencies somebody else adds at the same time.
const TRIES_MAX: usize = 5;

/// What an import did, or would do, with a row.
#[derive(Clone, Debug)]
pub struct RowReport {
    /// Number of the line on which the row begins.
    pub line: u64,
    /// Agency of the row; `None` if the row names none.
    pub agency: Option<Matricule>,
    /// What becomes of the row.
    pub outcome: RowOutcome,
    /// Names of the columns that change something.
    pub changes: Vec<&'static str>,
    /// Why the row is left out.
    pub problem: Option<Arc<AdministrationError>>,
    /// Whether the row names a balance other than the account's. The balance of an agency that is there never changes by an import.
    pub keeps_balance: bool,
}

/// Says what an import would do with each row, and changes nothing.
///
/// # Errors
/// A missing privilege; a fault of the database; an error of `tell`. That a row cannot be imported is no error, but told.
pub async fn dry_run<E: From<AdministrationError>>(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    file: &ImportFile,
    mut tell: impl FnMut(RowReport) -> Result<(), E>,
) -> Result<(), E> {
    operator.require(connection, Operation::AgencyImport).await?;
    let rules = rules(connection, operator, file).await?;
    for rows in file.rows.chunks(BATCH_ROWS) {
        let known = Known::load(connection, rows).await?;
        rows.iter().map(|row| judge(row, &known, &rules).0).try_for_each(&mut tell)?;
    }
    Ok(())
}

/// Imports a file, and says what was done with each row once it is committed. `opening` is the text of the ledger's entries for opening
/// balances.
///
/// # Errors
/// A missing privilege; a fault of the database; an error of `tell`. Batches before the error stay imported. That a row cannot be imported
/// is no error, but told.
pub async fn run<E: From<AdministrationError>>(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    file: &ImportFile,
    opening: &str,
    mut tell: impl FnMut(RowReport) -> Result<(), E>,
) -> Result<(), E> {
    operator.require(connection, Operation::AgencyImport).await?;
    let rules = rules(connection, operator, file).await?;
    for rows in file.rows.chunks(BATCH_ROWS) {
        let mut tries = 1;
        let reports = loop {
            match batch(connection, operator, file, (rows, opening), &rules).await {
                // Somebody added one of the agencies after the batch had found that it is not there. The next try finds it.
                Err(AdministrationError::AgencyExists(_)) if tries < TRIES_MAX => tries += 1,
                done => break done?,
            }
        };
        reports.into_iter().try_for_each(&mut tell)?;
    }
    Ok(())
}

/// Counts how many agencies would get another status, before anything is written: whether one person may decide on that depends on their
/// number in the whole file.
async fn rules(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    file: &ImportFile,
) -> Result<Rules, AdministrationError> {
    let mut rules = Rules::new(operator.clone(), Utc::now());
    if !file.has(&Column::Status) {
        return Ok(rules);
    }
    let wanted: Vec<(Matricule, i16)> = file
        .rows
        .iter()
        .filter_map(|row| row.wanted.as_ref().ok())
        .filter_map(|wanted| Some((wanted.matricule, wanted.status?)))
        .collect();
    let changed = status_of_many::differing(connection, &wanted).await?;
    rules.statuses_too_many = (changed > AGENCIES_ALONE_MAX).then_some(changed);
    Ok(rules)
}

/// Imports a batch in one transaction.
async fn batch(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    file: &ImportFile,
    (rows, opening): (&[Row], &str),
    rules: &Rules,
) -> Result<Vec<RowReport>, AdministrationError> {
    connection
        .transaction(async |connection| {
            Known::lock(connection, rows).await?;
            let known = Known::load(connection, rows).await?;
            let judged: Vec<_> = rows.iter().map(|row| judge(row, &known, rules)).collect();
            let planned: Vec<&Planned<'_>> = judged.iter().filter_map(|(_, planned)| planned.as_ref()).collect();
            write::batch(connection, operator, file.digest(), opening, &planned).await?;
            Ok(judged.into_iter().map(|(report, _)| report).collect())
        })
        .await
}

/// Compares a row with what is known. Returns what becomes of the row, and what is to be written for it, if anything.
fn judge<'a>(row: &'a Row, known: &'a Known, rules: &Rules) -> (RowReport, Option<Planned<'a>>) {
    let mut report = RowReport {
        line: row.line,
        agency: row.agency,
        outcome: RowOutcome::Refused,
        changes: Vec::new(),
        problem: None,
        keeps_balance: false,
    };
    let planned =
        row.wanted.as_ref().map_err(Arc::clone).and_then(|wanted| plan(wanted, known, rules).map_err(Arc::new));
    match planned {
        Err(problem) => {
            report.problem = Some(problem);
            (report, None)
        }
        Ok(planned) => {
            report.outcome = planned.outcome();
            report.changes = planned.changes();
            report.keeps_balance = planned.keeps_balance();
            let is_written = report.outcome != RowOutcome::Same;
            (report, is_written.then_some(planned))
        }
    }
}

#[cfg(test)]
mod tests;
