//! Installations of an office's program; each installation numbers its letters itself.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;

use super::agency::locked_status;
use crate::database::schema::installations;
use crate::error::{AdministrationError, InvalidValue};
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// An installation.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Serialize)]
#[diesel(table_name = installations)]
pub struct Installation {
    /// Matricule of the agency.
    pub agency: Matricule,
    /// Name of the installation, unique within the agency.
    pub name: String,
    /// Highest sequence number of a stored letter.
    pub sequence_highest: i64,
    /// Sequence number up to which letters are refused: the records by which the centre would recognise such a letter as a duplicate have
    /// been deleted.
    pub sequence_floor: i64,
    /// Time when the installation was added.
    pub created_at: DateTime<Utc>,
}

/// Adds an installation to an agency.
///
/// # Errors
/// The agency does not exist, or the name is taken or not valid; a fault of the database.
pub async fn add(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    number: Matricule,
    name: &str,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::InstallationAdd).await?;
    connection
        .transaction(async |connection| {
            locked_status(connection, number).await?;
            diesel::insert_into(installations::table)
                .values((installations::agency.eq(number), installations::name.eq(name)))
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
/// A fault of the database.
pub async fn list(
    connection: &mut AsyncPgConnection,
    number: Matricule,
) -> Result<Vec<Installation>, AdministrationError> {
    let rows = installations::table
        .filter(installations::agency.eq(number))
        .order(installations::name)
        .select(Installation::as_select())
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
