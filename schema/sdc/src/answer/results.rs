//! The body that answers `certify`: what the centre holds under each legal key.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What was found, in the order of the keys asked for. Of an answer in parts each has the results of some of them.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// The family of tables.
    pub application: String,
    /// The table's name within it.
    pub table: String,
    /// Which key the first result is of, from 1.
    pub first: u32,
    /// The names of a record's columns; none where the plan gives the verdict alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The names of a marginal note's columns; none where the table has no notes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub note_columns: Vec<String>,
    /// One for each key.
    pub results: Vec<KeyResult>,
}

/// What was found of one key.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyResult {
    /// In a word.
    pub outcome: Found,
    /// Where it differs: the names of the columns, as they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The record itself, by the columns of the results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Vec<Value>>,
    /// Its marginal notes, each by the columns of notes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Vec<Value>>,
}

/// What a legal key turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// A record is held, and says what the paper says.
    Match,
    /// A record is held, and says something else in some columns.
    Differs,
    /// The record was cancelled.
    Cancelled,
    /// No record that this office may know of.
    NotFound,
}

impl KeyResult {
    /// Makes a result without anything beside it.
    pub fn new(outcome: Found) -> KeyResult {
        KeyResult { outcome, columns: Vec::new(), record: None, notes: Vec::new() }
    }
}

// Payload types print redacted.
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
