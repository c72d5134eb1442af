//! Shows one adopted table in full, for operators who explain it to an office's developer.

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

/// An adopted table, with everything by which letters are judged.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// Settings of the table.
    #[serde(flatten)]
    pub table: Adopted,
    /// Columns of the table.
    pub columns: Vec<ColumnShown>,
    /// Checks of the table, each with its arithmetic.
    pub checks_in_words: Vec<CheckShown>,
    /// Rights to the table, by plan.
    pub rights: Vec<RightShown>,
    /// Triggers of the table that operators made.
    pub triggers: Vec<Trigger>,
    /// Differences between the table and its definition; empty if there are none.
    pub drift: Vec<Problem>,
}

/// A column that letters may use.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnShown {
    /// The column as in the definition.
    #[serde(flatten)]
    pub column: Column,
    /// The type in PostgreSQL's notation, such as `varchar(80)`.
    pub sql_type: String,
    /// Whether a letter must give a value for the column.
    pub is_needed: bool,
    /// Whether the column is the scope column, whose codes must be granted to the agency.
    pub is_scope: bool,
    /// Whether the column belongs to the legal key.
    pub is_legal_key: bool,
}

/// A check with its arithmetic.
#[derive(Clone, Debug, Serialize)]
pub struct CheckShown {
    /// Code of the check.
    pub code: String,
    /// Severity of the check: `refuse`, `hold` or `flag`.
    pub severity: &'static str,
    /// Arithmetic, such as `Exprimes + Nuls + Blancs = BulletinsTrouves`.
    pub arithmetic: String,
}

/// The rights of a plan's agencies to the table.
#[derive(Clone, Debug, Queryable, Serialize)]
pub struct RightShown {
    /// Name of the plan.
    pub plan: String,
    /// Whether the agencies may send records.
    pub may_export: bool,
    /// Owners whose records the agencies may import: `none`, `own` or `all`.
    pub may_read: String,
    /// Owners whose records the agencies may have certified: `none`, `own` or `all`.
    pub may_certify: String,
    /// Content of the answer to a certify: only the `verdict`, or also the `record`.
    pub certify_gives: String,
}

/// Shows a table by application and name, such as `ecr.ActeNaissance`.
///
/// # Errors
/// The table is unknown, or its definition cannot be read; a fault.
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
