//! The arithmetic that rows of a table must satisfy, as a definition file says it (SPEC 4, Checks).

use std::fmt;

use serde::{Deserialize, Serialize};

/// What happens to rows that break a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The letter is refused.
    Refuse,
    /// The letter is kept whole, in no table, until people decide.
    Hold,
    /// The letter is accepted and the operators are told.
    Flag,
}

impl Severity {
    /// Returns the word that stands in definition files.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Refuse => "refuse",
            Severity::Hold => "hold",
            Severity::Flag => "flag",
        }
    }
}

/// How a check compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// Both sides are equal.
    #[serde(rename = "=")]
    Equal,
    /// Left is at most right.
    #[serde(rename = "<=")]
    AtMost,
}

impl Comparison {
    /// Returns the sign between the sides.
    pub fn as_str(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::AtMost => "<=",
        }
    }
}

/// Which rows of a table are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Those of the letter.
    Letter,
    /// Those that the table holds, with the letter's.
    Held,
}

/// One summand of a check.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "expected a number, a column's name, { table, sum, on }, { table, count, on } or { table, column, on }"
)]
pub enum Term {
    /// A whole number.
    Number(i64),
    /// An integer column of the row.
    Column(String),
    /// The sum of an integer column over those rows of another table, or of the same, that agree with the row on the named columns.
    Sum {
        /// The table.
        table: String,
        /// Its column.
        sum: String,
        /// Columns, of the same names in both tables.
        on: Vec<String>,
        /// Whether rows that the table holds count too, beside those of the letter.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        held: bool,
    },
    /// How many rows of a table agree with the row on the named columns.
    Count {
        /// The table.
        table: String,
        /// Which of its rows.
        count: Counted,
        /// Columns, of the same names in both tables.
        on: Vec<String>,
    },
    /// An integer column of that row which another table holds for the named columns, its legal key; or which the letter brings.
    Reference {
        /// The other table.
        table: String,
        /// Its column.
        column: String,
        /// Columns, of the same names in both tables.
        on: Vec<String>,
    },
}

impl Term {
    /// Returns the table that it looks at, and the columns that its rows agree with the row on; nothing where it looks at no table.
    pub fn joined(&self) -> Option<(&str, &[String])> {
        match self {
            Term::Number(_) | Term::Column(_) => None,
            Term::Sum { table, on, .. } | Term::Count { table, on, .. } | Term::Reference { table, on, .. } => {
                Some((table, on))
            }
        }
    }

    /// Says whether what the tables hold decides it, and not the letter alone.
    pub fn is_of_tables(&self) -> bool {
        match self {
            Term::Number(_) | Term::Column(_) => false,
            Term::Sum { held, .. } => *held,
            Term::Count { count, .. } => *count == Counted::Held,
            Term::Reference { .. } => true,
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Number(number) => write!(f, "{number}"),
            Term::Column(column) => f.write_str(column),
            Term::Sum { table, sum, held: false, .. } => write!(f, "sum of {table}.{sum}"),
            Term::Sum { table, sum, held: true, .. } => write!(f, "sum of all {table}.{sum}"),
            Term::Count { table, count: Counted::Letter, .. } => write!(f, "rows of {table}"),
            Term::Count { table, count: Counted::Held, .. } => write!(f, "all rows of {table}"),
            Term::Reference { table, column, .. } => write!(f, "{table}.{column}"),
        }
    }
}

/// By how much the sides may differ: a fixed number, or a percentage of a term, the larger of which counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// The fixed number.
    #[serde(default)]
    pub fixed: u32,
    /// The percentage, a whole number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub percent: u32,
    /// Of which term; absent where there is no percentage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Term>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Allowance {
    /// Reckons it, `of` being the figure of its term. Parts of a whole are cut off: the sides are whole numbers, so what is shown is
    /// what is judged by. Nothing where the term's figure is missing.
    pub fn figure(&self, of: Option<i128>) -> Option<i128> {
        let fixed = i128::from(self.fixed);
        if self.percent == 0 {
            return Some(fixed);
        }
        of.map(|of| (of.saturating_mul(i128::from(self.percent)) / 100).max(fixed))
    }
}

