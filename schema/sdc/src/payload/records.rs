//! The shape of records: tables and columns named once, values in equal columns, scalars only, text in NFC.

use std::collections::HashSet;

use serde_json::Value;
use unicode_normalization::{IsNormalized, is_nfc, is_nfc_quick};

use super::PayloadLimits;
use crate::letter::{Records, TableRecords};
use crate::refusal::{Refusal, RefusalCode};

/// Longest name of a table or column: PostgreSQL cuts longer ones silently.
const NAME_BYTES_MAX: usize = 63;

/// Checks what the types alone do not.
///
/// # Errors
/// `payload_malformed` with table and what was expected.
pub fn check(records: &Records, limits: &PayloadLimits) -> Result<(), Refusal> {
    if records.tables.is_empty() || records.tables.len() > limits.tables_max {
        return Err(malformed("", &format!("1 to {} tables", limits.tables_max)));
    }
    let mut names = HashSet::new();
    let mut rows = 0usize;
    check_name(&records.application, "an application's name")?;
    for table in &records.tables {
        check_name(&table.table, "a table's name")?;
        if !names.insert(table.table.to_lowercase()) {
            return Err(malformed(&table.table, "each table once"));
        }
        check_table(table, limits)?;
        rows = rows.saturating_add(table.row_count());
    }
    if rows > limits.rows_max {
        return Err(malformed("", &format!("at most {} rows", limits.rows_max)));
    }
    Ok(())
}

fn check_table(table: &TableRecords, limits: &PayloadLimits) -> Result<(), Refusal> {
    let fault = |expected: &str| Err(malformed(&table.table, expected));
    if table.columns.is_empty() || table.columns.len() > limits.columns_max {
        return fault(&format!("1 to {} columns", limits.columns_max));
    }
    let mut names = HashSet::new();
    for column in &table.columns {
        check_name(column, "a column's name")?;
        if !names.insert(column.to_lowercase()) {
            return fault("each column once");
        }
    }
    if table.values.len() != table.columns.len() {
        return fault("one array of values per column");
    }
    let rows = table.row_count();
    if rows == 0 {
        return fault("at least one row");
    }
    if table.values.iter().any(|column| column.len() != rows) {
        return fault("arrays of values of equal length");
    }
    for (name, column) in table.columns.iter().zip(&table.values) {
        for (row, value) in column.iter().enumerate() {
            if let Some(expected) = broken_value(value) {
                return Err(malformed(&table.table, expected).with("column", name).with("row", row + 1));
            }
        }
    }
    Ok(())
}

fn broken_value(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null | Value::Bool(_) => None,
        // Binary fractions are not what was written on paper.
        Value::Number(number) if number.is_i64() => None,
        Value::Number(_) => Some("a whole number of 64 bits; fractions travel as text"),
        Value::String(text) if text.contains('\0') => Some("text without NUL"),
        Value::String(text) if !is_normalized(text) => Some("text in Unicode NFC"),
        Value::String(_) => None,
        Value::Array(_) | Value::Object(_) => Some("a scalar value"),
    }
}

fn is_normalized(text: &str) -> bool {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => true,
        IsNormalized::No => false,
        IsNormalized::Maybe => is_nfc(text),
    }
}

fn check_name(name: &str, what: &str) -> Result<(), Refusal> {
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len());
    if fits && is_normalized(name) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(malformed("", &format!("{what} of 1 to {NAME_BYTES_MAX} bytes, in NFC, without control characters")))
}

fn malformed(table: &str, expected: &str) -> Refusal {
    let refusal = Refusal::new(RefusalCode::PayloadMalformed).with("expected", expected);
    if table.is_empty() { refusal } else { refusal.with("table", table) }
}
