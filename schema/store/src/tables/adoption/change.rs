//! What adopting a table again changed, so that an operator sees what offices will meet: codes with parameters. The words are made
//! where they are read.

use serde::Serialize;

use crate::tables::definition::Column;

/// How a table stands after adoption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The table is new.
    Adopted,
    /// Its columns changed: the definition has a further version.
    NewVersion,
    /// Scope, key, checks, corrections or rights changed.
    Changed,
    /// Nothing changed.
    Unchanged,
}

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
    /// Its type, nullability or default changed, or whether its text may have several lines.
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

impl Change {
    /// Returns its code: stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Change::ColumnAdded { .. } => "column_added",
            Change::ColumnGone { .. } => "column_gone",
            Change::ColumnChanged { .. } => "column_changed",
            Change::Setting { .. } => "setting",
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