/// Arithmetic that every row must satisfy: the sum of the left terms compared with the sum of the right ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Stable code, named in receipts.
    pub code: String,
    /// What happens to rows that break it.
    pub severity: Severity,
    /// Left summands.
    pub left: Vec<Term>,
    /// How the sides compare.
    pub comparison: Comparison,
    /// Right summands.
    pub right: Vec<Term>,
    /// By how much they may differ; absent where they may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowance: Option<Allowance>,
}

impl Check {
    /// Goes through its terms: those of the sides, then the one that the allowance is a part of.
    pub fn terms(&self) -> impl Iterator<Item = &Term> {
        let of_allowance = self.allowance.iter().filter_map(|allowance| allowance.of.as_ref());
        self.left.iter().chain(&self.right).chain(of_allowance)
    }

    /// Says whether what the tables hold decides it, so that it is judged under their locks.
    pub fn is_of_tables(&self) -> bool {
        self.terms().any(Term::is_of_tables)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |terms: &[Term]| terms.iter().map(Term::to_string).collect::<Vec<_>>().join(" + ");
        write!(f, "{} {} {}", side(&self.left), self.comparison.as_str(), side(&self.right))?;
        let Some(allowance) = &self.allowance else { return Ok(()) };
        let sign = if self.comparison == Comparison::Equal { "+/-" } else { "+" };
        match &allowance.of {
            Some(of) if allowance.fixed > 0 => {
                write!(f, " {sign} max({}, {} % of {of})", allowance.fixed, allowance.percent)
            }
            Some(of) => write!(f, " {sign} {} % of {of}", allowance.percent),
            None => write!(f, " {sign} {}", allowance.fixed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_of_a_number_and_a_part_counts_and_parts_of_a_whole_are_cut_off() {
        let allowance = |fixed, percent| Allowance { fixed, percent, of: Some(Term::Column("Emargements".to_owned())) };
        for (fixed, percent, of, expected) in [
            (15, 2, Some(700), Some(15)),
            (15, 2, Some(750), Some(15)),
            (15, 2, Some(799), Some(15)),
            (15, 2, Some(800), Some(16)),
            (0, 3, Some(33), Some(0)),
            (0, 3, Some(34), Some(1)),
            (5, 0, None, Some(5)),
            (5, 2, None, None),
            (5, 2, Some(-900), Some(5)),
        ] {
            assert_eq!(allowance(fixed, percent).figure(of), expected, "{fixed} {percent} {of:?}");
        }
    }

    #[test]
    fn a_check_is_read_and_told_in_words() {
        let read = |json: &str| serde_json::from_str::<Check>(json).unwrap();
        let within = read(
            r#"{"code": "c", "severity": "hold", "left": ["Emargements"], "comparison": "<=",
                "right": [{"table": "BureauVote", "column": "Inscrits", "on": ["BureauCode"]}],
                "allowance": {"fixed": 5, "percent": 2, "of": "Emargements"}}"#,
        );
        assert_eq!(within.to_string(), "Emargements <= BureauVote.Inscrits + max(5, 2 % of Emargements)");
        assert!(within.is_of_tables());
        let known = read(
            r#"{"code": "c", "severity": "refuse", "left": [{"table": "CandidatElection", "count": "held", "on": ["CandidatCode"]}],
                "comparison": "=", "right": [1]}"#,
        );
        assert_eq!(known.to_string(), "all rows of CandidatElection = 1");
        let own = read(
            r#"{"code": "c", "severity": "refuse", "left": [{"table": "VoixCandidat", "sum": "Voix", "on": ["BureauCode"]}],
                "comparison": "=", "right": ["Exprimes"], "allowance": {"fixed": 1}}"#,
        );
        assert_eq!(
            (own.to_string().as_str(), own.is_of_tables()),
            ("sum of VoixCandidat.Voix = Exprimes +/- 1", false)
        );
        for check in [within, known, own] {
            assert_eq!(read(&serde_json::to_string(&check).unwrap()), check);
        }
    }
}
