//! The body of `certify`: legal keys as they are printed on paper, and optionally other values that the paper shows, which the centre
//! compares with its record.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::export::{column_names, values_by_column};
use crate::expected::Expected;
use crate::json::malformed;
use crate::json::members::{members_and_optional, name};
use crate::limits::PayloadLimits;
use crate::refusal::Refusal;

/// Maximum number of keys in one letter.
pub const CERTIFIED_KEYS_MAX: usize = 100;

/// Legal keys of records of one table. Values are ordered by column, as in an export.
#[derive(Clone, PartialEq, Serialize)]
pub struct Certified {
    /// The family of tables, such as `ecr`.
    pub application: String,
    /// The table's name within its application.
    pub table: String,
    /// The names of the columns of the legal key.
    pub key: Vec<String>,
    /// `keys[c][k]` is the value of column `c` of the legal key in key `k`.
    pub keys: Vec<Vec<Value>>,
    /// Names of other columns that the paper shows; empty where the keys are only looked up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// `values[c][k]` is what the paper of key `k` says in column `c`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Vec<Value>>,
}

impl Certified {
    /// Returns how many keys are asked for.
    pub fn key_count(&self) -> usize {
        self.keys.first().map_or(0, Vec::len)
    }
}

// `Debug` shows no content: what a paper says of people does not belong in a log.
impl fmt::Debug for Certified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certified({}.{}, {} keys)", self.application, self.table, self.key_count())
    }
}

/// Reads the body from its JSON.
pub(super) fn read(body: Value, limits: &PayloadLimits) -> Result<Certified, Refusal> {
    let ([application, table, key, keys], [columns, values]) =
        members_and_optional(body, "body", &["application", "table", "key", "keys"], &["columns", "values"])?;
    let application = name(application, "body.application")?;
    let table = name(table, "body.table")?;
    let key = column_names(key, format_args!("body.key"), limits.columns_max)?;
    let keys = values_by_column(keys, format_args!("body.keys"), key.len(), CERTIFIED_KEYS_MAX)?;
    let count = keys.first().map_or(0, Vec::len);
    let (columns, values) = match (columns, values) {
        (None, None) => (Vec::new(), Vec::new()),
        (Some(columns), Some(values)) => {
            let columns = column_names(columns, format_args!("body.columns"), limits.columns_max)?;
            let values = values_by_column(values, format_args!("body.values"), columns.len(), CERTIFIED_KEYS_MAX)?;
            (columns, values)
        }
        _ => return Err(malformed("body", Expected::ColumnsAndValues)),
    };
    if values.iter().any(|column| column.len() != count) {
        return Err(malformed("body.values[0]", Expected::ValuesAsFirst(count)));
    }
    Ok(Certified { application, table, key, keys, columns, values })
}
