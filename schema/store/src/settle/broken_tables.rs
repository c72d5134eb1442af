//! Finds the tables that take no rows of any letter, by writing and reading no row at all.
//!
//! A statement without rows fails if the table itself is unusable: a column was dropped, a right was revoked, or another transaction locks
//! the table. A trigger that looks at rows does not run for such a statement, so the rows of a single letter cannot cause the failure.

use std::sync::Arc;

use diesel_async::SimpleAsyncConnection;

use super::batch::Case;
use super::gathered::{Gathered, shapes};
use super::held;
use super::not_inserted::NotInserted;
use super::rows::insert_gathered;
use super::transaction::OpenTransaction;
use crate::database::fault::Fault;
use crate::tables::definition::Definition;
use crate::tables::examine::TableRows;

/// Returns the tables of accepted letters that take no rows of any letter now, each with its fault.
///
/// # Errors
/// A fault with another cause than a table, such as a lost connection.
pub async fn broken_tables(
    transaction: &mut OpenTransaction,
    batch: &[Case],
) -> Result<Vec<(Arc<Definition>, Fault)>, Fault> {
    let mut broken: Vec<(Arc<Definition>, Fault)> = Vec::new();
    for rows in shapes(batch) {
        let definition = &rows.definition;
        if broken.iter().any(|(known, _)| known.table_id == definition.table_id) {
            continue;
        }
        transaction.connection().batch_execute("SAVEPOINT empty").await?;
        let tried = write_and_read(transaction, rows).await;
        transaction.connection().batch_execute("ROLLBACK TO SAVEPOINT empty; RELEASE SAVEPOINT empty").await?;
        if let Err(fault) = tried {
            broken.push((Arc::clone(definition), fault));
        }
    }
    Ok(broken)
}

/// Runs statements that write and read no row. They fail if the table is unusable. If a rule of the table refuses even a statement without
/// rows, this is not a fault: such a rule makes the centre refuse the letters.
async fn write_and_read(transaction: &mut OpenTransaction, rows: &TableRows) -> Result<(), Fault> {
    match insert_gathered(transaction.shared(), Gathered::empty(rows)).await {
        Ok(()) => held::compare_none(transaction.connection(), Gathered::empty(rows)).await,
        Err(NotInserted::Rule(_) | NotInserted::Held(_)) => Ok(()),
        Err(NotInserted::Failed(fault)) => Err(fault),
    }
}
