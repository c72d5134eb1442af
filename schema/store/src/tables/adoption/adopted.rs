//! Lists and finds adopted tables.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::names::same;
use serde::Serialize;
use serde_json::Value;

use crate::database::schema::tables;
use crate::error::AdministrationError;

/// An adopted table in a list.
#[derive(Clone, Debug, Queryable, Selectable, Serialize)]
#[diesel(table_name = tables)]
pub struct Adopted {
    /// Key in `xm.tables`.
    #[diesel(column_name = id)]
    pub table_id: i32,
    /// Application that the table belongs to.
    pub application: String,
    /// Name in letters.
    pub name: String,
    /// PostgreSQL schema of the table.
    pub schema_name: String,
    /// Name of the table in PostgreSQL.
    pub relation_name: String,
    /// Column whose codes must be granted to the agency; `None` if the table has no scope.
    pub scope_column: Option<String>,
    /// Columns of the legal key.
    pub legal_key: Vec<String>,
    /// Policy for corrections: `never`, `after_approval` or `by_agency`.
    pub corrections: String,
    /// Whether the table is marked as containing results of an election.
    pub results: bool,
    /// Columns with the names of the areas that a row belongs to, from the largest area to the smallest.
    pub areas: Vec<String>,
    /// Checks, as in the definition file.
    pub checks: Value,
    /// Table and columns of the marginal notes on its records, as in the definition file; `None` if the table has no notes.
    pub notes: Option<Value>,
    /// Current version of the definition.
    pub version: i32,
    /// Triggers that the table had when it was adopted: a JSON array of [`Trigger`](super::Trigger).
    #[serde(skip)]
    pub triggers_seen: Value,
}

impl Adopted {
    /// Returns application and name in the form that commands accept, such as `ecr.ActeNaissance`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.application, self.name)
    }
}

/// Lists the adopted tables, without the abandoned ones, by application and name.
///
/// # Errors
/// A fault.
pub async fn list(connection: &mut AsyncPgConnection) -> Result<Vec<Adopted>, AdministrationError> {
    let adopted = tables::table
        .filter(tables::abandoned_at.is_null())
        .order((tables::application, tables::name))
        .select(Adopted::as_select())
        .load(connection)
        .await?;
    Ok(adopted)
}

/// Finds an adopted table by application and name, such as `ecr.ActeNaissance`. The case of the name does not matter.
///
/// # Errors
/// The table is unknown; a fault.
pub async fn find(connection: &mut AsyncPgConnection, full_name: &str) -> Result<Adopted, AdministrationError> {
    let unknown = || AdministrationError::TableUnknown(full_name.to_owned());
    let (application, name) = full_name.split_once('.').ok_or_else(unknown)?;
    let mut adopted = list(connection).await?.into_iter();
    adopted.find(|table| table.application == application && same(&table.name, name)).ok_or_else(unknown)
}
