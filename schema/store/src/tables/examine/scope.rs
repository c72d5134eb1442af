//! Whether rows lie within the codes granted to their agency: no agency writes in another's name.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sdc::names::folded;
use sdc::refusal::{Refusal, RefusalCode, RowFault, RowFaults};

use super::rows::{TableRows, row_number};

/// Most codes that a refusal names. More would cost the office's link more than they help.
const CODES_TOLD_MAX: usize = 20;

/// Refuses rows outside the codes granted, naming each row's place and, where they are few, the codes.
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
