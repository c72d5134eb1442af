//! The body that answers `certify`: the centre's result for each legal key.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rows::is_cell;

/// Results for the keys, in the order of the letter's keys. An answer of several parts has the results of some keys in each part.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// The family of tables, such as `ecr`.
    pub application: String,
    /// The table's name within its application.
    pub table: String,
    /// Number of the first result's key among the letter's keys, from 1.
    pub first: u32,
    /// The names of a record's columns; empty where the agency's plan lets it know only the outcome.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The names of a marginal note's columns; empty where the table has no notes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub note_columns: Vec<String>,
    /// The results of this part, one for each key.
    pub results: Vec<KeyResult>,
}

impl Results {
    /// Says whether every record and every note has one value for each of its columns.
    pub(crate) fn is_table(&self) -> bool {
        let fits = |values: &[Value], columns: &[String]| values.len() == columns.len() && values.iter().all(is_cell);
        self.results.iter().all(|result| {
            let mut notes = result.notes.iter();
            result.record.as_ref().is_none_or(|record| fits(record, &self.columns))
                && notes.all(|note| fits(note, &self.note_columns))
        })
    }
}

/// Result for one key.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyResult {
    /// The outcome of the look-up.
    pub outcome: Found,
    /// Names of the columns in which record and paper differ, as the office spelt them; empty unless the outcome is `differs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Values of the record, in the order of `Results::columns`; absent where the agency's plan lets it know only the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Vec<Value>>,
    /// Marginal notes of the record, each with its values in the order of `Results::note_columns`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Vec<Value>>,
}

/// Outcome of the look-up of one legal key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// The centre has the record, and it equals the paper.
    Match,
    /// The centre has the record, but some columns differ from the paper.
    Differs,
    /// The record was cancelled.
    Cancelled,
    /// The centre has no record with this key, or none that the office may read.
    NotFound,
}

impl KeyResult {
    /// Makes a result with only an outcome.
    pub fn new(outcome: Found) -> KeyResult {
        KeyResult { outcome, columns: Vec::new(), record: None, notes: Vec::new() }
    }
}

// `Debug` shows no content, because results are people's data.
impl fmt::Debug for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Results({}.{}, {} keys)", self.application, self.table, self.results.len())
    }
}

impl fmt::Debug for KeyResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyResult({:?})", self.outcome)
    }
}
