//! Definition files, in which operators describe what PostgreSQL does not know of a table: scope, legal key, corrections, checks and
//! rights.

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
    /// Name of the tables' application, as letters use it.
    pub application: String,
    /// PostgreSQL schema of the tables; absent if its name is the application's name.
    #[serde(default)]
    pub schema: Option<String>,
    /// The tables.
    pub tables: Vec<TableFile>,
}

/// One table of a definition file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TableFile {
    /// Name of the table in letters. The PostgreSQL table has the same name unless `relation` is given.
    pub name: String,
    /// Name of the PostgreSQL table; absent if it is the same as in letters.
    #[serde(default)]
    pub relation: Option<String>,
    /// Column whose values must be among the codes granted to the agency.
    #[serde(default)]
    pub scope: Option<String>,
    /// Columns that together identify a record in law, such as the number of an act in its register.
    pub legal_key: Vec<String>,
    /// Policy for corrections.
    #[serde(default = "after_approval")]
    pub corrections: Corrections,
    /// Whether the table contains results of an election. For such a table, two people must agree to release held letters and to correct
    /// records, and one of the two must belong to the election commission.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub results: bool,
    /// Columns with the names of the areas that a row belongs to, from the largest area to the smallest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<String>,
    /// Text columns that may have several lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub multiline: Vec<String>,
    /// Arithmetic rules that every row must satisfy.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Table and columns of the marginal notes on the table's records; absent if it has no notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Notes>,
    /// Rights of agencies, by the name of their plan.
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
    /// Reads a definition file in TOML, or in JSON if the text begins with a brace.
    ///
    /// # Errors
    /// The text is neither TOML nor JSON, or a key is unknown or missing. The error has the line, the key, what was expected and what was
    /// found.
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
