//! The bodies that answer `import`: rows of one table, or what a selection would give.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Rows of one table, values per column as in an export. Each part of an answer has its own rows, complete in itself.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// The family of tables.
    pub application: String,
    /// The table's name within it.
    pub table: String,
    /// The names of the columns. `xm_agency`, `xm_installation` and `xm_numero` name the origin of a record: who sent it, under which
    /// number. A record with an origin is never exported again.
    pub columns: Vec<String>,
    /// `values[c][r]` is row `r` of column `c`; every array has the same length.
    pub values: Vec<Vec<Value>>,
    /// In the last part of all records of a table, or of those that have changed: what to ask with next time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
}

impl Rows {
    /// Returns the number of rows.
    pub fn row_count(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }
}

/// What a selection would give at this moment, and cost by the tariff of this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The number of records.
    pub rows: u64,
    /// The number of parts.
    pub parts: u16,
    /// The octets of their containers together.
    pub bytes: u64,
    /// The price in minor units, that of the asking letter included.
    pub price: i64,
    /// ISO 4217 code.
    pub currency: String,
}

// Payload types print redacted.
impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({}.{}, {} rows)", self.application, self.table, self.row_count())
    }
}
