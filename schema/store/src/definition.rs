//! What the centre knows of an adopted table: its columns as PostgreSQL has them, its scope, legal key and checks.
//!
//! Adoption reads the definition from the catalogue of PostgreSQL and keeps a version of it (`xm.definitions`);
//! letters are checked against it in Rust before a statement is made, and identifiers in statements come only from here.

use serde::{Deserialize, Serialize};

/// Prefix of the columns that adoption adds; a letter never names them.
pub const PROVENANCE_PREFIX: &str = "xm_";

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
        /// Digits after the point; absent when unlimited.
        scale: Option<u16>,
    },
    /// `boolean`, from a JSON boolean.
    Boolean,
    /// `text`, `varchar(n)` or `char(n)`, from JSON text.
    Text {
        /// Most characters; absent when unlimited.
        length_chars_max: Option<u32>,
    },
    /// `date`, from text `YYYY-MM-DD`.
    Date,
    /// `time`, from text `HH:MM` or `HH:MM:SS`.
    Time,
    /// `timestamptz`, from RFC 3339 text.
    Timestamptz,
    /// `uuid`, from its hyphenated text.
    Uuid,
    /// `bytea`, from base64 text.
    Bytea,
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
}

/// What happens to rows that break a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The letter is refused.
    Refuse,
    /// The letter is accepted and the operators are told.
    Flag,
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

/// One summand of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
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
    },
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
    /// Every column but those of provenance, in PostgreSQL's order.
    pub columns: Vec<Column>,
}

impl Definition {
    /// Finds a column by name, without regard to case (guide 6.4: fields are identified by name).
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}
