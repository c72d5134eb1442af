//! Judges corrections by the content of their letter: tables, columns, values, and the codes of the scope column.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sdc::names::{folded, same};
use sdc::refusal::{Refusal, RefusalCode, RowFault, RowFaults};
use sdc::request::{Correction as Asked, CorrectionAction, Corrections, RecordName};
use serde_json::Value;

use super::correction::{Correction, Named};
use crate::certificates::signers::Signer;
use crate::tables::catalogue::Catalogue;
use crate::tables::definition::{Column, Corrections as Policy, Definition, is_provenance};
use crate::tables::examine::{ColumnValues, NUMERO, STATUS, STATUS_VALIDATED, granted_table, row_number};

/// Judges the corrections of a letter by its content. Their records are looked up later.
///
/// # Errors
/// The refusal of the letter. A table or column that cannot be corrected ends the search. If there is none, the refusal lists every
/// correction with a wrong value; if there is no wrong value, every correction with a code that is not granted to the agency.
pub fn judge(corrections: &Corrections, signer: &Signer, catalogue: &Catalogue) -> Result<Vec<Correction>, Refusal> {
    let mut judged = Vec::with_capacity(corrections.corrections.len());
    let (mut faults, mut outside) = (RowFaults::default(), RowFaults::default());
    let mut codes: HashMap<i32, Arc<HashSet<String>>> = HashMap::new();
    for (at, asked) in corrections.corrections.iter().enumerate() {
        let definition = granted_table(&corrections.application, &asked.table, catalogue, &signer.plan)?;
        if definition.corrections == Policy::Never {
            let table = format!("{}.{}", definition.application, definition.name);
            return Err(Refusal::new(RefusalCode::CorrectionNotAllowed).with("table", table));
        }
        let mut fault = |column: &str, rule: &str, expected: String| {
            faults.add(|| row_fault(&definition, at, Some(column), rule, expected));
        };
        let (columns, values) = changes(asked, &definition, &mut fault)?;
        let named = named(&asked.record, &definition, &mut fault)?;
        let scope = definition.scope_column.as_ref();
        let of_scope = || scope.and_then(|scope| signer.scopes.get(&folded(scope))).cloned().unwrap_or_default().into();
        let granted = Arc::clone(codes.entry(definition.table_id).or_insert_with(of_scope));
        let changed =
            scope.and_then(|scope| columns.iter().position(|&index| same(&definition.columns[index].name, scope)));
        if let Some((scope, changed)) = scope.zip(changed)
            && !granted.contains(&values[changed].text(0))
        {
            let expected = "a code granted to the agency".to_owned();
            outside.add(|| row_fault(&definition, at, Some(scope), "scope", expected));
        }
        let (reason, reference) = (asked.reason.clone(), asked.reference.clone());
        let action = asked.action;
        judged.push(Correction { definition, named, action, columns, values, reason, reference, granted, found: None });
    }
    if !faults.is_empty() {
        return Err(Refusal::new(RefusalCode::RowsInvalid).with_faults(faults));
    }
    if !outside.is_empty() {
        return Err(Refusal::new(RefusalCode::OutOfScope).with_faults(outside));
    }
    Ok(judged)
}

/// Makes the fault of a correction. The fault refers to the correction by its place in the letter.
pub(super) fn row_fault(
    definition: &Definition,
    at: usize,
    column: Option<&str>,
    rule: &str,
    expected: String,
) -> RowFault {
    RowFault {
        table: definition.name.clone(),
        row: row_number(at),
        column: column.map(str::to_owned),
        rule: rule.to_owned(),
        expected,
    }
}

/// Reads the values that a correction changes. A correction cannot change `Status`, so a letter may give `Status` only as 2, a validated
/// record. The centre sets `Numero` and the columns of provenance (`xm_…`), so a letter that names one of them is refused as for an unknown
/// column.
fn changes(
    asked: &Asked,
    definition: &Arc<Definition>,
    fault: &mut impl FnMut(&str, &str, String),
) -> Result<(Vec<usize>, Vec<ColumnValues>), Refusal> {
    let mut changes = Vec::with_capacity(asked.columns.len());
    let mut unknown = Vec::new();
    for (name, value) in asked.columns.iter().zip(&asked.values) {
        let is_own = |column: &Column| !is_provenance(name) && column.name != NUMERO && same(&column.name, name);
        let Some(index) = definition.columns.iter().position(is_own) else {
            unknown.push(name.as_str());
            continue;
        };
        let column = &definition.columns[index];
        let values = read(column, value, fault);
        if column.name != STATUS {
            changes.push((index, values));
        } else if values.integer(0) != Some(STATUS_VALIDATED) {
            fault(&column.name, "status", "2, a record validated by an officer".to_owned());
        }
    }
    if !unknown.is_empty() {
        return Err(mismatch(definition).with("unknown", unknown.join(", ")));
    }
    if changes.is_empty() && asked.action == CorrectionAction::Replace {
        fault(STATUS, "not_null", "a column that changes".to_owned());
    }
    changes.sort_by_key(|(index, _)| *index);
    Ok(changes.into_iter().unzip())
}

fn mismatch(definition: &Definition) -> Refusal {
    Refusal::new(RefusalCode::ColumnsMismatch)
        .with("table", format!("{}.{}", definition.application, definition.name))
        .with("definition_version", definition.version)
}

fn named(
    record: &RecordName,
    definition: &Definition,
    fault: &mut impl FnMut(&str, &str, String),
) -> Result<Named, Refusal> {
    let key = match record {
        RecordName::Identity { installation, numero } => {
            return Ok(Named::Identity { installation: installation.clone(), numero: *numero });
        }
        RecordName::Key { key } => key,
    };
    let is_of_key = |name: &String| definition.legal_key.iter().any(|own| same(own, name));
    let unknown: Vec<&str> = key.keys().filter(|name| !is_of_key(name)).map(String::as_str).collect();
    let mut missing = Vec::new();
    let mut values = Vec::with_capacity(definition.legal_key.len());
    for own in &definition.legal_key {
        let brought = key.iter().find(|(name, _)| same(name, own));
        match (brought, definition.column(own)) {
            (Some((_, value)), Some(column)) => values.push(read(column, value, fault)),
            _ => missing.push(own.as_str()),
        }
    }
    if unknown.is_empty() && missing.is_empty() {
        return Ok(Named::Key(values));
    }
    let mut refusal = mismatch(definition);
    if !unknown.is_empty() {
        refusal = refusal.with("unknown", unknown.join(", "));
    }
    if !missing.is_empty() {
        refusal = refusal.with("missing", missing.join(", "));
    }
    Err(refusal)
}

fn read(column: &Column, value: &Value, fault: &mut impl FnMut(&str, &str, String)) -> ColumnValues {
    let mut of_row = |_row: usize, rule: &str, expected: String| fault(&column.name, rule, expected);
    ColumnValues::read(column, std::slice::from_ref(value), &mut of_row)
}
