//! A column of an adopted table, as the centre's definition describes it. Centre and offices read the same description.

use serde::{Deserialize, Serialize};

use crate::names::folded;

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
