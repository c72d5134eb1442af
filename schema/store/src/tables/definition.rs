//! What the centre knows of an adopted table: its columns as PostgreSQL has them, its scope, legal key and checks.
//!
//! Adoption reads the definition from the catalogue of PostgreSQL and keeps a version of it (`xm.definitions`);
//! letters are checked against it in Rust before a statement is made, and identifiers in statements come only from here.

use std::fmt;

use sdc::names::{folded, same};
use serde::{Deserialize, Serialize};

/// Prefix of the columns that adoption adds; a letter never names them.
const PROVENANCE_PREFIX: &str = "xm_";

/// The automatic number that every table has; a sender's value travels as provenance (guide 6.4).
pub const NUMERO: &str = "Numero";
/// The record status that every table has (guide, table 5).
pub const STATUS: &str = "Status";

/// Says whether a column's name is kept for provenance, whatever its case.
pub fn is_provenance(name: &str) -> bool {
    folded(name).starts_with(PROVENANCE_PREFIX)
}

/// How corrections of a table's records are decided (SPEC 4, Tables).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corrections {
    /// Records are intangible.
    Never,
    /// An operator approves each.
    AfterApproval,
    /// The agency decides.
    ByAgency,
}

/// The types that a column may have. A table with any other type cannot be adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum ColumnType {
    /// `smallint`, from a JSON integer.
    Smallint,
    /// `integer`, from a JSON integer.
    Integer,
    /// `bigint`, from a JSON integer.
    Bigint,
    /// `numeric(precision, scale)`, from a JSON integer or decimal text.
    Numeric {
        /// Digits in all; absent when unlimited.
        precision: Option<u16>,
        /// Digits after the point, -1000 to 1000; absent when unlimited. A negative scale keeps so many digits before the point
        /// at zero, and one above the precision so many after it.
        scale: Option<i16>,
    },
    /// `boolean`, from a JSON boolean.
    Boolean,
    /// `text`, `varchar(n)` or `char(n)`, from JSON text.
    Text {
        /// Most characters; absent when unlimited.
        length_chars_max: Option<u32>,
        /// `char(n)`: PostgreSQL fills it up with blanks and takes blanks at the end for nothing.
        #[serde(default, skip_serializing_if = "is_false")]
        padded: bool,
    },
    /// `date`, from text `YYYY-MM-DD`.
    Date,
    /// `time`, from text `HH:MM` or `HH:MM:SS`.
    Time,
    /// `timestamptz(n)`, from RFC 3339 text.
    Timestamptz {
        /// Digits of a fraction of a second; absent where the column keeps all six.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fraction_digits: Option<u8>,
    },
    /// `uuid`, from its hyphenated text.
    Uuid,
    /// `bytea`, from base64 text.
    Bytea,
}

impl ColumnType {
    /// Names it as PostgreSQL does, such as `varchar(80)`.
    pub fn in_sql(self) -> String {
        match self {
            ColumnType::Smallint => "smallint".to_owned(),
            ColumnType::Integer => "integer".to_owned(),
            ColumnType::Bigint => "bigint".to_owned(),
            ColumnType::Numeric { precision: Some(precision), scale } => {
                format!("numeric({precision},{})", scale.unwrap_or_default())
            }
            ColumnType::Numeric { precision: None, .. } => "numeric".to_owned(),
            ColumnType::Boolean => "boolean".to_owned(),
            ColumnType::Text { length_chars_max: None, .. } => "text".to_owned(),
            ColumnType::Text { length_chars_max: Some(most), padded: true } => format!("char({most})"),
            ColumnType::Text { length_chars_max: Some(most), padded: false } => format!("varchar({most})"),
            ColumnType::Date => "date".to_owned(),
            ColumnType::Time => "time".to_owned(),
            ColumnType::Timestamptz { fraction_digits: None } => "timestamptz".to_owned(),
            ColumnType::Timestamptz { fraction_digits: Some(digits) } => format!("timestamptz({digits})"),
            ColumnType::Uuid => "uuid".to_owned(),
            ColumnType::Bytea => "bytea".to_owned(),
        }
    }
}

