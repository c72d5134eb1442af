//! The arithmetic that rows of a table must satisfy, shown with its figures where it does not hold.

use std::collections::HashMap;

use sdc::refusal::RowFault;

use super::{ColumnValues, TableRows, row_number};
use crate::definition::{Check, Comparison, Severity, Term};

/// Adds a fault for every row that breaks a refusing check of its table.
pub fn check(tables: &[TableRows], faults: &mut Vec<RowFault>) {
    for rows in tables {
        for check in rows.definition.checks.iter().filter(|check| check.severity == Severity::Refuse) {
            let (left, right) = (Side::of(&check.left, rows, tables), Side::of(&check.right, rows, tables));
            for row in 0..rows.row_count() {
                if !holds(check, left.total(row), right.total(row)) {
                    faults.push(RowFault {
                        table: rows.definition.name.clone(),
                        row: row_number(row),
                        column: None,
                        rule: check.code.clone(),
                        expected: arithmetic(check, &left, &right, row),
                    });
                }
            }
        }
    }
}

fn holds(check: &Check, left: i128, right: i128) -> bool {
    match check.comparison {
        Comparison::Equal => left == right,
        Comparison::AtMost => left <= right,
    }
}

/// Shows the figures of a row, such as `Votants 454 (454) = Exprimes 430 + Nuls 23 (453)`.
fn arithmetic(check: &Check, left: &Side<'_>, right: &Side<'_>, row: usize) -> String {
    let sign = match check.comparison {
        Comparison::Equal => "=",
        Comparison::AtMost => "<=",
    };
    format!("{} ({}) {sign} {} ({})", left.text(row), left.total(row), right.text(row), right.total(row))
}

/// One side of a check for the rows of one table.
struct Side<'a> {
    terms: Vec<(String, Figures<'a>)>,
}

/// Where the figures of a term come from.
enum Figures<'a> {
    /// A column of the table itself; absent or NULL counts as nothing.
    Column(Option<&'a ColumnValues>),
    /// Sums over another table's rows, made once for all rows of this one.
    Sums { by_key: HashMap<Vec<String>, i128>, keys: Vec<Option<&'a ColumnValues>> },
}

impl<'a> Side<'a> {
    fn of(terms: &[Term], rows: &'a TableRows, tables: &[TableRows]) -> Side<'a> {
        let prepare = |term: &Term| match term {
            Term::Column(column) => (column.clone(), Figures::Column(rows.column(column))),
            Term::Sum { table, sum, on } => {
                let figures = Figures::Sums { by_key: sums(tables, table, sum, on), keys: columns(rows, on) };
                (format!("sum of {table}.{sum}"), figures)
            }
        };
        Side { terms: terms.iter().map(prepare).collect() }
    }

    /// An i128 holds the sum of as many i64 as a letter can bring.
    fn total(&self, row: usize) -> i128 {
        self.terms.iter().map(|(_, figures)| figures.value(row)).sum()
    }

    fn text(&self, row: usize) -> String {
        let terms: Vec<String> =
            self.terms.iter().map(|(name, figures)| format!("{name} {}", figures.value(row))).collect();
        terms.join(" + ")
    }
}

impl Figures<'_> {
    fn value(&self, row: usize) -> i128 {
        match self {
            Figures::Column(column) => integer(*column, row),
            Figures::Sums { by_key, keys } => by_key.get(&key(keys, row)).copied().unwrap_or(0),
        }
    }
}

fn sums(tables: &[TableRows], table: &str, sum: &str, on: &[String]) -> HashMap<Vec<String>, i128> {
    let mut by_key = HashMap::new();
    for other in tables.iter().filter(|other| other.definition.name.eq_ignore_ascii_case(table)) {
        let (keys, figures) = (columns(other, on), other.column(sum));
        for row in 0..other.row_count() {
            *by_key.entry(key(&keys, row)).or_insert(0) += integer(figures, row);
        }
    }
    by_key
}

fn columns<'a>(rows: &'a TableRows, names: &[String]) -> Vec<Option<&'a ColumnValues>> {
    names.iter().map(|name| rows.column(name)).collect()
}

fn key(columns: &[Option<&ColumnValues>], row: usize) -> Vec<String> {
    columns.iter().map(|column| column.map(|values| values.text(row)).unwrap_or_default()).collect()
}

fn integer(column: Option<&ColumnValues>, row: usize) -> i128 {
    column.and_then(|values| values.integer(row)).map_or(0, i128::from)
}
