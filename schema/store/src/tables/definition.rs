//! The definition of an adopted table: its columns as in PostgreSQL, its scope, legal key and checks.
//!
//! Adoption reads the columns from PostgreSQL's catalogue and stores the definition as a version in `xm.definitions`. Letters are checked
//! against the definition in Rust before any statement is built, and all identifiers in statements come from the definition.

use sdc::names::{folded, same};
use serde::{Deserialize, Serialize};

pub use super::check::{Allowance, Check, Comparison, Counted, Severity, Term};

/// Prefix of the columns that adoption adds. A letter never uses such a column.
const PROVENANCE_PREFIX: &str = "xm_";

/// The column with the automatic number, which every table has. The centre assigns this number; the one that the sender gave is stored in
/// `xm_numero` (guide 6.4).
pub const NUMERO: &str = "Numero";
/// The column with the record status, which every table has (guide, table 5).
pub const STATUS: &str = "Status";

/// Says whether a column's name begins as those that adoption adds. The case does not matter.
pub fn is_provenance(name: &str) -> bool {
    folded(name).starts_with(PROVENANCE_PREFIX)
}

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
        /// Number of digits in all; absent if unlimited.
        precision: Option<u16>,
        /// Number of digits after the point, -1000 to 1000; absent if unlimited. With a negative scale, the last digits before the point
        /// are zero, as many as the scale says. With a scale above the precision, the first (scale - precision) digits after the point are
        /// zero.
        scale: Option<i16>,
    },
    /// `boolean`, from a JSON boolean.
    Boolean,
    /// `text`, `varchar(n)` or `char(n)`, from JSON text.
    Text {
        /// Largest number of characters; absent if unlimited.
        length_chars_max: Option<u32>,
        /// Whether the type is `char(n)`: PostgreSQL pads its values with blanks and ignores blanks at their end.
        #[serde(default, skip_serializing_if = "is_false")]
        padded: bool,
    },
    /// `date`, from text `YYYY-MM-DD`.
    Date,
    /// `time`, from text `HH:MM` or `HH:MM:SS`.
    Time,
    /// `timestamptz(n)`, from RFC 3339 text.
    Timestamptz {
        /// Number of digits of a fraction of a second; absent if the column stores all six.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fraction_digits: Option<u8>,
    },
    /// `uuid`, from its hyphenated text.
    Uuid,
    /// `bytea`, from base64 text.
    Bytea,
}

impl ColumnType {
    /// Returns the type's name in PostgreSQL, such as `varchar(80)`.
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

impl ColumnType {
    /// Returns the PostgreSQL type to which values are cast if a check joins two tables. Every letter's value fits into this type, and
    /// indexes can be used with it. Returns `None` if equal values may be written in different ways.
    pub fn joined_as(self) -> Option<&'static str> {
        match self {
            ColumnType::Smallint | ColumnType::Integer | ColumnType::Bigint => Some("bigint"),
            ColumnType::Text { padded: false, .. } => Some("text"),
            ColumnType::Text { padded: true, .. } => Some("bpchar"),
            ColumnType::Date => Some("date"),
            ColumnType::Uuid => Some("uuid"),
            ColumnType::Numeric { .. }
            | ColumnType::Boolean
            | ColumnType::Time
            | ColumnType::Timestamptz { .. }
            | ColumnType::Bytea => None,
        }
    }
}

/// One column of an adopted table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Name of the column, spelled as in PostgreSQL.
    pub name: String,
    /// Type of the column.
    #[serde(flatten)]
    pub kind: ColumnType,
    /// Whether the column may be NULL.
    pub nullable: bool,
    /// Whether PostgreSQL fills in the column if a letter leaves it out.
    pub has_default: bool,
    /// Whether the column's text may have several lines.
    #[serde(default, skip_serializing_if = "is_false")]
    pub multiline: bool,
}

impl Column {
    /// Says whether a letter must give a value for the column.
    pub fn is_needed(&self) -> bool {
        self.name == NUMERO || self.name == STATUS || (!self.nullable && !self.has_default)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !*value
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
