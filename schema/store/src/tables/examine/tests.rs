//! What examination takes, refuses and flags.

mod adopted;
mod checks;
mod flagged;
mod guarded;
mod handed;
pub(crate) mod lab;
mod values;

use crate::tables::definition::{Column, ColumnType};

/// A column that must have a value.
fn column(name: &str, kind: ColumnType) -> Column {
    Column { name: name.to_owned(), kind, nullable: false, has_default: false, multiline: false }
}
