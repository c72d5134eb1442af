//! Differences between adopted tables and their definitions: changes that somebody made with another tool since the adoption.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use serde_json::Value;

use super::adopted::{Adopted, list};
use super::guard::{self, Guard, Trigger};
use super::inspect::{Found, PROVENANCE, Relation};
use super::mark::wanted_indexes;
use super::problem::{Problem, ProblemCode};
use crate::database::schema::definitions;
use crate::error::AdministrationError;
use crate::tables::definition::Column;

/// The differences between an adopted table and its definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// Application and name.
    pub table: String,
    /// One problem for each difference.
    pub problems: Vec<Problem>,
}

/// Compares every adopted table with the database. The list is empty if all tables equal their definitions.
///
/// # Errors
/// A fault.
pub async fn check(connection: &mut AsyncPgConnection) -> Result<Vec<Drift>, AdministrationError> {
    let mut drifts = Vec::new();
    for table in list(connection).await? {
        let problems = of(connection, &table).await?;
        if !problems.is_empty() {
            drifts.push(Drift { table: table.full_name(), problems });
        }
    }
    Ok(drifts)
}

/// Returns one problem for each difference between a table and its definition.
pub async fn of(connection: &mut AsyncPgConnection, table: &Adopted) -> Result<Vec<Problem>, AdministrationError> {
    let Some(relation) = Relation::find(connection, &table.schema_name, &table.relation_name).await? else {
        let relation = format!("{}.{}", table.schema_name, table.relation_name);
        let gone = Problem::new(ProblemCode::RelationGone).with("relation", relation);
        return Ok(vec![gone.with("table", table.full_name())]);
    };
    let held: Value = definitions::table
        .find((table.table_id, table.version))
        .select(definitions::columns_found)
        .first(connection)
        .await?;
    let Ok(defined) = serde_json::from_value::<Vec<Column>>(held) else {
        return Ok(vec![Problem::new(ProblemCode::DefinitionUnreadable)]);
    };
    let mut problems = of_columns(&defined, &relation);
    for wanted in wanted_indexes(&table.relation_name, &table.legal_key) {
        if !wanted.is_there(connection, &table.schema_name).await? {
            problems.push(Problem::new(ProblemCode::IndexGone).with("index", &wanted.name));
        }
    }
    problems.extend(Guard::find(connection, &table.schema_name, &table.relation_name).await?.problems());
    // If the triggers recorded at the adoption cannot be read, no trigger counts as known, so every trigger of the table is reported.
    let seen: Vec<Trigger> = serde_json::from_value(table.triggers_seen.clone()).unwrap_or_default();
    let found = guard::triggers(connection, &table.schema_name, &table.relation_name).await?;
    problems.extend(guard::altered_triggers(&seen, &found));
    Ok(problems)
}

fn of_columns(defined: &[Column], relation: &Relation) -> Vec<Problem> {
    let of = |code, column: &str| Problem::new(code).with("column", column);
    let mut problems = Vec::new();
    let multiline: Vec<String> =
        defined.iter().filter(|column| column.multiline).map(|column| column.name.clone()).collect();
    let found = relation.definition_columns(&multiline);
    for column in defined {
        match found.iter().find(|other| other.name == column.name) {
            None => problems.push(of(ProblemCode::ColumnGone, &column.name)),
            Some(other) if other != column => problems.push(of(ProblemCode::ColumnChanged, &column.name)),
            Some(_) => {}
        }
    }
    problems.extend(relation.columns.iter().filter_map(Found::inexact));
    let added = |column: &&Found| !column.is_provenance() && !defined.iter().any(|known| known.name == column.name);
    problems.extend(relation.columns.iter().filter(added).map(|column| of(ProblemCode::ColumnNew, &column.name)));
    for (name, type_name) in PROVENANCE {
        if relation.column(name).is_none_or(|column| column.type_name != *type_name) {
            problems.push(of(ProblemCode::ProvenanceGone, name));
        }
    }
    problems
}
