//! Tests of the examination of letters: which rows it accepts, refuses and flags.

mod adopted;
mod checks;
mod flagged;
mod guarded;
mod handed;
pub(crate) mod lab;
mod values;

use crate::tables::definition::{Column, ColumnType};

/// Makes a column that may not be NULL and has no default.
fn column(name: &str, kind: ColumnType) -> Column {
    Column { name: name.to_owned(), kind, nullable: false, has_default: false, multiline: false }
}