/// One column of an adopted table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The name as PostgreSQL has it.
    pub name: String,
    /// Its type.
    #[serde(flatten)]
    pub kind: ColumnType,
    /// Whether NULL is a value.
    pub nullable: bool,
    /// Whether PostgreSQL fills it in when a letter leaves it out.
    pub has_default: bool,
    /// Whether its text may have several lines.
    #[serde(default, skip_serializing_if = "is_false")]
    pub multiline: bool,
}

impl Column {
    /// Says whether a letter must bring it.
    pub fn is_needed(&self) -> bool {
        self.name == NUMERO || self.name == STATUS || (!self.nullable && !self.has_default)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// What happens to rows that break a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The letter is refused.
    Refuse,
    /// The letter is kept whole, in no table, until people decide. Not offered yet: see [`Check::not_offered`].
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

/// One summand of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "expected a column's name, { table, sum, on } or { table, column, on }"
)]
pub enum Term {
    /// An integer column of the row.
    Column(String),
    /// The sum of an integer column over those rows of another table of the same letter that agree with the row on the named columns.
    Sum {
        /// The other table.
        table: String,
        /// Its column.
        sum: String,
        /// Columns, of the same names in both tables.
        on: Vec<String>,
        /// Whether rows that the table holds already count too. Not offered yet: see [`Check::not_offered`].
        #[serde(default, skip_serializing_if = "is_false")]
        held: bool,
    },
    /// An integer column of that row which another table holds for the named columns. Not offered yet: see [`Check::not_offered`].
    Reference {
        /// The other table.
        table: String,
        /// Its column.
        column: String,
        /// Columns, of the same names in both tables.
        on: Vec<String>,
    },
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Column(column) => f.write_str(column),
            Term::Sum { table, sum, held: false, .. } => write!(f, "sum of {table}.{sum}"),
            Term::Sum { table, sum, held: true, .. } => write!(f, "sum of all {table}.{sum}"),
            Term::Reference { table, column, .. } => write!(f, "{table}.{column}"),
        }
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
}

impl Check {
    /// Names what the check asks for that this release cannot do. Such a check is neither adopted nor judged by: a rule that
    /// is looked at in part only would pass what it was made to stop.
    pub fn not_offered(&self) -> Option<NotOffered> {
        let terms = || self.left.iter().chain(&self.right);
        if self.severity == Severity::Hold {
            Some(NotOffered::Hold)
        } else if terms().any(|term| matches!(term, Term::Reference { .. })) {
            Some(NotOffered::Reference)
        } else if terms().any(|term| matches!(term, Term::Sum { held: true, .. })) {
            Some(NotOffered::HeldSum)
        } else {
            None
        }
    }
}

/// What a check may ask for, and this release does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOffered {
    /// Severity `hold`.
    Hold,
    /// A column of a referenced row.
    Reference,
    /// A sum over what the table holds.
    HeldSum,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |terms: &[Term]| terms.iter().map(Term::to_string).collect::<Vec<_>>().join(" + ");
        write!(f, "{} {} {}", side(&self.left), self.comparison.as_str(), side(&self.right))
    }
}

/// An adopted table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Key in `xm.tables`.
    pub table_id: i32,
    /// Family of tables.
    pub application: String,
    /// Name in letters.
    pub name: String,
    /// PostgreSQL schema.
    pub schema_name: String,
    /// PostgreSQL relation.
    pub relation_name: String,
    /// Version of the columns.
    pub version: i32,
    /// Column whose values must lie within the codes granted to the agency.
    pub scope_column: Option<String>,
    /// Columns that together name a record in law; unique among live records.
    pub legal_key: Vec<String>,
    /// How corrections are decided.
    pub corrections: Corrections,
    /// Arithmetic rules.
    pub checks: Vec<Check>,
    /// Where the marginal notes of its records are.
    pub notes: Option<Notes>,
    /// Every column but those of provenance, in PostgreSQL's order.
    pub columns: Vec<Column>,
}

/// Where the marginal notes of a table's records are: the live rows of another table of the same application that agree with a record
/// in some columns, which have the same names in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// The other table.
    pub table: String,
    /// The columns.
    pub on: Vec<String>,
}

impl Definition {
    /// Finds a column by name, without regard to case (guide 6.4: fields are identified by name).
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| same(&column.name, name))
    }
}
