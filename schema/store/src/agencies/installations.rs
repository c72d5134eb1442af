//! Installations: the set-ups of an office program, each with its own sequence of letters.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;

use crate::agencies;
use crate::database::schema::installations;
use crate::error::{AdministrationError, InvalidValue};
use crate::people::{AuditAction, Operation, Operator, audit};

/// An installation.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Serialize)]
pub struct Installation {
    /// Its agency.
    pub agency: i32,
    /// Its name, unique within the agency.
    pub name: String,
    /// Highest sequence number held.
    pub sequence_highest: i64,
    /// Letters at or below it have expired.
    pub sequence_floor: i64,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// Adds an installation to an agency.
///
/// # Errors
/// No such agency, the name taken or not valid; a fault.
pub async fn add(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    number: Matricule,
    name: &str,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::InstallationAdd).await?;
    connection
        .transaction(async |connection| {
            agencies::locked_status(connection, number).await?;
            diesel::insert_into(installations::table)
                .values((installations::agency.eq(number.as_i32()), installations::name.eq(name)))
                .execute(connection)
                .await
                .map_err(|error| explain(error, number, name))?;
            audit::write(connection, operator, &AuditAction::InstallationAdd { agency: number, name }).await?;
            Ok(())
        })
        .await
}

/// Lists an agency's installations.
///
/// # Errors
/// A fault.
pub async fn list(
    connection: &mut AsyncPgConnection,
    number: Matricule,
) -> Result<Vec<Installation>, AdministrationError> {
    let rows = installations::table
        .filter(installations::agency.eq(number.as_i32()))
        .order(installations::name)
        .load(connection)
        .await?;
    Ok(rows)
}

fn explain(error: diesel::result::Error, agency: Matricule, name: &str) -> AdministrationError {
    AdministrationError::explain(
        error,
        vec![
            ("installations_pkey", AdministrationError::InstallationExists { agency, name: name.to_owned() }),
            ("installations_name_check", InvalidValue::InstallationName.into()),
        ],
    )
}
