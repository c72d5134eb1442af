//! Examines an export against the definitions of its tables, before any statement is built, and turns it into typed columns.
//!
//! Everything that does not depend on stored rows is decided here, for the whole letter together: a refusal lists every faulty row, up to a
//! hundred, and not only the first. The module writes nothing; settling inserts its result.

mod checks;
mod flags;
mod holdings;
mod rows;
mod scope;
mod values;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sdc::names::same;
use sdc::refusal::{Refusal, RefusalCode, RowFault, RowFaults};
use sdc::request::{Records, TableRecords};

pub use checks::{Found, Sides, reckon_corrected, reckon_of_tables};
pub use flags::{Figures, Finding, Flagged, Flags};
pub use holdings::{Beside, GroupKey, Holdings, Measure, Totals, columns as group_columns, key as group_key};
pub use rows::TableRows;
pub(crate) use rows::row_number;
pub use values::ColumnValues;

use crate::tables::catalogue::Catalogue;
use crate::tables::definition::{Definition, is_provenance};
pub use crate::tables::definition::{NUMERO, STATUS};

/// The status of a new record when it arrives: validated by an officer.
pub(crate) const STATUS_VALIDATED: i64 = 2;

/// Examines the records of an export. Returns the typed rows of each table.
///
/// `scopes` maps a scope column's name, [folded](sdc::names::folded), to the codes granted to the agency.
///
/// # Errors
/// The refusal, with every faulty row of the first kind of fault found, in the order: tables, rights, columns, values and statuses, scope,
/// checks.
pub fn examine(
    records: &Records,
    catalogue: &Catalogue,
    plan: &str,
    scopes: &HashMap<String, HashSet<String>>,
) -> Result<Vec<TableRows>, Refusal> {
    let mut definitions = Vec::with_capacity(records.tables.len());
    for table in &records.tables {
        definitions.push(granted_table(&records.application, &table.table, catalogue, plan)?);
    }
    let mut faults = RowFaults::default();
    let mut tables = Vec::with_capacity(definitions.len());
    for (table, definition) in records.tables.iter().zip(definitions) {
        let placed = place_columns(table, &definition)?;
        tables.push(read_values(table, definition, &placed, &mut faults));
    }
    if !faults.is_empty() {
        return Err(Refusal::new(RefusalCode::RowsInvalid).with_faults(faults));
    }
    scope::check(&tables, scopes)?;
    let flags = checks::reckon(&tables, &mut faults);
    if !faults.is_empty() {
        return Err(Refusal::new(RefusalCode::CheckFailed).with_faults(faults));
    }
    for (rows, flags) in tables.iter_mut().zip(flags) {
        rows.flags = flags;
    }
    Ok(tables)
}

/// Finds an adopted table to which agencies of a plan may write.
pub(crate) fn granted_table(
    application: &str,
    table: &str,
    catalogue: &Catalogue,
    plan: &str,
) -> Result<Arc<Definition>, Refusal> {
    let name = format!("{application}.{table}");
    let Some(definition) = catalogue.table(application, table) else {
        return Err(Refusal::new(RefusalCode::TableUnknown).with("table", name));
    };
    if !catalogue.may_export(definition.table_id, plan) {
        return Err(Refusal::new(RefusalCode::TableNotGranted).with("table", name).with("plan", plan));
    }
    Ok(definition)
}

/// Matches the letter's columns with the table's by name, since a letter may have them in any order. Returns for each column of the letter
/// its index in the definition.
fn place_columns(table: &TableRecords, definition: &Definition) -> Result<Vec<usize>, Refusal> {
    let mut placed = Vec::with_capacity(table.columns.len());
    let mut unknown = Vec::new();
    for name in &table.columns {
        let own = is_provenance(name);
        match definition.columns.iter().position(|column| !own && same(&column.name, name)) {
            Some(index) => placed.push(index),
            None => unknown.push(name.as_str()),
        }
    }
    let missing: Vec<&str> = definition
        .columns
        .iter()
        .enumerate()
        .filter(|(index, column)| column.is_needed() && !placed.contains(index))
        .map(|(_, column)| column.name.as_str())
        .collect();
    if unknown.is_empty() && missing.is_empty() {
        return Ok(placed);
    }
    let mut refusal = Refusal::new(RefusalCode::ColumnsMismatch)
        .with("table", format!("{}.{}", definition.application, definition.name))
        .with("definition_version", definition.version);
    if !unknown.is_empty() {
        refusal = refusal.with("unknown", unknown.join(", "));
    }
    if !missing.is_empty() {
        refusal = refusal.with("missing", missing.join(", "));
    }
    Err(refusal)
}

fn read_values(
    table: &TableRecords,
    definition: Arc<Definition>,
    placed: &[usize],
    faults: &mut RowFaults,
) -> TableRows {
    // Columns are put into the order of the definition, so that letters with the same columns share one statement.
    let by_index: BTreeMap<usize, usize> =
        placed.iter().enumerate().map(|(in_letter, &in_table)| (in_table, in_letter)).collect();
    let mut rows = TableRows {
        definition: Arc::clone(&definition),
        columns: vec![],
        values: vec![],
        numeros: vec![],
        flags: Flags::default(),
    };
    for (in_table, in_letter) in by_index {
        let column = &definition.columns[in_table];
        let mut fault = |row: usize, rule: &str, expected: String| {
            faults.add(|| row_fault(table, row, &table.columns[in_letter], rule, expected));
        };
        let values = ColumnValues::read(column, &table.values[in_letter], &mut fault);
        if column.name == NUMERO {
            rows.numeros = read_numeros(&values, &mut fault);
            continue;
        }
        if column.name == STATUS {
            for row in 0..table.row_count() {
                if values.integer(row) != Some(STATUS_VALIDATED) {
                    fault(row, "status", "2, a record validated by an officer".to_owned());
                }
            }
        }
        rows.columns.push(in_table);
        rows.values.push(values);
    }
    rows
}

fn read_numeros(values: &ColumnValues, fault: &mut impl FnMut(usize, &str, String)) -> Vec<i64> {
    let mut seen = HashSet::with_capacity(values.len());
    (0..values.len())
        .map(|row| {
            let numero = values.integer(row).unwrap_or(0);
            if numero < 1 {
                fault(row, "numero", "a whole number from 1".to_owned());
            } else if !seen.insert(numero) {
                fault(row, "numero", "a number used once in the letter".to_owned());
            }
            numero
        })
        .collect()
}

fn row_fault(table: &TableRecords, row: usize, column: &str, rule: &str, expected: String) -> RowFault {
    RowFault {
        table: table.table.clone(),
        row: row_number(row),
        column: Some(column.to_owned()),
        rule: rule.to_owned(),
        expected,
    }
}
