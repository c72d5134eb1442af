//! What operators say about a table that PostgreSQL cannot: scope, legal key, corrections, checks and rights.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::mistake::Mistake;
use crate::error::{AdministrationError, InvalidValue};
use crate::tables::definition::{Check, Corrections, Notes};
pub use crate::tables::rights::Rights;

/// A definition file: the tables of one application.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TablesFile {
    /// Family of tables, as named in letters.
    pub application: String,
    /// PostgreSQL schema; that of the application's name when absent.
    #[serde(default)]
    pub schema: Option<String>,
    /// The tables.
    pub tables: Vec<TableFile>,
}

/// One table of a definition file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TableFile {
    /// Name in letters, and of the PostgreSQL table.
    pub name: String,
    /// The PostgreSQL table where it is named otherwise.
    #[serde(default)]
    pub relation: Option<String>,
    /// Column whose values must lie within the codes granted to the agency.
    #[serde(default)]
    pub scope: Option<String>,
    /// Columns that together name a record in law.
    pub legal_key: Vec<String>,
    /// How corrections are decided.
    #[serde(default = "after_approval")]
    pub corrections: Corrections,
    /// Whether it has results: what is held of it is released, and its records are corrected, by two people, one of them of the election
    /// commission.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub results: bool,
    /// Columns that name the areas a row lies in, from the largest to the smallest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<String>,
    /// Text columns that may have several lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub multiline: Vec<String>,
    /// Arithmetic that every row must satisfy.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Where the marginal notes of its records are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Notes>,
    /// Rights by plan.
    #[serde(default = "standard_rights")]
    pub rights: BTreeMap<String, Rights>,
}

fn after_approval() -> Corrections {
    Corrections::AfterApproval
}

fn standard_rights() -> BTreeMap<String, Rights> {
    BTreeMap::from([("standard".to_owned(), Rights { may_export: true, ..Rights::default() })])
}

impl TablesFile {
    /// Reads a definition file, TOML or (when it begins with a brace) JSON.
    ///
    /// # Errors
    /// Text that is neither, unknown keys, missing ones; the sentence names line and key, what was expected and found.
    pub fn parse(text: &str) -> Result<TablesFile, AdministrationError> {
        let file: TablesFile = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| Mistake::of_json(&error))?
        } else {
            toml::from_str(text).map_err(|error| Mistake::of_toml(text, &error))?
        };
        if file.tables.is_empty() {
            return Err(InvalidValue::DefinitionFile.into());
        }
        Ok(file)
    }

    /// Returns the PostgreSQL schema.
    pub fn schema_name(&self) -> &str {
        self.schema.as_deref().unwrap_or(&self.application)
    }
}

impl TableFile {
    /// Returns the PostgreSQL table's name.
    pub fn relation_name(&self) -> &str {
        self.relation.as_deref().unwrap_or(&self.name)
    }
}
