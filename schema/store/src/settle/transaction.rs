//! A transaction that is open on a pooled connection, and the promise that the connection never returns to the pool with it open.

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use crate::database::fault::Fault;
use crate::database::{Connection, ROOM_PROBE, StatementLimits};

/// An open transaction. Where it is dropped without [`OpenTransaction::commit`], its connection is taken out of the pool and closed: a
/// connection merely returned would keep its row locks until it is taken out again.
pub struct OpenTransaction {
    connection: Option<Connection>,
    closes_after_commit: bool,
}

impl OpenTransaction {
    /// Takes a connection, before the first statement: even after a BEGIN that failed, the connection must not return to the pool.
    pub fn on(connection: Connection) -> OpenTransaction {
        OpenTransaction { connection: Some(connection), closes_after_commit: false }
    }

    pub async fn begin(&self) -> Result<(), Fault> {
        Ok((&mut self.shared()).batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?)
    }

    pub fn connection(&mut self) -> &mut AsyncPgConnection {
        #[expect(clippy::expect_used, reason = "only commit and drop take it, and both consume the transaction")]
        self.connection.as_mut().expect("an open transaction has its connection")
    }

    /// Returns the connection for statements that one task sends without waiting for one another.
    ///
    /// Prepared statements run in the order in which they are first polled, even if one must be prepared first. `begin` and `savepoint`
    /// send simple queries, which overtake a statement that is still being prepared: poll them before every statement that must run
    /// after them.
    pub fn shared(&self) -> &AsyncPgConnection {
        #[expect(clippy::expect_used, reason = "only commit and drop take it, and both consume the transaction")]
        self.connection.as_ref().expect("an open transaction has its connection")
    }

    /// Sets the savepoint, and the limits of the statements that follow. The limits stay as they are after a rollback to it.
    pub async fn savepoint(&self, limits: StatementLimits) -> Result<(), Fault> {
        let text = format!("{}; SAVEPOINT letters", set_local(limits));
        Ok((&mut self.shared()).batch_execute(&text).await?)
    }

    pub async fn roll_back_to_savepoint(&mut self) -> Result<(), Fault> {
        Ok(self.connection().batch_execute("ROLLBACK TO SAVEPOINT letters").await?)
    }

    /// Sets the limits of the statements that follow.
    pub async fn limit(&mut self, limits: StatementLimits) -> Result<(), Fault> {
        Ok(self.connection().batch_execute(&set_local(limits)).await?)
    }

    /// Succeeds where a single row may have caused the fault. The transaction must have been rolled back to before the fault.
    ///
    /// The SQLSTATE does not tell, since a trigger may raise any, or hand on that of another database. What tells is whether the
    /// database writes: one that is away, or full, does not.
    ///
    /// # Errors
    /// The fault, where the database or another transaction has caused it.
    pub async fn is_of_a_row(&mut self, fault: &Fault) -> Result<(), Fault> {
        if !fault.may_be_of_a_row() {
            return Err(fault.clone());
        }
        if fault.is_away() {
            let text = format!("SAVEPOINT room; {ROOM_PROBE}; ROLLBACK TO SAVEPOINT room; RELEASE SAVEPOINT room");
            self.connection().batch_execute(&text).await.map_err(|_away_as_said| fault.clone())?;
        }
        Ok(())
    }

    /// Closes the connection after the commit instead of returning it to the pool, with the memory that it took for something large.
    pub fn close_after_commit(&mut self) {
        self.closes_after_commit = true;
    }

    /// Commits. On error the outcome is unknown: the letters come again from their transport and are then found settled, or not.
    pub async fn commit(mut self) -> Result<(), Fault> {
        self.connection().batch_execute("COMMIT").await?;
        if !self.closes_after_commit {
            drop(self.connection.take());
        }
        Ok(())
    }
}

fn set_local(StatementLimits { lock, statement }: StatementLimits) -> String {
    let (lock, statement) = (lock.as_millis(), statement.as_millis());
    format!("SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {statement}")
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Connection::take(connection));
        }
    }
}
