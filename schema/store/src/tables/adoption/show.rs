//! One adopted table in full: what an office's developer asks on the telephone.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use serde_json::Value;

use super::adopted::{Adopted, find};
use super::drift;
use super::guard::{Trigger, triggers};
use super::problem::Problem;
use crate::database::fault::Fault;
use crate::database::schema::{definitions, rights};
use crate::error::AdministrationError;
use crate::tables::definition::{Check, Column};

/// An adopted table with everything that letters are judged by.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// Its settings.
    #[serde(flatten)]
    pub table: Adopted,
    /// Its columns.
    pub columns: Vec<ColumnShown>,
    /// Its checks, each with its arithmetic.
    pub checks_in_words: Vec<CheckShown>,
    /// Who may do what.
    pub rights: Vec<RightShown>,
    /// Triggers that operators made.
    pub triggers: Vec<Trigger>,
    /// How the table differs from its definition; empty when it does not.
    pub drift: Vec<Problem>,
}

/// A column that letters may name.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnShown {
    /// As in the definition.
    #[serde(flatten)]
    pub column: Column,
    /// The type as PostgreSQL names it, such as `varchar(80)`.
    pub sql_type: String,
    /// Whether a letter must bring it.
    pub is_needed: bool,
    /// Whether its codes must be granted to the agency.
    pub is_scope: bool,
    /// Whether it belongs to the legal key.
    pub is_legal_key: bool,
}

/// A check and what it reckons.
#[derive(Clone, Debug, Serialize)]
pub struct CheckShown {
    /// Its code.
    pub code: String,
    /// `refuse` or `flag`.
    pub severity: &'static str,
    /// Such as `Exprimes + Nuls + Blancs = BulletinsTrouves`.
    pub arithmetic: String,
}

/// What agencies of a plan may do.
#[derive(Clone, Debug, Queryable, Serialize)]
pub struct RightShown {
    /// The plan.
    pub plan: String,
    /// Whether they may send records.
    pub may_export: bool,
    /// `none`, `own` or `all`.
    pub may_read: String,
    /// `none`, `own` or `all`.
    pub may_certify: String,
    /// `verdict` or `record`.
    pub certify_gives: String,
}

/// Shows a table by application and name, as `ecr.ActeNaissance`.
///
/// # Errors
/// No such table, or one whose definition cannot be read; a fault.
pub async fn show(connection: &mut AsyncPgConnection, full_name: &str) -> Result<Shown, AdministrationError> {
    let table = find(connection, full_name).await?;
    let held: Value = definitions::table
        .find((table.table_id, table.version))
        .select(definitions::columns_found)
        .first(connection)
        .await?;
    let unreadable =
        |what: &str| Fault::Bug(format!("{what} of table {} in xm cannot be read: adopt it again", table.full_name()));
    let columns: Vec<Column> = serde_json::from_value(held).map_err(|_detail| unreadable("the definition"))?;
    let checks: Vec<Check> = serde_json::from_value(table.checks.clone()).map_err(|_detail| unreadable("a check"))?;
    let rights = rights::table
        .filter(rights::table_id.eq(table.table_id))
        .order(rights::plan)
        .select((rights::plan, rights::may_export, rights::may_read, rights::may_certify, rights::certify_gives))
        .load(connection)
        .await?;
    let shown_column = |column: Column| ColumnShown {
        sql_type: column.kind.in_sql(),
        is_needed: column.is_needed(),
        is_scope: table.scope_column.as_ref() == Some(&column.name),
        is_legal_key: table.legal_key.contains(&column.name),
        column,
    };
    let shown_check = |check: Check| CheckShown {
        arithmetic: check.to_string(),
        severity: check.severity.as_str(),
        code: check.code,
    };
    Ok(Shown {
        columns: columns.into_iter().map(shown_column).collect(),
        checks_in_words: checks.into_iter().map(shown_check).collect(),
        rights,
        triggers: triggers(connection, &table.schema_name, &table.relation_name).await?,
        drift: drift::of(connection, &table).await?,
        table,
    })
}
