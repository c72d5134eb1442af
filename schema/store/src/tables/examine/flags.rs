//! What the operators are told of a letter that is accepted all the same (SPEC 4, Checks).
//!
//! A flag says which rows, not what of them: whoever shows it reckons again those few that are shown. So no letter has more
//! flags than are kept, and what is held already takes nobody's place: a row is four bytes, beside the cells it stands for.

use std::fmt;

use crate::tables::definition::{Check, Comparison, Term};

/// Why a row is flagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Its figures do not agree.
    Broken,
    /// One of its figures is missing, so that nobody can say whether they agree.
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

/// The figures of one row for the terms of a check, in their order; `None` for what the row does not say.
#[derive(Clone, PartialEq, Eq)]
pub struct Figures {
    /// Of the left terms.
    pub left: Vec<Option<i128>>,
    /// Of the right terms.
    pub right: Vec<Option<i128>>,
    /// Of the term that the allowance is a part of.
    pub allowed: Option<i128>,
}

impl Figures {
    /// Shows the arithmetic, such as `Exprimes 430 + Nuls 23 (453) = BulletinsTrouves 454 (454)`; a figure that is missing is `?`. An
    /// allowance is the last summand of the right side, or of an equality what stands behind it.
    ///
    /// `check` must be the one that was reckoned.
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

/// Adds figures up; a sum with a figure that is missing is missing. An i128 holds the sum of as many i64 as a letter can bring.
pub fn total(figures: &[Option<i128>]) -> Option<i128> {
    figures.iter().copied().sum()
}

/// The rows of one table for which one check does not hold, or cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flagged {
    /// The check, by its place in the definition's `checks`.
    pub check: usize,
    /// What was found.
    pub finding: Finding,
    /// The rows within their table of the letter, from 0, ascending.
    pub rows: Vec<u32>,
}

/// The flags of one table's rows, in the order of checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags(Vec<Flagged>);

impl Flags {
    /// Adds a row; those of one check are added before those of the next.
    pub fn add(&mut self, check: usize, finding: Finding, row: usize) {
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        match self.0.iter_mut().rev().take(2).find(|known| (known.check, known.finding) == (check, finding)) {
            Some(known) => known.rows.push(row),
            None => self.0.push(Flagged { check, finding, rows: vec![row] }),
        }
    }

    /// Goes through them.
    pub fn iter(&self) -> impl Iterator<Item = &Flagged> {
        self.0.iter()
    }
}

// Figures stand in records: they never reach a log.
impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} figures", self.left.len() + self.right.len())
    }
}
