//! Scopes: the codes for which an agency may send records.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;
use serde_json::json;

use super::agencies::{locked_status, subject};
use super::{AdministrationError, audit};
use crate::schema::scopes;

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
/// # Errors
/// No such agency; a fault.
pub async fn grant(
    connection: &mut AsyncPgConnection,
    operator: &str,
    number: Matricule,
    column_name: &str,
    codes: &[String],
) -> Result<usize, AdministrationError> {
    if column_name.is_empty() || codes.is_empty() || codes.iter().any(String::is_empty) {
        return Err(AdministrationError::invalid("the scope", "a column and at least one code"));
    }
    connection
        .transaction(async |connection| {
            locked_status(connection, number).await?;
            let rows: Vec<_> = codes
                .iter()
                .map(|code| {
                    (scopes::agency.eq(number.as_i32()), scopes::column_name.eq(column_name), scopes::code.eq(code))
                })
                .collect();
            let granted =
                diesel::insert_into(scopes::table).values(rows).on_conflict_do_nothing().execute(connection).await?;
            let detail = json!({ "column": column_name, "codes": codes });
            audit::write(connection, operator, "agency.grant", &subject(number), detail).await?;
            Ok(granted)
        })
        .await
}

/// Takes codes of a scope column from an agency. Returns how many it had.
///
/// # Errors
/// No such agency; a fault.
pub async fn withdraw(
    connection: &mut AsyncPgConnection,
    operator: &str,
    number: Matricule,
    column_name: &str,
    codes: &[String],
) -> Result<usize, AdministrationError> {
    connection
        .transaction(async |connection| {
            locked_status(connection, number).await?;
            let withdrawn = diesel::delete(
                scopes::table
                    .filter(scopes::agency.eq(number.as_i32()))
                    .filter(scopes::column_name.eq(column_name))
                    .filter(scopes::code.eq_any(codes)),
            )
            .execute(connection)
            .await?;
            let detail = json!({ "column": column_name, "codes": codes });
            audit::write(connection, operator, "agency.withdraw", &subject(number), detail).await?;
            Ok(withdrawn)
        })
        .await
}
