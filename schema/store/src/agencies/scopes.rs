//! Scopes: the codes for which an agency may send records.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use sdc::names::same;
use serde::Serialize;

use super::locked_status;
use crate::database::schema::{scopes, tables};
use crate::error::{AdministrationError, InvalidValue};
use crate::people::{AuditAction, Operation, Operator, audit};

/// A granted code of a scope column.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Serialize)]
pub struct Scope {
    /// The scope column.
    pub column_name: String,
    /// The code.
    pub code: String,
}

/// Lists the codes granted to an agency.
///
/// # Errors
/// A fault.
pub async fn list(connection: &mut AsyncPgConnection, number: Matricule) -> Result<Vec<Scope>, AdministrationError> {
    let granted = scopes::table
        .filter(scopes::agency.eq(number.as_i32()))
        .order((scopes::column_name, scopes::code))
        .select((scopes::column_name, scopes::code))
        .load(connection)
        .await?;
    Ok(granted)
}

/// Grants codes of a scope column to an agency. Returns how many it did not have yet.
///
/// The column is named without regard to case and kept as the adopted table spells it.
///
/// # Errors
/// No such agency; no adopted table with this scope column; a code that no record could have; a fault.
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
    // A blank that the terminal or a spreadsheet added would make a code that no letter ever names.
    if codes.iter().any(|code| code.is_empty() || code.trim() != code || code.chars().any(char::is_control)) {
        return Err(InvalidValue::ScopeCodes.into());
    }
    connection
        .transaction(async |connection| {
            locked_status(connection, number).await?;
            let column_name = &spelled(connection, column_name).await?;
            let rows: Vec<_> = codes
                .iter()
                .map(|code| {
                    (scopes::agency.eq(number.as_i32()), scopes::column_name.eq(column_name), scopes::code.eq(code))
                })
                .collect();
            let granted =
                diesel::insert_into(scopes::table).values(rows).on_conflict_do_nothing().execute(connection).await?;
            let action = AuditAction::AgencyGrant { agency: number, column: column_name, codes };
            audit::write(connection, operator, &action).await?;
            Ok(granted)
        })
        .await
}

/// Finds a scope column of the adopted tables, as they spell it.
async fn spelled(connection: &mut AsyncPgConnection, column_name: &str) -> Result<String, AdministrationError> {
    let known: Vec<Option<String>> = tables::table
        .filter(tables::abandoned_at.is_null().and(tables::scope_column.is_not_null()))
        .select(tables::scope_column)
        .distinct()
        .order(tables::scope_column)
        .load(connection)
        .await?;
    let known: Vec<String> = known.into_iter().flatten().collect();
    known
        .iter()
        .find(|known| same(known, column_name))
        .cloned()
        .ok_or_else(|| AdministrationError::ScopeColumnUnknown { column: column_name.to_owned(), known })
}

/// Takes codes of a scope column from an agency. Returns how many it had.
///
/// The column is named without regard to case, and need not belong to an adopted table any more.
///
/// # Errors
/// No such agency; a fault.
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
                .filter(scopes::agency.eq(number.as_i32()))
                .select(scopes::column_name)
                .distinct()
                .load::<String>(connection)
                .await?
                .into_iter()
                .filter(|granted| same(granted, column_name))
                .collect();
            let withdrawn = diesel::delete(
                scopes::table
                    .filter(scopes::agency.eq(number.as_i32()))
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
