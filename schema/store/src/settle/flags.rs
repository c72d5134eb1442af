//! What was accepted and needs an explanation: the flags of a letter, as its receipt and `xm.flags` tell them.

use sdc::answer::receipt::Flag;

use super::decision::Acceptance;
use crate::tables::examine::{Finding, Flagged, Sides, TableRows, row_number};

/// Returns the flags of an accepted letter with the keys of their tables: one for each check that speaks of new rows. A record that
/// the centre holds already was flagged when it came first.
pub fn new_flags(acceptance: &Acceptance) -> Vec<(i32, Flag)> {
    let mut found = Vec::new();
    for (rows, is_new) in acceptance.tables() {
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
    let of_new = |(rows, is_new): (&TableRows, &[bool])| {
        rows.flags.iter().filter(|flagged| speaks_of_new(flagged, is_new)).count()
    };
    acceptance.tables().map(of_new).sum()
}

fn speaks_of_new(flagged: &Flagged, is_new: &[bool]) -> bool {
    flagged.rows.iter().any(|row| is_new[*row as usize])
}
