//! The arithmetic that rows of a table must satisfy, shown with its figures where it does not hold.

use sdc::refusal::RowFault;

use super::{TableRows, row_number};
use crate::definition::{Check, Comparison, Severity, Term};

/// Adds a fault for every row that breaks a refusing check of its table.
pub fn check(tables: &[TableRows], faults: &mut Vec<RowFault>) {
    for rows in tables {
        for check in rows.definition.checks.iter().filter(|check| check.severity == Severity::Refuse) {
            for row in 0..rows.row_count() {
                if let Some(arithmetic) = broken(check, rows, row, tables) {
                    faults.push(RowFault {
                        table: rows.definition.name.clone(),
                        row: row_number(row),
                        column: None,
                        rule: check.code.clone(),
                        expected: arithmetic,
                    });
                }
            }
        }
    }
}

/// Returns the arithmetic of a check that a row breaks, such as `Votants 454 = Exprimes 430 + Nuls 23 (453)`.
fn broken(check: &Check, rows: &TableRows, row: usize, tables: &[TableRows]) -> Option<String> {
    let left = Side::sum(&check.left, rows, row, tables);
    let right = Side::sum(&check.right, rows, row, tables);
    let (holds, sign) = match check.comparison {
        Comparison::Equal => (left.total == right.total, "="),
        Comparison::AtMost => (left.total <= right.total, "<="),
    };
    (!holds).then(|| format!("{} ({}) {sign} {} ({})", left.text, left.total, right.text, right.total))
}

struct Side {
    total: i128,
    text: String,
}

impl Side {
    fn sum(terms: &[Term], rows: &TableRows, row: usize, tables: &[TableRows]) -> Side {
        let mut side = Side { total: 0, text: String::new() };
        for term in terms {
            let (value, name) = match term {
                Term::Column(column) => (integer(rows, column, row), column.clone()),
                Term::Sum { table, sum, on } => {
                    (sum_over(tables, table, sum, on, rows, row), format!("sum of {table}.{sum}"))
                }
            };
            // An i128 holds the sum of as many i64 as a letter can bring.
            side.total += value;
            let joint = if side.text.is_empty() { "" } else { " + " };
            side.text.push_str(&format!("{joint}{name} {value}"));
        }
        side
    }
}

/// A column that is absent or NULL counts as nothing.
fn integer(rows: &TableRows, column: &str, row: usize) -> i128 {
    rows.column(column).and_then(|values| values.integer(row)).map_or(0, i128::from)
}

fn sum_over(tables: &[TableRows], table: &str, sum: &str, on: &[String], rows: &TableRows, row: usize) -> i128 {
    let key = |rows: &TableRows, row: usize| -> Vec<String> {
        on.iter().map(|name| rows.column(name).map(|values| values.text(row)).unwrap_or_default()).collect()
    };
    let wanted = key(rows, row);
    tables
        .iter()
        .filter(|other| other.definition.name.eq_ignore_ascii_case(table))
        .flat_map(|other| (0..other.row_count()).map(move |at| (other, at)))
        .filter(|(other, at)| key(other, *at) == wanted)
        .map(|(other, at)| integer(other, sum, at))
        .sum()
}
