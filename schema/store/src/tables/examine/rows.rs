//! The rows of one table of one letter, as they are examined and inserted.

use std::sync::Arc;

use sdc::names::same;
use serde_json::Value;

use super::flags::Flags;
use super::values::ColumnValues;
use crate::tables::definition::Definition;

/// The rows of one table of one letter, typed and complete.
#[derive(Clone, Debug)]
pub struct TableRows {
    /// Definition of the table.
    pub definition: Arc<Definition>,
    /// Indices into `definition.columns`, ascending. `Numero` is not among them, because the centre assigns it.
    pub columns: Vec<usize>,
    /// Values of the columns: one entry for each index, each as long as `numeros`.
    pub values: Vec<ColumnValues>,
    /// The sender's Numero of each row.
    pub numeros: Vec<i64>,
    /// Flags of the rows, for receipt and operators. Flags of rows that are stored already are ignored, because they were raised when the
    /// rows were stored.
    pub flags: Flags,
}

impl TableRows {
    /// Returns the number of rows.
    pub fn row_count(&self) -> usize {
        self.numeros.len()
    }

    /// Returns the values of a column by its name; `None` if the letter leaves the column out.
    pub fn column(&self, name: &str) -> Option<&ColumnValues> {
        let at = self.columns.iter().position(|&index| same(&self.definition.columns[index].name, name))?;
        self.values.get(at)
    }

    /// Returns a row as operators see it: a JSON object of its columns.
    pub fn json(&self, row: usize) -> Value {
        let columns = self.columns.iter().zip(&self.values);
        let members = columns.map(|(&index, values)| (self.definition.columns[index].name.clone(), values.json(row)));
        Value::Object(members.collect())
    }

    /// Returns the legal key of a row as comparable texts, one for each column of the key; `None` if the letter leaves out one of these
    /// columns.
    pub fn legal_key(&self, row: usize) -> Option<Vec<String>> {
        let text = |name: &String| Some(self.column(name)?.text(row));
        self.definition.legal_key.iter().map(text).collect()
    }
}

/// Returns a row's number as people count, from 1.
pub(crate) fn row_number(row: usize) -> u32 {
    u32::try_from(row + 1).unwrap_or(u32::MAX)
}
