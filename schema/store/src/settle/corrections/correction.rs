//! A correction that a letter requests, and the record that it corrects.

use std::collections::HashSet;
use std::sync::Arc;

use sdc::request::CorrectionAction;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::tables::definition::{ColumnType, Definition};
use crate::tables::examine::{ColumnValues, TableRows};

/// A correction of one record, as a letter requests it.
#[derive(Clone)]
pub struct Correction {
    /// The record's table.
    pub definition: Arc<Definition>,
    /// How the letter identifies the record.
    pub named: Named,
    /// Whether the record is replaced or cancelled.
    pub action: CorrectionAction,
    /// Indices of the changed columns; `values` has one entry for each of them.
    pub columns: Vec<usize>,
    pub values: Vec<ColumnValues>,
    /// The office's reason.
    pub reason: String,
    /// The document that the office cites for the reason, such as a court's decision.
    pub reference: String,
    /// Codes of the table's scope column that are granted to the agency.
    pub granted: Arc<HashSet<String>>,
    /// The stored record; `None` before the look-up, and if the agency has sent no such record.
    pub found: Option<FoundRecord>,
}

/// The way in which a letter identifies a record.
#[derive(Clone)]
pub enum Named {
    /// The installation that sent the record, and its number there.
    Identity { installation: String, numero: i64 },
    /// The record's legal key, with one value for each column of the key.
    Key(Vec<ColumnValues>),
}

/// A record as it is stored in its table.
#[derive(Clone)]
pub struct FoundRecord {
    /// The installation that sent the record, and its number there.
    pub installation: String,
    pub numero: i64,
    /// The letter that last wrote the record.
    pub letter: Option<Uuid>,
    /// Installation and sequence number of the letter that last wrote the record.
    pub last: Option<(String, i64)>,
    /// Whether the record is valid, that is not cancelled.
    pub is_live: bool,
    /// The record's number at the centre.
    pub central_numero: i64,
    /// The whole record, as JSON.
    pub content: Value,
    /// The rows that checks look at: the record as stored, and the record after the correction. `after` is `None` if the record is
    /// cancelled.
    pub before: TableRows,
    pub after: Option<TableRows>,
}

/// The effect of a correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Replaced,
    Cancelled,
    /// The correction has a lower sequence number than the letter that last wrote the record, so it changes nothing in the table.
    Superseded,
}

impl Correction {
    /// Returns the rows that checks look at: the record as stored, and the record after the correction.
    pub fn rows(&self) -> impl Iterator<Item = &TableRows> {
        self.found.iter().flat_map(|found| std::iter::once(&found.before).chain(&found.after))
    }

    /// Returns the correction as JSON for operators: the changed values before and after, and the reason.
    pub fn json(&self) -> Value {
        let names = self.columns.iter().map(|&index| self.definition.columns[index].name.as_str());
        let changes = names.clone().zip(&self.values).map(|(name, values)| (name.to_owned(), values.json(0)));
        let after: serde_json::Map<String, Value> = changes.collect();
        let content = self.found.as_ref().map(|found| &found.content);
        let former = |name: &str| content.and_then(|content| content.get(name)).cloned().unwrap_or_default();
        let shown = names.chain(self.definition.legal_key.iter().map(String::as_str));
        let before: serde_json::Map<String, Value> = shown.map(|name| (name.to_owned(), former(name))).collect();
        json!({ "action": self.action.as_str(), "before": before, "after": after, "reason": self.reason,
                "reference": self.reference })
    }
}

/// Returns the SQL placeholder for one value. Values are bound as arrays, as in an insert of many rows, so the placeholder takes the first
/// element of an array.
pub fn element(definition: &Definition, name: &str) -> &'static str {
    match definition.column(name).map(|column| column.kind) {
        Some(ColumnType::Numeric { .. }) => "((?)::numeric[])[1]",
        _ => "(?)[1]",
    }
}
