//! The body of `export`: records by table, with values per column.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::expected::Expected;
use crate::json::malformed;
use crate::json::members::{array, members, name};
use crate::limits::PayloadLimits;
use crate::names::folded;
use crate::refusal::Refusal;

/// Records by table.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// The family of tables, such as `ecr`.
    pub application: String,
    /// Tables with their records, at least one; no table twice.
    pub tables: Vec<TableRecords>,
}

/// Records of one table. The values of a column stand together, not those of a row: a column's values are similar, so they compress well
/// side by side.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRecords {
    /// The table's name within its application.
    pub table: String,
    /// Column names, once each, `Numero` and `Status` among them.
    pub columns: Vec<String>,
    /// `values[c][r]` is row `r` of column `c`; every array has the same length.
    pub values: Vec<Vec<serde_json::Value>>,
}

impl TableRecords {
    /// Returns the number of rows.
    pub fn row_count(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }
}

// `Debug` shows no content: names of people do not belong in a log.
impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("application", &self.application).field("tables", &self.tables).finish()
    }
}

impl fmt::Debug for TableRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableRecords")
            .field("table", &self.table)
            .field("columns", &self.columns.len())
            .field("rows", &self.row_count())
            .finish()
    }
}

/// Reads the body from its JSON.
pub(super) fn read(body: Value, limits: &PayloadLimits) -> Result<Records, Refusal> {
    let [application, tables] = members(body, "body", &["application", "tables"])?;
    let application = name(application, "body.application")?;
    let tables = array(tables, "body.tables", limits.tables_max)?;
    let mut rows_left = limits.rows_max;
    let mut names = HashSet::new();
    let mut read = Vec::with_capacity(tables.len());
    for (index, entry) in tables.into_iter().enumerate() {
        let path = format_args!("body.tables[{index}]");
        let table = table(entry, path, rows_left, limits)?;
        rows_left -= table.row_count();
        if !names.insert(folded(&table.table)) {
            return Err(malformed(format_args!("{path}.table"), Expected::TableOnce));
        }
        read.push(table);
    }
    Ok(Records { application, tables: read })
}

// The caller passes `path` unformatted, because only a refusal needs its text.
fn table(
    entry: Value,
    path: fmt::Arguments<'_>,
    rows_max: usize,
    limits: &PayloadLimits,
) -> Result<TableRecords, Refusal> {
    let [table, columns, values] = members(entry, path, &["table", "columns", "values"])?;
    let table = name(table, format_args!("{path}.table"))?;
    let columns = column_names(columns, format_args!("{path}.columns"), limits.columns_max)?;
    let values = values_by_column(values, format_args!("{path}.values"), columns.len(), rows_max)?;
    Ok(TableRecords { table, columns, values })
}

/// Reads the names of columns. A name may occur only once; names that differ only in case count as the same.
pub(super) fn column_names(
    columns: Value,
    path: fmt::Arguments<'_>,
    columns_max: usize,
) -> Result<Vec<String>, Refusal> {
    let mut names = HashSet::new();
    let mut read = Vec::new();
    for (index, column) in array(columns, path, columns_max)?.into_iter().enumerate() {
        let column = name(column, format_args!("{path}[{index}]"))?;
        if !names.insert(folded(&column)) {
            return Err(malformed(format_args!("{path}[{index}]"), Expected::ColumnOnce));
        }
        read.push(column);
    }
    Ok(read)
}

/// Reads one array of values for each of `columns` columns; all arrays must have the same length.
pub(super) fn values_by_column(
    values: Value,
    path: fmt::Arguments<'_>,
    columns: usize,
    rows_max: usize,
) -> Result<Vec<Vec<Value>>, Refusal> {
    let Value::Array(arrays) = values else { return Err(malformed(path, Expected::ArrayPerColumn)) };
    if arrays.len() != columns {
        return Err(malformed(path, Expected::ArraysPerColumn(columns)));
    }
    let mut read: Vec<Vec<Value>> = Vec::with_capacity(columns);
    for (index, column) in arrays.into_iter().enumerate() {
        let column = array(column, format_args!("{path}[{index}]"), rows_max)?;
        if let Some(first) = read.first().filter(|first| first.len() != column.len()) {
            return Err(malformed(format_args!("{path}[{index}]"), Expected::ValuesAsFirst(first.len())));
        }
        if let Some(row) = column.iter().position(|value| value.is_array() || value.is_object()) {
            return Err(malformed(format_args!("{path}[{index}][{row}]"), Expected::CellValue));
        }
        read.push(column);
    }
    Ok(read)
}
