//! Tells a table that takes no rows of anybody from one whose trigger fails over some row: by writing and reading no row.
//!
//! A statement without rows meets whatever is wrong with the table itself (a column that is gone, a right taken away, a
//! lock), and no trigger that looks at a row.

use std::sync::Arc;

use diesel_async::SimpleAsyncConnection;

use super::arrival::Arrival;
use super::decide::Decision;
use super::gathered::{Gathered, gather_none};
use super::held;
use super::open::OpenTransaction;
use super::rows::{NotInserted, insert_gathered};
use crate::database::fault::Fault;
use crate::tables::definition::Definition;

/// Returns the tables of accepted letters that take no rows of anybody now, each with what is wrong.
///
/// # Errors
/// A fault that is of no table: the connection is gone.
pub async fn broken_tables(
    transaction: &mut OpenTransaction,
    batch: &[Arrival],
    decisions: &[Decision],
) -> Result<Vec<(Arc<Definition>, Fault)>, Fault> {
    let mut broken: Vec<(Arc<Definition>, Fault)> = Vec::new();
    for (to_write, to_read) in gather_none(batch, decisions).into_iter().zip(gather_none(batch, decisions)) {
        let definition = Arc::clone(&to_write.definition);
        if broken.iter().any(|(known, _)| known.table_id == definition.table_id) {
            continue;
        }
        transaction.connection().batch_execute("SAVEPOINT empty").await?;
        let tried = write_and_read(transaction, to_write, to_read).await;
        transaction.connection().batch_execute("ROLLBACK TO SAVEPOINT empty; RELEASE SAVEPOINT empty").await?;
        if let Err(fault) = tried {
            broken.push((definition, fault));
        }
    }
    Ok(broken)
}

/// Fails where the table does; what a rule of it says of a statement without rows is a rule's word on those with rows too.
async fn write_and_read(
    transaction: &mut OpenTransaction,
    to_write: Gathered<'_>,
    to_read: Gathered<'_>,
) -> Result<(), Fault> {
    match insert_gathered(transaction.shared(), to_write).await {
        Ok(()) => held::compare_none(transaction.connection(), to_read).await,
        Err(NotInserted::Rule(_) | NotInserted::Held(_)) => Ok(()),
        Err(NotInserted::Failed(fault)) => Err(fault),
    }
}
