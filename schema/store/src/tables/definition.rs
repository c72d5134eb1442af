//! What the centre knows of an adopted table: its columns as PostgreSQL has them, its scope, legal key and checks.
//!
//! Adoption reads the definition from the catalogue of PostgreSQL and keeps a version of it (`xm.definitions`);
//! letters are checked against it in Rust before a statement is made, and identifiers in statements come only from here.

use sdc::names::{folded, same};
use serde::{Deserialize, Serialize};

pub use super::check::{Allowance, Check, Comparison, Counted, Severity, Term};

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

impl ColumnType {
    /// Returns the PostgreSQL type by which values of two tables are compared where a check joins them: one that every letter's value
    /// fits into, and that indexes serve. None where equal values may be written in different ways.
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
    /// Whether it has results: what is held of it is released, and its records are corrected, by two people, one of them of the election
    /// commission.
    pub results: bool,
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
