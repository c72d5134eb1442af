//! What the operators are told of a letter that is accepted all the same (SPEC 4, Checks).
//!
//! A flag carries figures, not words: whoever shows it makes the words. Its names are those of the check in the table's
//! definition, to which it points.

use std::fmt;

use crate::definition::Check;

/// Most flags that one letter has with their figures; the others are counted. Honest letters have a handful: this bounds what a
/// letter of a hundred thousand rows, each of which breaks every check, takes of memory.
pub const FLAGS_MAX: usize = 10_000;

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

/// A check that does not hold, or cannot be judged, for a row of an accepted letter.
#[derive(Clone, PartialEq, Eq)]
pub struct Flag {
    /// The row within its table of the letter, from 0.
    pub row: usize,
    /// The check, by its place in the definition's `checks`.
    pub check: usize,
    /// What was found.
    pub finding: Finding,
    /// The figures of both sides.
    pub figures: Figures,
}

/// The figures of one row for the terms of a check, in their order; `None` for what the row does not say.
#[derive(Clone, PartialEq, Eq)]
pub struct Figures {
    /// Of the left terms.
    pub left: Vec<Option<i128>>,
    /// Of the right terms.
    pub right: Vec<Option<i128>>,
}

impl Figures {
    /// Shows the arithmetic, such as `Exprimes 430 + Nuls 23 (453) = BulletinsTrouves 454 (454)`; a figure that is missing is `?`.
    ///
    /// `check` must be the one that was reckoned.
    pub fn arithmetic(&self, check: &Check) -> String {
        let figure = |value: Option<i128>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
        let side = |terms: &[_], figures: &[Option<i128>]| {
            let terms: Vec<String> =
                terms.iter().zip(figures).map(|(term, value)| format!("{term} {}", figure(*value))).collect();
            format!("{} ({})", terms.join(" + "), figure(total(figures)))
        };
        let (left, right) = (side(&check.left, &self.left), side(&check.right, &self.right));
        format!("{left} {} {right}", check.comparison.as_str())
    }
}

/// Adds figures up; a sum with a figure that is missing is missing. An i128 holds the sum of as many i64 as a letter can bring.
pub fn total(figures: &[Option<i128>]) -> Option<i128> {
    figures.iter().copied().sum()
}

// Figures stand in records: they never reach a log.
impl fmt::Debug for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {} check {} {}", self.row, self.check, self.finding.as_str())
    }
}

/// The flags of one table's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Those kept, in the order of checks and rows.
    pub kept: Vec<Flag>,
    /// How many there are in all.
    pub total: usize,
}
