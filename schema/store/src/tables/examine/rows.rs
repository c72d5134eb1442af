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
    /// Their table.
    pub definition: Arc<Definition>,
    /// Indices into `definition.columns`, ascending; without `Numero`, which the centre gives itself.
    pub columns: Vec<usize>,
    /// One entry per index, each as long as `numeros`.
    pub values: Vec<ColumnValues>,
    /// The sender's numbers.
    pub numeros: Vec<i64>,
    /// What the operators are told of these rows, once they are accepted; of a row that is held already they were told before.
    pub flags: Flags,
}

impl TableRows {
    /// Returns the number of rows.
    pub fn row_count(&self) -> usize {
        self.numeros.len()
    }

    /// Returns the values of a column by name, if the letter brings it.
    pub fn column(&self, name: &str) -> Option<&ColumnValues> {
        let at = self.columns.iter().position(|&index| same(&self.definition.columns[index].name, name))?;
        self.values.get(at)
    }

    /// Returns a row as it is shown to operators: its columns by name.
    pub fn json(&self, row: usize) -> Value {
        let columns = self.columns.iter().zip(&self.values);
        let members = columns.map(|(&index, values)| (self.definition.columns[index].name.clone(), values.json(row)));
        Value::Object(members.collect())
    }

    /// Returns the legal key of a row as comparable text, one element per key column; nothing where the letter leaves a part
    /// of it to the table.
    pub fn legal_key(&self, row: usize) -> Option<Vec<String>> {
        let text = |name: &String| Some(self.column(name)?.text(row));
        self.definition.legal_key.iter().map(text).collect()
    }
}

/// Rows are counted from 1 where people read them.
pub(crate) fn row_number(row: usize) -> u32 {
    u32::try_from(row + 1).unwrap_or(u32::MAX)
}
