//! The findings of checks on a letter. On an accepted letter they become flags, for the receipt and the operators. Some findings cause the
//! letter to be held.

use std::collections::HashSet;

use sdc::answer::receipt::Flag;

use super::decision::Acceptance;
use super::work::Work;
use crate::tables::definition::Severity;
use crate::tables::examine::{Finding, Flagged, Found, Holdings, Sides, TableRows, row_number};

/// Returns the flags of an accepted letter, each with the id of its table. There is one flag for each check with findings on new rows. A
/// record that was stored before got its flags when it was stored.
pub fn new_flags(acceptance: &Acceptance) -> Vec<(i32, Flag)> {
    let own = of_letter(acceptance.work.tables(), &acceptance.is_new, |_| true);
    own.into_iter().chain(acceptance.found.iter().cloned()).map(|found| (found.table_id, found.flag)).collect()
}

/// Returns the findings of the checks that need nothing but the letter. Only checks of the wanted severity and findings on new rows count.
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

/// Returns the findings for which a letter is held. These are findings of checks with severity `hold` on new rows: the rows break the
/// check, or the check cannot be judged. Waived checks are left out. `of_tables` has the findings of the checks that look at the tables.
pub fn holds(tables: &[TableRows], is_new: &[Vec<bool>], of_tables: &[Found], waived: &HashSet<String>) -> Vec<Found> {
    let own = of_letter(tables, is_new, |severity| severity == Severity::Hold);
    let of_tables = of_tables.iter().filter(|found| found.severity == Severity::Hold).cloned();
    own.into_iter().chain(of_tables).filter(|found| !waived.contains(&named(&found.flag))).collect()
}

/// Returns a check's name as operators write it, such as `ResultatBureau.votes_add_up`.
pub fn named(flag: &Flag) -> String {
    format!("{}.{}", flag.table, flag.check)
}

/// Says whether the checks of a letter can be judged only when it is known which of its rows are stored already. A row that is stored
/// already adds nothing to a sum, and no letter is held for it.
pub fn need_what_is_held(work: &Work, holdings: &Holdings) -> bool {
    work.tables().iter().any(|rows| needs_what_is_held(rows, holdings))
}

fn needs_what_is_held(rows: &TableRows, holdings: &Holdings) -> bool {
    let holds = |flagged: &Flagged| rows.definition.checks[flagged.check].severity == Severity::Hold;
    holdings.are_of(rows.definition.table_id)
        || rows.definition.checks.iter().any(|check| check.is_of_tables())
        || rows.flags.iter().any(holds)
}

/// Says whether all rows about which [`need_what_is_held`] asks can be taken for new without a look-up, since nothing is stored in the
/// groups to which they belong. `Knowledge::surely_new` says how this may be wrong.
pub fn are_surely_new(work: &Work, holdings: &Holdings) -> bool {
    let mut needed = work.tables().iter().filter(|rows| needs_what_is_held(rows, holdings));
    needed.all(|rows| holdings.have_none_of(rows))
}

/// Counts the flags that [`new_flags`] returns.
pub fn count_new(acceptance: &Acceptance) -> usize {
    let of_new = |(rows, is_new): (&TableRows, &[bool])| {
        rows.flags.iter().filter(|flagged| speaks_of_new(flagged, is_new)).count()
    };
    acceptance.tables().map(of_new).sum::<usize>() + acceptance.found.len()
}

fn speaks_of_new(flagged: &Flagged, is_new: &[bool]) -> bool {
    flagged.rows.iter().any(|row| is_new[*row as usize])
}
