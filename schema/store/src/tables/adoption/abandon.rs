//! An operator abandons a table that was dropped: its registration ends, and its history is kept.

use chrono::Utc;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::adopted::{Adopted, find};
use super::inspect::Relation;
use crate::database::schema::tables;
use crate::error::AdministrationError;
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Ends the registration of a table that no longer exists in the database. Letters for it are refused with `table_unknown`, and `check` no
/// longer reports it. If the table is adopted again, in whatever schema, its versions continue.
///
/// # Errors
/// The table is unknown, or it still exists: an existing table cannot be abandoned. A fault.
pub async fn abandon(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    full_name: &str,
) -> Result<Adopted, AdministrationError> {
    operator.require(connection, Operation::TableAbandon).await?;
    connection
        .transaction(async |connection| {
            let table = find(connection, full_name).await?;
            if Relation::find(connection, &table.schema_name, &table.relation_name).await?.is_some() {
                return Err(AdministrationError::TableThere {
                    table: table.full_name(),
                    relation: format!("{}.{}", table.schema_name, table.relation_name),
                });
            }
            diesel::update(tables::table.find(table.table_id))
                .set(tables::abandoned_at.eq(Some(Utc::now())))
                .execute(connection)
                .await?;
            let (name, table_id, version) = (table.full_name(), table.table_id, table.version);
            audit::write(connection, operator, &AuditAction::TableAbandon { table: &name, table_id, version }).await?;
            Ok(table)
        })
        .await
}
