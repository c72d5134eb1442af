//! Checks: the arithmetic that the rows of a table must satisfy, in the form of definition files (SPEC 4, Checks).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The consequence for a letter with a row that breaks a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The letter is refused, and the refusal lists the rows.
    Refuse,
    /// The letter is held: it is stored whole, but its rows are in no table until operators release the letter or refuse it.
    Hold,
    /// The letter is accepted, and the operators get a flag.
    Flag,
}

impl Severity {
    /// Returns the severity's word in definition files.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Refuse => "refuse",
            Severity::Hold => "hold",
            Severity::Flag => "flag",
        }
    }
}

/// The comparison of a check's two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// Both sides are equal, within the allowance.
    #[serde(rename = "=")]
    Equal,
    /// The left side is at most the sum of the right side and the allowance.
    #[serde(rename = "<=")]
    AtMost,
}

impl Comparison {
    /// Returns the sign of the comparison in definition files.
    pub fn as_str(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::AtMost => "<=",
        }
    }
}

/// The rows of a table that a count includes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Only rows of the letter.
    Letter,
    /// Rows of the letter, and rows stored in the table.
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
    /// A whole number, the same for every row.
    Number(i64),
    /// An integer column of the row itself.
    Column(String),
    /// The sum of an integer column over rows of a table, which may be the row's own table. The summed rows have the same values in the
    /// columns `on` as the row that is checked.
    Sum {
        /// Name of the table, as letters use it.
        table: String,
        /// The column that is summed.
        sum: String,
        /// Columns by which the rows are joined; they have the same names in both tables.
        on: Vec<String>,
        /// Whether the sum includes the stored rows of the table; otherwise only the rows of the letter are summed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        held: bool,
    },
    /// The number of rows of a table that have the same values in the columns `on` as the row that is checked.
    Count {
        /// Name of the table, as letters use it.
        table: String,
        /// The rows that are counted.
        count: Counted,
        /// Columns by which the rows are joined; they have the same names in both tables.
        on: Vec<String>,
    },
    /// An integer column of a referenced row. The referenced row is in another table, stored or in the letter. Its legal key has the values
    /// that the checked row has in the columns `on`.
    Reference {
        /// Name of the other table, as letters use it.
        table: String,
        /// The column of the referenced row.
        column: String,
        /// The columns of the other table's legal key; they have the same names in both tables.
        on: Vec<String>,
    },
}

impl Term {
    /// Returns the table that the term looks at, and the columns by which the rows are joined; `None` for a number or a column.
    pub fn joined(&self) -> Option<(&str, &[String])> {
        match self {
            Term::Number(_) | Term::Column(_) => None,
            Term::Sum { table, on, .. } | Term::Count { table, on, .. } | Term::Reference { table, on, .. } => {
                Some((table, on))
            }
        }
    }

    /// Says whether the term depends on stored rows, and not only on the letter.
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

/// The difference allowed between the sides: a fixed number or a percentage of a term, whichever is larger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// The fixed number; 0 if there is none.
    #[serde(default)]
    pub fixed: u32,
    /// The percentage, a whole number; 0 if there is none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub percent: u32,
    /// The term of which the percentage is taken; absent if there is no percentage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Term>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Allowance {
    /// Returns the allowance as a whole number; `of` is the figure of its term. The fraction is cut off, so that people see exactly the
    /// number that the check uses. Returns `None` if the term's figure is missing.
    pub fn figure(&self, of: Option<i128>) -> Option<i128> {
        let fixed = i128::from(self.fixed);
        if self.percent == 0 {
            return Some(fixed);
        }
        of.map(|of| (of.saturating_mul(i128::from(self.percent)) / 100).max(fixed))
    }
}

/// A check that every row must satisfy. The sum of the left terms is compared with the sum of the right terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Code of the check, which never changes. Receipts refer to the check by this code.
    pub code: String,
    /// The consequence if a row breaks the check.
    pub severity: Severity,
    /// Terms of the left side.
    pub left: Vec<Term>,
    /// Comparison of the sides.
    pub comparison: Comparison,
    /// Terms of the right side.
    pub right: Vec<Term>,
    /// The difference allowed between the sides; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowance: Option<Allowance>,
}

impl Check {
    /// Returns all terms: those of the two sides, then the term of the allowance.
    pub fn terms(&self) -> impl Iterator<Item = &Term> {
        let of_allowance = self.allowance.iter().filter_map(|allowance| allowance.of.as_ref());
        self.left.iter().chain(&self.right).chain(of_allowance)
    }

    /// Says whether the check depends on stored rows. Such a check is judged while the rows' groups are locked, so that no other letter
    /// changes what it adds up.
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
