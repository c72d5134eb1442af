//! Adoption of tables that operators made with any tool: reading, judging, marking and versioning them.
//!
//! Adoption changes the operators' table in three ways only: it adds the columns of provenance, and two unique
//! indexes: one record per (agency, installation, number), one live record per legal key. All of it is one transaction.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use sdc::names::same;
use serde::Serialize;
use serde_json::{Value, json};

mod abandon;
mod change;
mod drift;
mod file;
mod guard;
mod inspect;
mod judge;
mod mark;
mod mistake;
mod problem;
mod record;
mod show;
#[cfg(test)]
mod tests;

pub use abandon::abandon;
pub use change::Change;
pub use drift::{Drift, check};
pub use file::{MayRead, Rights, TableFile, TablesFile};
pub use guard::{Trigger, Warning};
pub use mistake::Mistake;
pub use problem::{Problem, ProblemCode};
pub use show::{CheckShown, ColumnShown, RightShown, Shown, show};

use crate::database::identifier::is_plain;
use crate::database::schema::tables;
use crate::error::AdministrationError;
use crate::people::{AuditAction, Operation, Operator, audit};
use guard::Guard;
use inspect::Relation;
use record::Recorded;

/// What adoption did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adoption {
    /// Key in `xm.tables`.
    pub table_id: i32,
    /// Application and name, such as `ecr.ActeNaissance`.
    pub table: String,
    /// Version of the columns now.
    pub version: i32,
    /// What became of it.
    pub outcome: Outcome,
    /// What differs from before.
    pub changes: Vec<Change>,
    /// What the operator should know.
    pub warnings: Vec<Warning>,
}

/// How a table stands after adoption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is new.
    Adopted,
    /// Its columns changed: the definition has a further version.
    NewVersion,
    /// Scope, key, checks, corrections or rights changed.
    Changed,
    /// All was as it is.
    Unchanged,
}

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
    /// Checks, as in the definition file.
    pub checks: Value,
    /// Version of the columns.
    pub version: i32,
    /// Triggers that it had when it was adopted, each a [`Trigger`].
    #[serde(skip)]
    pub triggers_seen: Value,
}

impl Adopted {
    /// Returns application and name, as commands take them.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.application, self.name)
    }
}

/// Adopts every table of a definition file, or none.
///
/// Doing it again changes nothing; after ALTER TABLE the definition gets its next version, and letters are judged by
/// that from then on.
///
/// # Errors
/// [`AdministrationError::TableUnfit`] with every problem of the first unfit table; an unknown plan; a fault.
pub async fn adopt(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    file: &TablesFile,
) -> Result<Vec<Adoption>, AdministrationError> {
    operator.require(connection, Operation::TableAdopt).await?;
    connection
        .transaction(async |connection| {
            // Two operators at once must not adopt two tables under names that differ in case only.
            connection.batch_execute("LOCK TABLE xm.tables IN SHARE ROW EXCLUSIVE MODE").await?;
            let mut adoptions = Vec::with_capacity(file.tables.len());
            for table in &file.tables {
                adoptions.push(adopt_one(connection, operator, file, table).await?);
            }
            Ok(adoptions)
        })
        .await
}

async fn adopt_one(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    file: &TablesFile,
    table: &TableFile,
) -> Result<Adoption, AdministrationError> {
    let (schema_name, relation_name) = (file.schema_name(), table.relation_name());
    let full_name = format!("{}.{}", file.application, table.name);
    let unfit = |problems| AdministrationError::TableUnfit { table: full_name.clone(), problems };
    let names = [&table.name, relation_name, schema_name, &file.application];
    if let Some(name) = names.into_iter().find(|name| !is_plain(name)) {
        return Err(unfit(vec![Problem::new(ProblemCode::NameNotPlain).with("name", name)]));
    }
    if matches!(schema_name, "xm" | "pg_catalog" | "information_schema") {
        return Err(unfit(vec![Problem::new(ProblemCode::SchemaReserved).with("schema", schema_name)]));
    }
    let Some(relation) = Relation::find(connection, schema_name, relation_name).await? else {
        let missing = Problem::new(ProblemCode::RelationMissing).with("relation", relation_name);
        return Err(unfit(vec![missing.with("schema", schema_name)]));
    };
    let guard = Guard::find(connection, schema_name, relation_name).await?;
    let mut problems = guard.problems();
    problems.extend(judge::problems(connection, file, table, &relation).await?);
    if !problems.is_empty() {
        return Err(unfit(problems));
    }
    mark::mark(connection, schema_name, relation_name, &table.legal_key).await?;
    let columns = relation.definition_columns(&table.multiline);
    let triggers = json!(guard::triggers(connection, schema_name, relation_name).await?);
    let Recorded { table_id, version, outcome, changes } =
        record::record(connection, file, table, &columns, &triggers).await?;
    if outcome != Outcome::Unchanged {
        let action =
            AuditAction::TableAdopt { table: &full_name, outcome, version, changes: &changes, definition: table };
        audit::write(connection, operator, &action).await?;
    }
    Ok(Adoption { table_id, table: full_name, version, outcome, changes, warnings: guard.warnings() })
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
