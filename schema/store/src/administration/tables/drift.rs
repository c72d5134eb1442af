//! How adopted tables differ from their definitions: what somebody changed with another tool since they were adopted.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use serde_json::Value;

use super::guard::{self, Guard, Trigger};
use super::inspect::{Found, PROVENANCE, Relation};
use super::mark::wanted_indexes;
use super::{AdministrationError, Adopted, list};
use crate::definition::Column;
use crate::schema::definitions;

/// How an adopted table differs from its definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// Application and name.
    pub table: String,
    /// Each difference, and what mends it.
    pub problems: Vec<String>,
}

/// Compares every adopted table with the database; empty when all agree.
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

/// Names each difference of one table, and what mends it.
pub async fn of(connection: &mut AsyncPgConnection, table: &Adopted) -> Result<Vec<String>, AdministrationError> {
    let Some(relation) = Relation::find(connection, &table.schema_name, &table.relation_name).await? else {
        return Ok(vec![format!(
            "table {}.{} is gone: restore it, or give it up with `xmserver table abandon {}`",
            table.schema_name,
            table.relation_name,
            table.full_name()
        )]);
    };
    let held: Value = definitions::table
        .find((table.table_id, table.version))
        .select(definitions::columns_found)
        .first(connection)
        .await?;
    let Ok(defined) = serde_json::from_value::<Vec<Column>>(held) else {
        return Ok(vec!["its definition cannot be read: adopt it again".to_owned()]);
    };
    let mut problems = of_columns(&defined, &relation);
    for wanted in wanted_indexes(&table.relation_name, &table.legal_key) {
        if !wanted.is_there(connection, &table.schema_name).await? {
            problems.push(format!("unique index {} is gone or changed: adopt again", wanted.name));
        }
    }
    problems.extend(Guard::find(connection, &table.schema_name, &table.relation_name).await?.problems());
    // What cannot be read any more was written by nobody that is known: every trigger is told of.
    let seen: Vec<Trigger> = serde_json::from_value(table.triggers_seen.clone()).unwrap_or_default();
    let found = guard::triggers(connection, &table.schema_name, &table.relation_name).await?;
    problems.extend(guard::altered_triggers(&seen, &found));
    Ok(problems)
}

fn of_columns(defined: &[Column], relation: &Relation) -> Vec<String> {
    let mut problems = Vec::new();
    let multiline: Vec<String> =
        defined.iter().filter(|column| column.multiline).map(|column| column.name.clone()).collect();
    let found = relation.definition_columns(&multiline);
    for column in defined {
        match found.iter().find(|other| other.name == column.name) {
            None => problems.push(format!("column {} is gone or has an unsupported type: adopt again", column.name)),
            Some(other) if other != column => {
                problems.push(format!("column {} has another type, nullability or default: adopt again", column.name));
            }
            Some(_) => {}
        }
    }
    problems.extend(relation.columns.iter().filter_map(Found::inexact));
    let added = |column: &&Found| !column.is_provenance() && !defined.iter().any(|known| known.name == column.name);
    problems.extend(
        relation.columns.iter().filter(added).map(|column| format!("column {} is new: adopt again", column.name)),
    );
    for (name, type_name) in PROVENANCE {
        if relation.column(name).is_none_or(|column| column.type_name != *type_name) {
            problems.push(format!("column {name} of provenance is gone or changed: adopt again"));
        }
    }
    problems
}
