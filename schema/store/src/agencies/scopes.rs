//! Scopes: the codes, such as that of a civil registry, for which an agency may send records. A scope column is the column of a table that
//! contains such a code.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use sdc::names::same;
use serde::Serialize;

use super::agency::locked_status;
use crate::database::schema::{scopes, tables};
use crate::error::{AdministrationError, InvalidValue};
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// A granted code of a scope column.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Serialize)]
#[diesel(table_name = scopes)]
pub struct Scope {
    /// The scope column.
    pub column_name: String,
    /// The code.
    pub code: String,
}

/// Lists the codes granted to an agency.
///
/// # Errors
/// A fault of the database.
pub async fn list(connection: &mut AsyncPgConnection, number: Matricule) -> Result<Vec<Scope>, AdministrationError> {
    let granted = scopes::table
        .filter(scopes::agency.eq(number))
        .order((scopes::column_name, scopes::code))
        .select(Scope::as_select())
        .load(connection)
        .await?;
    Ok(granted)
}

/// Grants codes of a scope column to an agency. Returns how many of the codes are new to the agency.
///
/// The case of `column_name` does not matter. The name is stored with the spelling of the adopted table.
///
/// # Errors
/// The agency does not exist; no adopted table has this scope column; a code that no record can have; a fault of the database.
pub async fn grant(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    number: Matricule,
    column_name: &str,
    codes: &[String],
) -> Result<usize, AdministrationError> {
    operator.require(connection, Operation::AgencyGrant).await?;
    if column_name.is_empty() || codes.is_empty() {
        return Err(InvalidValue::Scope.into());
    }
    // A code with a blank before or after it, copied from a terminal or a spreadsheet, would match no record.
    if codes.iter().any(|code| code.is_empty() || code.trim() != code || code.chars().any(char::is_control)) {
        return Err(InvalidValue::ScopeCodes.into());
    }
    connection
        .transaction(async |connection| {
            locked_status(connection, number).await?;
            let column_name = &spelled(connection, column_name).await?;
            let rows: Vec<_> = codes
                .iter()
                .map(|code| (scopes::agency.eq(number), scopes::column_name.eq(column_name), scopes::code.eq(code)))
                .collect();
            let granted =
                diesel::insert_into(scopes::table).values(rows).on_conflict_do_nothing().execute(connection).await?;
            let action = AuditAction::AgencyGrant { agency: number, column: column_name, codes };
            audit::write(connection, operator, &action).await?;
            Ok(granted)
        })
        .await
}

/// Returns the scope columns of the adopted tables.
pub(super) async fn columns(connection: &mut AsyncPgConnection) -> Result<Vec<String>, AdministrationError> {
    let known: Vec<Option<String>> = tables::table
        .filter(tables::abandoned_at.is_null().and(tables::scope_column.is_not_null()))
        .select(tables::scope_column)
        .distinct()
        .order(tables::scope_column)
        .load(connection)
        .await?;
    Ok(known.into_iter().flatten().collect())
}

/// Returns the name of a scope column with the spelling of the adopted table, since the operator may have typed it in another case.
async fn spelled(connection: &mut AsyncPgConnection, column_name: &str) -> Result<String, AdministrationError> {
    let known = columns(connection).await?;
    known
        .iter()
        .find(|known| same(known, column_name))
        .cloned()
        .ok_or_else(|| AdministrationError::ScopeColumnUnknown { column: column_name.to_owned(), known })
}

/// Withdraws codes of a scope column from an agency. Returns how many of the codes the agency had.
///
/// The case of `column_name` does not matter. The codes can be withdrawn even if the table with this column was abandoned since they were
/// granted.
///
/// # Errors
/// The agency does not exist; a fault of the database.
pub async fn withdraw(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    number: Matricule,
    column_name: &str,
    codes: &[String],
) -> Result<usize, AdministrationError> {
    operator.require(connection, Operation::AgencyWithdraw).await?;
    connection
        .transaction(async |connection| {
            locked_status(connection, number).await?;
            let spellings: Vec<String> = scopes::table
                .filter(scopes::agency.eq(number))
                .select(scopes::column_name)
                .distinct()
                .load::<String>(connection)
                .await?
                .into_iter()
                .filter(|granted| same(granted, column_name))
                .collect();
            let withdrawn = diesel::delete(
                scopes::table
                    .filter(scopes::agency.eq(number))
                    .filter(scopes::column_name.eq_any(spellings))
                    .filter(scopes::code.eq_any(codes)),
            )
            .execute(connection)
            .await?;
            let action = AuditAction::AgencyWithdraw { agency: number, column: column_name, codes };
            audit::write(connection, operator, &action).await?;
            Ok(withdrawn)
        })
        .await
}
