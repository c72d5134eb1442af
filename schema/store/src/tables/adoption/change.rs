//! What adopting a table again changed, so that an operator sees what offices will meet.

use std::fmt;

use serde::Serialize;

use crate::tables::definition::{Column, ColumnType};

/// One difference between a table as it was adopted and as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Letters may name a further column.
    ColumnAdded {
        /// As it is.
        column: Column,
    },
    /// Letters that name it are refused from now on.
    ColumnGone {
        /// Its name.
        name: String,
    },
    /// Its type, nullability, default or lines changed.
    ColumnChanged {
        /// As it was.
        was: Column,
        /// As it is.
        is: Column,
    },
    /// What the definition file says: `scope`, `legal_key`, `corrections`, `checks`, `rights` or `name`.
    Setting {
        /// Its key in the file.
        key: &'static str,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::ColumnAdded { column } => write!(f, "column {} is new: {}", column.name, in_sql(column)),
            Change::ColumnGone { name } => write!(f, "column {name} is gone: letters that name it are refused"),
            Change::ColumnChanged { was, is } => {
                write!(f, "column {} was {}, is {}", is.name, in_sql(was), in_sql(is))
            }
            Change::Setting { key } => write!(f, "{key} changed"),
        }
    }
}

/// Compares columns by name, in the order of the table.
pub fn of_columns(was: &[Column], is: &[Column]) -> Vec<Change> {
    let find = |columns: &[Column], name: &str| columns.iter().find(|column| column.name == name).cloned();
    let mut changes: Vec<Change> = is
        .iter()
        .filter_map(|column| match find(was, &column.name) {
            None => Some(Change::ColumnAdded { column: column.clone() }),
            Some(former) if former != *column => Some(Change::ColumnChanged { was: former, is: column.clone() }),
            Some(_) => None,
        })
        .collect();
    let gone = was.iter().filter(|column| find(is, &column.name).is_none());
    changes.extend(gone.map(|column| Change::ColumnGone { name: column.name.clone() }));
    changes
}

/// Words a column as CREATE TABLE would.
pub fn in_sql(column: &Column) -> String {
    let mut words = type_in_sql(column.kind);
    if !column.nullable {
        words.push_str(" NOT NULL");
    }
    if column.has_default {
        words.push_str(", with a default");
    }
    if column.multiline {
        words.push_str(", of several lines");
    }
    words
}

/// Names a type as PostgreSQL does.
pub fn type_in_sql(kind: ColumnType) -> String {
    match kind {
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
