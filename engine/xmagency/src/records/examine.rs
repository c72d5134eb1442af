//! Examines a record by the definition of its table, with the rules of the centre, so that a letter is not refused for what the office
//! could have seen.

use sdc::examine::cells::Broken;
use sdc::examine::column::{Column, ColumnType};
use sdc::examine::{typed, value};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::tables::Table;

/// What is wrong with a column of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Name of the column.
    pub column: String,
    /// Code of the rule that the value breaks, as receipts name it.
    pub rule: &'static str,
    /// What a right value would be.
    pub expected: String,
}

impl Fault {
    fn of(column: &Column, broken: Broken) -> Fault {
        Fault { column: column.name.clone(), rule: broken.rule, expected: broken.expected }
    }
}

/// Reads what a person gives for columns: pairs `COLUMN=VALUE`. An empty value takes the column's value away.
///
/// # Errors
/// Every fault: a text that is no pair, a column that the table does not have, a value that breaks a rule.
pub fn read_pairs(
    table: &Table,
    pairs: impl IntoIterator<Item = (String, String)>,
    columns: &mut Map<String, Value>,
) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    for (name, text) in pairs {
        let Some(column) = table.column(&name) else {
            let known: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            faults.push(Fault { column: name, rule: "column", expected: known.join(", ") });
            continue;
        };
        if text.is_empty() {
            columns.remove(&column.name);
            continue;
        }
        match typed(column, &text) {
            Ok(read) => drop(columns.insert(column.name.clone(), read)),
            Err(broken) => faults.push(Fault::of(column, broken)),
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Reads what a person gives to change a record that the centre has. An empty value takes the column's value away: it becomes null. What
/// the record says already is no change.
///
/// # Errors
/// Every fault, as [`read_pairs`] says; a column that must have a value would lose it.
pub fn read_changes(
    table: &Table,
    pairs: Vec<(String, String)>,
    record: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<Fault>> {
    let (emptied, filled): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(_, text)| text.is_empty());
    let (mut changes, mut faults) = (Map::new(), Vec::new());
    if let Err(found) = read_pairs(table, filled, &mut changes) {
        faults.extend(found);
    }
    for (name, text) in emptied {
        match table.column(&name).map(|column| (column, value(column, &Value::Null))) {
            Some((column, Ok(_))) => drop(changes.insert(column.name.clone(), Value::Null)),
            Some((column, Err(broken))) => faults.push(Fault::of(column, broken)),
            // The pair is read for its fault: the table does not have the column.
            None => faults.extend(read_pairs(table, [(name, text)], &mut Map::new()).err().unwrap_or_default()),
        }
    }
    changes.retain(|name, value| record.get(name).unwrap_or(&Value::Null) != value);
    if faults.is_empty() { Ok(changes) } else { Err(faults) }
}

/// Examines a whole record. Returns every fault for which the centre would refuse it.
pub fn examine(table: &Table, columns: &Map<String, Value>) -> Vec<Fault> {
    let judge = |column: &Column| match columns.get(&column.name) {
        Some(found) => value(column, found).err().map(|broken| Fault::of(column, broken)),
        // What is left out takes the table's default.
        None if column.has_default || column.nullable => None,
        None => value(column, &Value::Null).err().map(|broken| Fault::of(column, broken)),
    };
    let mut faults: Vec<Fault> = table.columns.iter().filter_map(judge).collect();
    // A column that a newer definition no longer has.
    let gone = columns.keys().filter(|name| table.column(name).is_none());
    faults.extend(gone.map(|name| Fault { column: name.clone(), rule: "column", expected: String::new() }));
    faults
}

/// Fills the columns that only a program fills: a UUID that the table needs.
pub fn fill_identifiers(table: &Table, columns: &mut Map<String, Value>) {
    let is_wanted = |column: &&Column| column.kind == ColumnType::Uuid && column.is_needed();
    for column in table.columns.iter().filter(is_wanted) {
        columns.entry(column.name.clone()).or_insert_with(|| Uuid::new_v4().to_string().into());
    }
}

/// Returns the legal key of a record as a JSON array; none while a column of it is missing.
pub fn legal_key(table: &Table, columns: &Map<String, Value>) -> Option<String> {
    let values = table.definition.legal_key.iter().map(|name| {
        let column = table.column(name)?;
        columns.get(&column.name).filter(|value| !value.is_null()).cloned()
    });
    let values: Vec<Value> = values.collect::<Option<_>>()?;
    (!values.is_empty()).then(|| Value::Array(values).to_string())
}
