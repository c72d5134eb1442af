//! The bodies that answer `import`: rows of one table, or an estimate of a selection.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Rows of one table, with the values of each column together, as in an export. Each part of an answer has its own rows and repeats the
/// names of the columns.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// The family of tables, such as `ecr`.
    pub application: String,
    /// The table's name within its application.
    pub table: String,
    /// The names of the columns. `xm_agency`, `xm_installation` and `xm_numero` are the origin of a record: the agency and installation
    /// that sent it, and its number at that office. An office never exports a record that has an origin, because the centre already has it.
    pub columns: Vec<String>,
    /// `values[c][r]` is row `r` of column `c`; every array has the same length.
    pub values: Vec<Vec<Value>>,
    /// Position that the office writes into `changed_since` of its next import. Only the last part has a position, and only where the
    /// import is not a SELECT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
}

impl Rows {
    /// Returns the number of rows.
    pub fn row_count(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }

    /// Says whether every row has one value for each column.
    pub(crate) fn is_table(&self) -> bool {
        let count = self.row_count();
        let is_column = |values: &Vec<Value>| values.len() == count && values.iter().all(is_cell);
        !self.columns.is_empty() && self.values.len() == self.columns.len() && self.values.iter().all(is_column)
    }
}

/// Says whether a value stands for itself: no array and no object.
pub(crate) fn is_cell(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

/// Size of a selection at this moment, and its price by the present tariff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The number of records.
    pub rows: u64,
    /// The number of parts.
    pub parts: u16,
    /// Bytes of the containers of all parts together, as the tariff counts them.
    pub bytes: u64,
    /// Price in minor units, including the price of the office's letter.
    pub price: i64,
    /// ISO 4217 code of the currency.
    pub currency: String,
}

// `Debug` shows no content, because rows are people's data.
impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({}.{}, {} rows)", self.application, self.table, self.row_count())
    }
}
