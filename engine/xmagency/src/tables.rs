//! The tables of the centre, as its signed definitions describe them.

use rusqlite::params;
use sdc::answer::notice::TableDefinition;
use sdc::examine::column::{Column, NUMERO, STATUS, is_provenance};
use sdc::names::{folded, same};
use serde_json::Value;

use crate::database::{Database, DatabaseError};
use crate::not_found::NotFound;

/// A table with its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The definition as the centre wrote it.
    pub definition: TableDefinition,
    /// The columns that a record of the office has: all but `Numero` and `Status`.
    pub columns: Vec<Column>,
}

impl Table {
    /// Reads a definition; none where a column has a type that this program does not know, so that a newer program is needed.
    pub fn of(definition: TableDefinition) -> Option<Table> {
        let read = |column: &Value| serde_json::from_value::<Column>(column.clone()).ok();
        let mut columns: Vec<Column> = definition.columns.iter().map(read).collect::<Option<_>>()?;
        columns.retain(|column| column.name != NUMERO && column.name != STATUS && !is_provenance(&column.name));
        Some(Table { definition, columns })
    }

    /// Returns the table's name with its application: `ecr.ActeNaissance`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.definition.application, self.definition.table)
    }

    /// Finds a column by its name, whatever its case.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| same(&column.name, name))
    }

    /// Says whether a column belongs to the legal key.
    pub fn is_of_legal_key(&self, column: &str) -> bool {
        self.definition.legal_key.iter().any(|name| same(name, column))
    }
}

impl Database {
    /// Keeps a definition, unless a later version is known.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn define(&self, definition: &TableDefinition) -> Result<(), DatabaseError> {
        let statement = "INSERT INTO tables VALUES (?1, ?2, ?3, ?4) ON CONFLICT (application, name)
                         DO UPDATE SET version = excluded.version, definition = excluded.definition
                         WHERE tables.version < excluded.version";
        // A definition was read from JSON, so it can be written as JSON.
        let text = serde_json::to_string(definition).unwrap_or_default();
        let TableDefinition { application, table, version, .. } = definition;
        self.change(statement, params![application, table, version, text]).map(drop)
    }

    /// Lists the tables that this program can read, by name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn tables(&self) -> Result<Vec<Table>, DatabaseError> {
        let statement = "SELECT definition FROM tables ORDER BY application, name";
        let texts = self.list(statement, [], |row| row.get::<_, String>(0))?;
        Ok(texts.iter().filter_map(|text| serde_json::from_str(text).ok()).filter_map(Table::of).collect())
    }

    /// Finds a table by its name, with its application before a point or alone where no other application has one of that name.
    ///
    /// # Errors
    /// There is none, or several; the database cannot be read.
    pub fn table(&self, name: &str) -> anyhow::Result<Table> {
        let all = self.tables()?;
        let wanted = folded(name);
        let is_named =
            |table: &&Table| folded(&table.full_name()) == wanted || folded(&table.definition.table) == wanted;
        let found: Vec<&Table> = all.iter().filter(is_named).collect();
        if let [only] = found.as_slice() {
            return Ok((*only).clone());
        }
        let known: Vec<String> = all.iter().map(Table::full_name).collect();
        if known.is_empty() {
            let sentence = "the centre has sent no table yet: run `xmagency transmit`, and again after a while";
            return Err(NotFound(sentence.to_owned()).into());
        }
        Err(NotFound(format!("{name:?} names no table: expected one of {}", known.join(", "))).into())
    }
}
