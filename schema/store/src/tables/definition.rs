//! The definition of an adopted table: its columns as in PostgreSQL, its scope, legal key and checks.
//!
//! Adoption reads the columns from PostgreSQL's catalogue and stores the definition as a version in `xm.definitions`. Letters are checked
//! against the definition in Rust before any statement is built, and all identifiers in statements come from the definition.

pub use sdc::examine::column::{Column, ColumnType, NUMERO, STATUS, is_provenance};
use sdc::names::same;
use serde::{Deserialize, Serialize};

pub use super::check::{Allowance, Check, Comparison, Counted, Severity, Term};

/// The policy of a table for corrections of its records (SPEC 4, Tables).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corrections {
    /// No record is ever corrected.
    Never,
    /// Each correction waits until an operator approves it.
    AfterApproval,
    /// The agency's correction takes effect immediately.
    ByAgency,
}

/// The definition of an adopted table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Key in `xm.tables`.
    pub table_id: i32,
    /// Application of the table.
    pub application: String,
    /// Name of the table, as letters use it.
    pub name: String,
    /// PostgreSQL schema of the table.
    pub schema_name: String,
    /// Name of the table in PostgreSQL.
    pub relation_name: String,
    /// Version of the definition.
    pub version: i32,
    /// Column whose values must be among the codes granted to the agency.
    pub scope_column: Option<String>,
    /// Columns that together identify a record in law. Their values are unique among live records.
    pub legal_key: Vec<String>,
    /// Policy for corrections.
    pub corrections: Corrections,
    /// Whether the table contains results of an election. For such a table, two people must agree to release held letters and to correct
    /// records, and one of the two must belong to the election commission.
    pub results: bool,
    /// Checks that rows of the table must satisfy.
    pub checks: Vec<Check>,
    /// Table and columns of the marginal notes on the table's records; `None` if it has no notes.
    pub notes: Option<Notes>,
    /// All columns in PostgreSQL's order, except those that adoption added (`xm_…`), to which a letter cannot give values.
    pub columns: Vec<Column>,
}

/// The place of the marginal notes on a table's records. The notes are the live rows of another table of the application that have the
/// record's values in the columns `on`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// Name of the other table, as letters use it.
    pub table: String,
    /// Columns that join a note with its record; they have the same names in both tables.
    pub on: Vec<String>,
}

impl Definition {
    /// Finds a column by its name. The case does not matter (guide 6.4: fields are identified by name).
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| same(&column.name, name))
    }
}
