//! Giving up a table that was dropped: its registration ends, and its history stays.

use chrono::Utc;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::inspect::Relation;
use super::{Adopted, find};
use crate::database::schema::tables;
use crate::error::AdministrationError;
use crate::people::{AuditAction, Operation, Operator, audit};

/// Ends the registration of a table that is gone from the database: letters for it are refused `table_unknown`, and `check` says
/// no more of it. Adopting it again, in whatever schema, takes it up where it was.
///
/// # Errors
/// No such table, or one that is there: records of a table that exists are not given up; a fault.
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
