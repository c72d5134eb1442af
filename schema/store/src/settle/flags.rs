//! What was accepted and needs an explanation, as receipts tell it and as it goes into `xm.flags`.

use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::answer::receipt::Flag;

use super::decide::Acceptance;
use super::verdict::VerdictRow;
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement, unnested};
use crate::tables::examine::{Finding, Flagged, Sides, row_number};

/// Returns the flags of an accepted letter with the keys of their tables: one for each check that speaks of new rows. Of a record
/// that the centre holds already the operators were told when it came first.
pub fn new_flags(acceptance: &Acceptance) -> Vec<(i32, Flag)> {
    let mut found = Vec::new();
    for (rows, is_new) in acceptance.work.tables().iter().zip(&acceptance.is_new) {
        for flagged in rows.flags.iter().filter(|flagged| speaks_of_new(flagged, is_new)) {
            let check = &rows.definition.checks[flagged.check];
            let sides = Sides::of(check, rows, acceptance.work.tables());
            let mut flag = Flag::new(&rows.definition.name, &check.code, flagged.finding == Finding::Unjudged);
            for row in flagged.rows.iter().map(|row| *row as usize).filter(|row| is_new[*row]) {
                flag.add(row_number(row), || sides.figures(row).arithmetic(check));
            }
            found.push((rows.definition.table_id, flag));
        }
    }
    found
}

/// Counts what [`new_flags`] returns.
pub fn count_new(acceptance: &Acceptance) -> usize {
    let tables = acceptance.work.tables().iter().zip(&acceptance.is_new);
    tables.map(|(rows, is_new)| rows.flags.iter().filter(|flagged| speaks_of_new(flagged, is_new)).count()).sum()
}

fn speaks_of_new(flagged: &Flagged, is_new: &[bool]) -> bool {
    flagged.rows.iter().any(|row| is_new[*row as usize])
}

/// Writes the flags of the accepted letters. Most batches have none, and cost no statement.
pub async fn insert(mut connection: &AsyncPgConnection, verdicts: &[VerdictRow]) -> Result<(), Fault> {
    let mut lines = Vec::new();
    for verdict in verdicts {
        for (table_id, flag) in &verdict.flags {
            let rows = serde_json::to_value(&flag.rows)
                .map_err(|_no_json| Fault::Bug("the rows of a flag could not be written as JSON".to_owned()))?;
            lines.push((verdict, *table_id, flag, rows));
        }
    }
    if lines.is_empty() {
        return Ok(());
    }
    let binds = [
        Bind::Integers(lines.iter().map(|(verdict, ..)| Some(verdict.agency)).collect()),
        Bind::Uuids(lines.iter().map(|(verdict, ..)| Some(verdict.key.letter_id)).collect()),
        Bind::Integers(lines.iter().map(|(_, table_id, ..)| Some(*table_id)).collect()),
        Bind::Texts(lines.iter().map(|(_, _, flag, _)| Some(flag.check.as_str())).collect()),
        Bind::Booleans(lines.iter().map(|(_, _, flag, _)| Some(flag.unjudged)).collect()),
        Bind::Jsonbs(lines.iter().map(|(.., rows)| Some(rows)).collect()),
        Bind::Integers(lines.iter().map(|(_, _, flag, _)| Some(saturating(flag.rows_total))).collect()),
        Bind::Timestamptzs(lines.iter().map(|(verdict, ..)| Some(verdict.received_at)).collect()),
    ];
    let text = format!(
        "INSERT INTO xm.flags (agency, letter_id, table_id, check_code, unjudged, rows, rows_total, flagged_at)
         SELECT {}",
        unnested(binds.len())
    );
    Statement::<()>::new(&text, &binds).execute(&mut connection).await?;
    Ok(())
}

fn saturating(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
