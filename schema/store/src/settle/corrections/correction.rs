//! What a letter asks to become of a record, and what is held of it.

use std::collections::HashSet;
use std::sync::Arc;

use sdc::request::CorrectionAction;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::tables::definition::{ColumnType, Definition};
use crate::tables::examine::{ColumnValues, TableRows};

/// What a letter asks to become of one record.
#[derive(Clone)]
pub struct Correction {
    /// The record's table.
    pub definition: Arc<Definition>,
    /// Which record.
    pub named: Named,
    /// What becomes of it.
    pub action: CorrectionAction,
    /// Indices of the columns that change, and for each its one value.
    pub columns: Vec<usize>,
    pub values: Vec<ColumnValues>,
    /// Why.
    pub reason: String,
    /// What proves it.
    pub reference: String,
    /// Codes that are granted to the agency in the table's scope column.
    pub granted: Arc<HashSet<String>>,
    /// The record, where the agency has sent it; none before it was looked up.
    pub found: Option<FoundRecord>,
}

/// By what a record is named.
#[derive(Clone)]
pub enum Named {
    /// By who sent it, and its number there.
    Identity { installation: String, numero: i64 },
    /// By its legal key: one value for each of its columns.
    Key(Vec<ColumnValues>),
}

/// A record as it is held.
#[derive(Clone)]
pub struct FoundRecord {
    /// The installation that sent it, and its number there.
    pub installation: String,
    pub numero: i64,
    /// The letter that last wrote it.
    pub letter: Option<Uuid>,
    /// The installation and number of that letter.
    pub last: Option<(String, i64)>,
    /// Whether it is valid still.
    pub is_live: bool,
    /// The record's number at the centre.
    pub central_numero: i64,
    /// All of it, as JSON.
    pub content: Value,
    /// What checks look at: as it is, and as it will be, unless it is cancelled.
    pub before: TableRows,
    pub after: Option<TableRows>,
}

/// What became of a correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Replaced,
    Cancelled,
    /// It is older than what is held.
    Superseded,
}

impl Correction {
    /// Returns the rows that checks look at: the record as it is and as it will be.
    pub fn rows(&self) -> impl Iterator<Item = &TableRows> {
        self.found.iter().flat_map(|found| std::iter::once(&found.before).chain(&found.after))
    }

    /// Tells it to operators: what changes, from what to what, and why.
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

/// Returns the placeholder of a value that is bound as an array of one.
pub fn element(definition: &Definition, name: &str) -> &'static str {
    match definition.column(name).map(|column| column.kind) {
        Some(ColumnType::Numeric { .. }) => "((?)::numeric[])[1]",
        _ => "(?)[1]",
    }
}
