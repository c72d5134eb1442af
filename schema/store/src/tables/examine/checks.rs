//! Computes the checks that the rows of a table must satisfy, with their figures (SPEC 4, Checks).
//!
//! Checks that depend only on the letter are computed when the letter is examined. Checks that also depend on stored rows are computed for
//! the new rows, while the groups are locked. A check that cannot be judged gives the finding `unjudged` and refuses no letter. A sum over
//! no rows is 0. A figure is unknown if it is NULL, if the letter leaves it to the table's default, or if its referenced row is missing.

use std::collections::HashMap;

use sdc::answer::receipt::Flag;
use sdc::refusal::{RowFault, RowFaults};

use super::flags::{Figures, Finding, Flags};
use super::holdings::{Beside, GroupKey, Measure, Totals, columns, integer, key, of_letter};
use super::rows::{TableRows, row_number};
use super::values::ColumnValues;
use crate::tables::definition::{Check, Comparison, Counted, Severity, Term};

/// Computes the checks that depend only on the letter. Adds a fault for every row that breaks a check with severity `refuse`. Returns the
/// other findings of each table.
pub fn reckon(tables: &[TableRows], faults: &mut RowFaults) -> Vec<Flags> {
    let mut found = Vec::with_capacity(tables.len());
    for rows in tables {
        let mut flags = Flags::default();
        for (at, check) in rows.definition.checks.iter().enumerate().filter(|(_, check)| !check.is_of_tables()) {
            let sides = Sides::of(check, rows, tables, None);
            for row in 0..rows.row_count() {
                match sides.finding(check, row) {
                    None => {}
                    Some(Finding::Broken) if check.severity == Severity::Refuse => {
                        faults.add(|| fault(rows, check, row, &sides));
                    }
                    Some(finding) => flags.add(at, finding, row),
                }
            }
        }
        found.push(flags);
    }
    found
}

/// The finding of a check on the rows of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Id of the table.
    pub table_id: i32,
    /// Severity of the check.
    pub severity: Severity,
    /// The flag, as receipt and operators get it.
    pub flag: Flag,
}

/// Computes the checks that depend on stored rows, for the new rows of a letter. Adds a fault for every row that breaks a check with
/// severity `refuse`. Returns the other findings.
pub fn reckon_of_tables(
    tables: &[TableRows],
    is_new: &[Vec<bool>],
    beside: Beside<'_>,
    faults: &mut RowFaults,
) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, rows) in tables.iter().enumerate() {
        for check in rows.definition.checks.iter().filter(|check| check.is_of_tables()) {
            let sides = Sides::of(check, rows, tables, Some(beside));
            let flag = |unjudged| Flag::new(&rows.definition.name, &check.code, unjudged);
            let (mut broken, mut unjudged) = (flag(false), flag(true));
            for row in (0..rows.row_count()).filter(|row| is_new[table][*row]) {
                let arithmetic = || sides.figures(row).arithmetic(check);
                match sides.finding(check, row) {
                    None => {}
                    Some(Finding::Broken) if check.severity == Severity::Refuse => {
                        faults.add(|| fault(rows, check, row, &sides));
                    }
                    Some(Finding::Broken) => broken.add(row_number(row), arithmetic),
                    Some(Finding::Unjudged) => unjudged.add(row_number(row), arithmetic),
                }
            }
            let told = [broken, unjudged].into_iter().filter(|flag| flag.rows_total > 0);
            found.extend(told.map(|flag| Found { table_id: rows.definition.table_id, severity: check.severity, flag }));
        }
    }
    found
}

/// Computes the checks of a corrected record with its new values. For a cancelled record, computes the checks of its group without the
/// record. `number` is the correction's place in its letter. Adds a fault for each broken check with severity `refuse`. Returns the other
/// findings.
pub fn reckon_corrected(
    rows: &TableRows,
    number: u32,
    is_cancelled: bool,
    beside: Beside<'_>,
    faults: &mut RowFaults,
) -> Vec<Found> {
    let mut found = Vec::new();
    for check in &rows.definition.checks {
        // A cancelled record has no figures any more, so checks on its columns do not apply.
        if is_cancelled && check.terms().any(|term| matches!(term, Term::Column(_))) {
            continue;
        }
        let sides = Sides::of(check, rows, &[], Some(beside));
        match sides.finding(check, 0) {
            None => {}
            Some(Finding::Broken) if check.severity == Severity::Refuse => {
                faults.add(|| RowFault { row: number, ..fault(rows, check, 0, &sides) });
            }
            Some(finding) => {
                let mut flag = Flag::new(&rows.definition.name, &check.code, finding == Finding::Unjudged);
                flag.add(number, || sides.figures(0).arithmetic(check));
                found.push(Found { table_id: rows.definition.table_id, severity: check.severity, flag });
            }
        }
    }
    found
}

fn fault(rows: &TableRows, check: &Check, row: usize, sides: &Sides<'_>) -> RowFault {
    RowFault {
        table: rows.definition.name.clone(),
        row: row_number(row),
        column: None,
        rule: check.code.clone(),
        expected: sides.figures(row).arithmetic(check),
    }
}

/// Both sides of a check for the rows of one table, and the term of its allowance.
pub struct Sides<'a> {
    left: Side<'a>,
    right: Side<'a>,
    allowed: Option<Source<'a>>,
}

