//! Adopted tables as they are listed and found.

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
    /// Family of tables.
    pub application: String,
    /// Name in letters.
    pub name: String,
    /// PostgreSQL schema.
    pub schema_name: String,
    /// PostgreSQL table.
    pub relation_name: String,
    /// Scope column.
    pub scope_column: Option<String>,
    /// Legal key.
    pub legal_key: Vec<String>,
    /// How corrections are decided.
    pub corrections: String,
    /// Whether it has results.
    pub results: bool,
    /// Columns that name the areas a row lies in, from the largest to the smallest.
    pub areas: Vec<String>,
    /// Checks, as in the definition file.
    pub checks: Value,
    /// Where the marginal notes of its records are, as in the definition file.
    pub notes: Option<Value>,
    /// Version of the columns.
    pub version: i32,
    /// Triggers that it had when it was adopted, each a [`Trigger`](super::Trigger).
    #[serde(skip)]
    pub triggers_seen: Value,
}

impl Adopted {
    /// Returns application and name, as commands take them.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.application, self.name)
    }
}

/// Lists the adopted tables, without those that were given up.
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

/// Finds an adopted table by application and name, as `ecr.ActeNaissance`, the name without regard to case.
///
/// # Errors
/// No such table; a fault.
pub async fn find(connection: &mut AsyncPgConnection, full_name: &str) -> Result<Adopted, AdministrationError> {
    let unknown = || AdministrationError::TableUnknown(full_name.to_owned());
    let (application, name) = full_name.split_once('.').ok_or_else(unknown)?;
    let mut adopted = list(connection).await?.into_iter();
    adopted.find(|table| table.application == application && same(&table.name, name)).ok_or_else(unknown)
}
