//! The flags of a letter that is accepted although it breaks checks or checks cannot be judged (SPEC 4, Checks).
//!
//! A flag stores the numbers of all its rows, at four bytes each, but not their figures. The figures are computed again for the few rows
//! that are shown. So new rows are found and shown even if thousands of rows that were stored before come first in the letter.

use std::fmt;

use crate::tables::definition::{Check, Comparison, Term};

/// The reason why a row is flagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The figures of the row break the check.
    Broken,
    /// A figure of the row is missing, so the check cannot be judged.
    Unjudged,
}

impl Finding {
    /// Returns `broken` or `unjudged`.
    pub fn as_str(self) -> &'static str {
        match self {
            Finding::Broken => "broken",
            Finding::Unjudged => "unjudged",
        }
    }
}

/// The figures of one row for the terms of a check, in the order of the terms; `None` for a missing figure.
#[derive(Clone, PartialEq, Eq)]
pub struct Figures {
    /// Figures of the left terms.
    pub left: Vec<Option<i128>>,
    /// Figures of the right terms.
    pub right: Vec<Option<i128>>,
    /// Figure of the allowance's term.
    pub allowed: Option<i128>,
}

impl Figures {
    /// Returns the arithmetic, such as `Exprimes 430 + Nuls 23 (453) = BulletinsTrouves 454 (454)`, with `?` for a missing figure. An
    /// allowance is shown as the last summand of the right side, or after the right side of an equality.
    ///
    /// `check` must be the check that the figures belong to.
    pub fn arithmetic(&self, check: &Check) -> String {
        let side = |terms: &[Term], figures: &[Option<i128>]| {
            let told = |(term, value): (&Term, &Option<i128>)| match term {
                Term::Number(number) => number.to_string(),
                term => format!("{term} {}", figure(*value)),
            };
            terms.iter().zip(figures).map(told).collect::<Vec<String>>().join(" + ")
        };
        let (left, right) = (side(&check.left, &self.left), side(&check.right, &self.right));
        let (left_total, right_total) = (total(&self.left), total(&self.right));
        let sign = check.comparison.as_str();
        let left = format!("{left} ({})", figure(left_total));
        let Some(allowance) = &check.allowance else {
            return format!("{left} {sign} {right} ({})", figure(right_total));
        };
        let allowed = allowance.figure(self.allowed);
        match check.comparison {
            Comparison::AtMost => {
                let right_total = right_total.zip(allowed).map(|(total, allowed)| total.saturating_add(allowed));
                format!("{left} {sign} {right} + allowance {} ({})", figure(allowed), figure(right_total))
            }
            Comparison::Equal => {
                format!("{left} {sign} {right} ({}) +/- allowance {}", figure(right_total), figure(allowed))
            }
        }
    }
}

fn figure(value: Option<i128>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| value.to_string())
}

/// Returns the sum of figures; `None` if one figure is missing. An i128 cannot overflow, however many i64 values a letter has.
pub fn total(figures: &[Option<i128>]) -> Option<i128> {
    figures.iter().copied().sum()
}

/// The rows of one table that have the same finding of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flagged {
    /// Place of the check in the definition's `checks`.
    pub check: usize,
    /// The finding.
    pub finding: Finding,
    /// Places of the rows within their table of the letter, from 0, ascending.
    pub rows: Vec<u32>,
}

/// The flags of the rows of one table, in the order of checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags(Vec<Flagged>);

impl Flags {
    /// Adds a row. All rows of one check must be added before those of the next check: the entry of the check is searched for only among
    /// the last two, one for each finding.
    pub fn add(&mut self, check: usize, finding: Finding, row: usize) {
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        match self.0.iter_mut().rev().take(2).find(|known| (known.check, known.finding) == (check, finding)) {
            Some(known) => known.rows.push(row),
            None => self.0.push(Flagged { check, finding, rows: vec![row] }),
        }
    }

    /// Returns the flags in the order of checks.
    pub fn iter(&self) -> impl Iterator<Item = &Flagged> {
        self.0.iter()
    }
}

// The figures are parts of records and must never be logged, so only their number is shown.
impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} figures", self.left.len() + self.right.len())
    }
}