impl<'a> Sides<'a> {
    /// Computes the sums of a check over the tables of the letter, and takes the totals of stored rows from `beside`. Without `beside`,
    /// figures that depend on stored rows are unknown.
    pub fn of(check: &Check, rows: &'a TableRows, tables: &'a [TableRows], beside: Option<Beside<'_>>) -> Sides<'a> {
        let source = |term: &Term| Source::of(term, rows, tables, beside);
        Sides {
            left: Side(check.left.iter().map(source).collect()),
            right: Side(check.right.iter().map(source).collect()),
            allowed: check.allowance.as_ref().and_then(|allowance| allowance.of.as_ref()).map(source),
        }
    }

    /// Returns the figures of a row.
    pub fn figures(&self, row: usize) -> Figures {
        let allowed = self.allowed.as_ref().and_then(|source| source.figure(row));
        Figures { left: self.left.figures(row), right: self.right.figures(row), allowed }
    }

    /// Returns the finding of a row; `None` if the row satisfies the check.
    fn finding(&self, check: &Check, row: usize) -> Option<Finding> {
        let allowance = match &check.allowance {
            None => Some(0),
            Some(allowance) => allowance.figure(self.allowed.as_ref().and_then(|source| source.figure(row))),
        };
        match (self.left.total(row), self.right.total(row), allowance) {
            (Some(left), Some(right), Some(allowance)) => {
                let holds = match check.comparison {
                    Comparison::Equal => left.abs_diff(right) <= allowance.unsigned_abs(),
                    Comparison::AtMost => left <= right.saturating_add(allowance),
                };
                (!holds).then_some(Finding::Broken)
            }
            _ => Some(Finding::Unjudged),
        }
    }
}

/// One side of a check for the rows of one table.
struct Side<'a>(Vec<Source<'a>>);

impl Side<'_> {
    fn figures(&self, row: usize) -> Vec<Option<i128>> {
        self.0.iter().map(|source| source.figure(row)).collect()
    }

    fn total(&self, row: usize) -> Option<i128> {
        self.0.iter().map(|source| source.figure(row)).sum()
    }
}

/// Selects which of a group's totals is the figure of a term.
#[derive(Clone, Copy)]
enum Taken {
    Sum,
    Rows,
    /// The value of the group's only row.
    Value,
}

impl Taken {
    fn figure(self, totals: Totals) -> Option<i128> {
        match self {
            Taken::Rows => Some(i128::from(totals.rows)),
            Taken::Sum => (totals.unknown == 0).then_some(totals.sum),
            Taken::Value => (totals.rows == 1 && totals.unknown == 0).then_some(totals.sum),
        }
    }
}

/// The source of a term's figures.
enum Source<'a> {
    Number(i128),
    /// A column of the row itself; `None` if the letter leaves the column out.
    Column(Option<&'a ColumnValues>),
    /// Totals of groups of rows in a table, computed once for all rows that are checked. If the group of a row is not in `by_key`, the row
    /// gets the totals `none`.
    Groups {
        by_key: HashMap<GroupKey, Totals>,
        none: Option<Totals>,
        keys: Vec<Option<&'a ColumnValues>>,
        taken: Taken,
    },
    /// The figure is unknown for every row.
    Unknown,
}

impl<'a> Source<'a> {
    fn of(term: &Term, rows: &'a TableRows, tables: &[TableRows], beside: Option<Beside<'_>>) -> Source<'a> {
        match term {
            Term::Number(number) => Source::Number(i128::from(*number)),
            Term::Column(column) => Source::Column(rows.column(column)),
            _ if term.joined().is_some() && beside.is_some_and(|beside| beside.stands_for_letter) => {
                let taken = match term {
                    Term::Count { .. } => Taken::Rows,
                    Term::Reference { .. } => Taken::Value,
                    _ => Taken::Sum,
                };
                Source::of_tables(term, taken, rows, beside)
            }
            Term::Sum { table, sum, on, held: false } => Source::Groups {
                by_key: of_letter(tables, table, Some(sum), on),
                none: Some(Totals::default()),
                keys: columns(rows, on),
                taken: Taken::Sum,
            },
            Term::Count { table, count: Counted::Letter, on } => Source::Groups {
                by_key: of_letter(tables, table, None, on),
                none: Some(Totals::default()),
                keys: columns(rows, on),
                taken: Taken::Rows,
            },
            Term::Sum { .. } => Source::of_tables(term, Taken::Sum, rows, beside),
            Term::Count { .. } => Source::of_tables(term, Taken::Rows, rows, beside),
            Term::Reference { .. } => Source::of_tables(term, Taken::Value, rows, beside),
        }
    }

    fn of_tables(term: &Term, taken: Taken, rows: &'a TableRows, beside: Option<Beside<'_>>) -> Source<'a> {
        let asked = beside.and_then(|beside| {
            let (measure, _) = Measure::of(term, &rows.definition, beside.catalogue, beside.stands_for_letter)?;
            Some((beside.holdings, measure))
        });
        let Some((holdings, measure)) = asked else { return Source::Unknown };
        let keys = columns(rows, &measure.on);
        let mut by_key = HashMap::new();
        for key in (0..rows.row_count()).filter_map(|row| key(&keys, row)) {
            if let Some(totals) = holdings.totals(&measure, &key) {
                by_key.insert(key, totals);
            }
        }
        Source::Groups { by_key, none: None, keys, taken }
    }

    fn figure(&self, row: usize) -> Option<i128> {
        match self {
            Source::Number(number) => Some(*number),
            Source::Column(column) => integer(*column, row),
            // If a row has NULL in one of the columns, it belongs to no group, so its figure is unknown.
            Source::Groups { by_key, none, keys, taken } => {
                taken.figure(by_key.get(&key(keys, row)?).copied().or(*none)?)
            }
            Source::Unknown => None,
        }
    }
}
