//! What checks say of a letter: what its receipt and the operators are told of an accepted one, and what holds a letter.

use std::collections::HashSet;

use sdc::answer::receipt::Flag;

use super::decision::Acceptance;
use super::work::Work;
use crate::tables::definition::Severity;
use crate::tables::examine::{Finding, Flagged, Found, Holdings, Sides, TableRows, row_number};

/// Returns the flags of an accepted letter with the keys of their tables: one for each check that speaks of new rows. A record that
/// the centre holds already was flagged when it came first.
pub fn new_flags(acceptance: &Acceptance) -> Vec<(i32, Flag)> {
    let own = of_letter(acceptance.work.tables(), &acceptance.is_new, |_| true);
    own.into_iter().chain(acceptance.found.iter().cloned()).map(|found| (found.table_id, found.flag)).collect()
}

/// Returns what checks found that the letter alone decides, where they do what is `wanted` and speak of new rows.
fn of_letter(tables: &[TableRows], is_new: &[Vec<bool>], wanted: impl Fn(Severity) -> bool) -> Vec<Found> {
    let mut found = Vec::new();
    for (rows, is_new) in tables.iter().zip(is_new) {
        for flagged in rows.flags.iter().filter(|flagged| speaks_of_new(flagged, is_new)) {
            let check = &rows.definition.checks[flagged.check];
            if !wanted(check.severity) {
                continue;
            }
            let sides = Sides::of(check, rows, tables, None);
            let mut flag = Flag::new(&rows.definition.name, &check.code, flagged.finding == Finding::Unjudged);
            for row in flagged.rows.iter().map(|row| *row as usize).filter(|row| is_new[*row]) {
                flag.add(row_number(row), || sides.figures(row).arithmetic(check));
            }
            found.push(Found { table_id: rows.definition.table_id, severity: check.severity, flag });
        }
    }
    found
}

/// Returns what holds a letter, `of_tables` being what checks found that look at the tables: each check of severity `hold` that its new
/// rows break, or by which they cannot be judged, and that is not waived.
pub fn holds(tables: &[TableRows], is_new: &[Vec<bool>], of_tables: &[Found], waived: &HashSet<String>) -> Vec<Found> {
    let own = of_letter(tables, is_new, |severity| severity == Severity::Hold);
    let of_tables = of_tables.iter().filter(|found| found.severity == Severity::Hold).cloned();
    own.into_iter().chain(of_tables).filter(|found| !waived.contains(&named(&found.flag))).collect()
}

/// Names a check as operators do, such as `ResultatBureau.votes_add_up`.
pub fn named(flag: &Flag) -> String {
    format!("{}.{}", flag.table, flag.check)
}

/// Says whether it must be known which of a letter's rows are held already, before checks are judged by: a record held already adds
/// nothing to a sum, and holds no letter.
pub fn need_what_is_held(work: &Work, holdings: &Holdings) -> bool {
    work.tables().iter().any(|rows| {
        let holds = |flagged: &Flagged| rows.definition.checks[flagged.check].severity == Severity::Hold;
        holdings.are_of(rows.definition.table_id)
            || rows.definition.checks.iter().any(|check| check.is_of_tables())
            || rows.flags.iter().any(holds)
    })
}

/// Counts what [`new_flags`] returns.
pub fn count_new(acceptance: &Acceptance) -> usize {
    let of_new = |(rows, is_new): (&TableRows, &[bool])| {
        rows.flags.iter().filter(|flagged| speaks_of_new(flagged, is_new)).count()
    };
    acceptance.tables().map(of_new).sum::<usize>() + acceptance.found.len()
}

fn speaks_of_new(flagged: &Flagged, is_new: &[bool]) -> bool {
    flagged.rows.iter().any(|row| is_new[*row as usize])
}
