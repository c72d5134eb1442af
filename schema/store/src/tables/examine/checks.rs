//! The arithmetic that rows of a table must satisfy, reckoned with its figures (SPEC 4, Checks).
//!
//! What cannot be judged is told, never refused: a sum over no rows is 0, but a figure that is NULL, or that the letter leaves
//! to the table's default, is unknown.

use std::collections::HashMap;

use sdc::names::same;
use sdc::refusal::{RowFault, RowFaults};

use super::flags::{Figures, Finding, Flags};
use super::{ColumnValues, TableRows, row_number};
use crate::tables::definition::{Check, Comparison, Severity, Term};

/// Adds a fault for every row that breaks a refusing check of its table, and returns the flags of each table.
pub fn reckon(tables: &[TableRows], faults: &mut RowFaults) -> Vec<Flags> {
    let mut reckoner = Reckoner { tables, faults };
    tables.iter().map(|rows| reckoner.table(rows)).collect()
}

struct Reckoner<'a> {
    tables: &'a [TableRows],
    faults: &'a mut RowFaults,
}

impl Reckoner<'_> {
    fn table(&mut self, rows: &TableRows) -> Flags {
        let mut flags = Flags::default();
        for (at, check) in rows.definition.checks.iter().enumerate() {
            self.check(at, check, rows, &mut flags);
        }
        flags
    }

    fn check(&mut self, at: usize, check: &Check, rows: &TableRows, flags: &mut Flags) {
        let sides = Sides::of(check, rows, self.tables);
        for row in 0..rows.row_count() {
            let finding = match sides.left.total(row).zip(sides.right.total(row)) {
                Some((left, right)) if holds(check.comparison, left, right) => continue,
                Some(_) if check.severity != Severity::Flag => {
                    self.faults.add(|| RowFault {
                        table: rows.definition.name.clone(),
                        row: row_number(row),
                        column: None,
                        rule: check.code.clone(),
                        expected: sides.figures(row).arithmetic(check),
                    });
                    continue;
                }
                Some(_) => Finding::Broken,
                None => Finding::Unjudged,
            };
            flags.add(at, finding, row);
        }
    }
}

fn holds(comparison: Comparison, left: i128, right: i128) -> bool {
    match comparison {
        Comparison::Equal => left == right,
        Comparison::AtMost => left <= right,
    }
}

/// Both sides of a check for the rows of one table.
pub struct Sides<'a> {
    left: Side<'a>,
    right: Side<'a>,
}

impl<'a> Sides<'a> {
    /// Reckons the sums of a check of `rows` over the tables of their letter.
    pub fn of(check: &Check, rows: &'a TableRows, tables: &'a [TableRows]) -> Sides<'a> {
        Sides { left: Side::of(&check.left, rows, tables), right: Side::of(&check.right, rows, tables) }
    }

    /// Returns the figures of a row.
    pub fn figures(&self, row: usize) -> Figures {
        Figures { left: self.left.figures(row), right: self.right.figures(row) }
    }
}

/// One side of a check for the rows of one table.
struct Side<'a>(Vec<Source<'a>>);

/// Where the figures of a term come from.
enum Source<'a> {
    /// A column of the table itself, if the letter brings it.
    Column(Option<&'a ColumnValues>),
    /// Sums over another table's rows, made once for all rows of this one.
    Sums { by_key: HashMap<Vec<String>, Option<i128>>, keys: Vec<Option<&'a ColumnValues>> },
    /// What no release that adopts the check would ask for: see [`Check::not_offered`].
    Unknown,
}

impl<'a> Side<'a> {
    fn of(terms: &[Term], rows: &'a TableRows, tables: &[TableRows]) -> Side<'a> {
        let source = |term: &Term| match term {
            Term::Column(column) => Source::Column(rows.column(column)),
            Term::Sum { table, sum, on, held: false } => {
                Source::Sums { by_key: sums(tables, table, sum, on), keys: columns(rows, on) }
            }
            Term::Sum { held: true, .. } | Term::Reference { .. } => Source::Unknown,
        };
        Side(terms.iter().map(source).collect())
    }

    fn figures(&self, row: usize) -> Vec<Option<i128>> {
        self.0.iter().map(|source| source.figure(row)).collect()
    }

    fn total(&self, row: usize) -> Option<i128> {
        self.0.iter().map(|source| source.figure(row)).sum()
    }
}

impl Source<'_> {
    fn figure(&self, row: usize) -> Option<i128> {
        match self {
            Source::Column(column) => integer(*column, row),
            // A row whose own key is unknown belongs to a sum that nobody knows.
            Source::Sums { by_key, keys } => by_key.get(&key(keys, row)?).copied().unwrap_or(Some(0)),
            Source::Unknown => None,
        }
    }
}

fn sums(tables: &[TableRows], table: &str, sum: &str, on: &[String]) -> HashMap<Vec<String>, Option<i128>> {
    let mut by_key = HashMap::new();
    for other in tables.iter().filter(|other| same(&other.definition.name, table)) {
        let (keys, figures) = (columns(other, on), other.column(sum));
        for row in 0..other.row_count() {
            let Some(key) = key(&keys, row) else { continue };
            let sum: &mut Option<i128> = by_key.entry(key).or_insert(Some(0));
            *sum = sum.zip(integer(figures, row)).map(|(sum, figure)| sum + figure);
        }
    }
    by_key
}

fn columns<'a>(rows: &'a TableRows, names: &[String]) -> Vec<Option<&'a ColumnValues>> {
    names.iter().map(|name| rows.column(name)).collect()
}

/// Returns the values by which rows of two tables agree; nothing where one of them is NULL, which agrees with nothing.
fn key(columns: &[Option<&ColumnValues>], row: usize) -> Option<Vec<String>> {
    columns.iter().map(|column| column.filter(|values| !values.is_null(row)).map(|values| values.text(row))).collect()
}

fn integer(column: Option<&ColumnValues>, row: usize) -> Option<i128> {
    column.and_then(|values| values.integer(row)).map(i128::from)
}
