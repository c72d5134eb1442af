//! Checks that rows have only codes that are granted to their agency, so that no agency sends records in another agency's name.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sdc::names::folded;
use sdc::refusal::{Refusal, RefusalCode, RowFault, RowFaults};

use super::rows::{TableRows, row_number};

/// Largest number of codes that a refusal lists. A longer list would take too much of the office's slow link.
const CODES_TOLD_MAX: usize = 20;

/// Refuses rows with codes that are not granted. The refusal lists the place of each such row and, if they are few, the codes.
///
/// `scopes` maps a scope column's name, [`folded`], to its codes.
///
/// # Errors
/// `out_of_scope`.
pub fn check(tables: &[TableRows], scopes: &HashMap<String, HashSet<String>>) -> Result<(), Refusal> {
    let mut faults = RowFaults::default();
    let mut told = BTreeMap::new();
    for rows in tables {
        let Some(scope_column) = &rows.definition.scope_column else { continue };
        let granted = scopes.get(&folded(scope_column));
        let values = rows.column(scope_column);
        for row in 0..rows.row_count() {
            let code = values.map(|values| values.text(row)).unwrap_or_default();
            if !granted.is_some_and(|codes| codes.contains(&code)) {
                told.entry(scope_column.as_str()).or_insert_with(|| in_words(granted));
                faults.add(|| RowFault {
                    table: rows.definition.name.clone(),
                    row: row_number(row),
                    column: Some(scope_column.clone()),
                    rule: "scope".to_owned(),
                    expected: "a code granted to the agency".to_owned(),
                });
            }
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = told.into_iter().map(|(column, codes)| format!("{column}: {codes}")).collect();
    Err(Refusal::new(RefusalCode::OutOfScope).with("granted", told.join("; ")).with_faults(faults))
}

fn in_words(granted: Option<&HashSet<String>>) -> String {
    let codes: BTreeSet<&str> = granted.into_iter().flatten().map(String::as_str).collect();
    match codes.len() {
        0 => "none".to_owned(),
        1..=CODES_TOLD_MAX => codes.into_iter().collect::<Vec<_>>().join(", "),
        count => format!("{count} codes"),
    }
}
