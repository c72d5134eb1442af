//! The changes between two adoptions of one table, so that an operator sees what changes for offices. Each change is a code with
//! parameters; the program that shows it adds the words.

use serde::Serialize;

use crate::tables::definition::Column;

/// The state of a table after adoption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The table was not adopted before.
    Adopted,
    /// The table's columns changed, so the definition has a new version.
    NewVersion,
    /// Scope, legal key, checks, corrections or rights changed, but not the columns.
    Changed,
    /// Nothing changed.
    Unchanged,
}

/// One difference between the table at its previous adoption and the table now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// The table has a new column, which letters may use.
    ColumnAdded {
        /// The new column.
        column: Column,
    },
    /// The column no longer exists. Letters that use it are refused from now on.
    ColumnGone {
        /// Name of the missing column.
        name: String,
    },
    /// The column changed in its type, nullability or default, or in whether its text may have several lines.
    ColumnChanged {
        /// The column at the previous adoption.
        was: Column,
        /// The column now.
        is: Column,
    },
    /// A setting of the definition file changed: `scope`, `legal_key`, `corrections`, `checks`, `rights` or `name`.
    Setting {
        /// Key of the setting in the file.
        key: &'static str,
    },
}

impl Change {
    /// Returns the code of the change. Programs can rely on it, since it never changes.
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
