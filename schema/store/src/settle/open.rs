//! A transaction that is open on a pooled connection, and the promise that it never goes back to the pool that way.

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use crate::database::fault::Fault;
use crate::database::{Connection, ROOM_PROBE, StatementLimits};

/// An open transaction. Dropped with its connection, as it is without [`OpenTransaction::commit`], the connection is
/// taken out of the pool and closed: a connection merely returned would keep its row locks until somebody recycles it.
pub struct OpenTransaction {
    connection: Option<Connection>,
    closes_after_commit: bool,
}

impl OpenTransaction {
    /// Takes a connection, to be guarded before the first statement: a failed BEGIN must not go back to the pool either.
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

    /// The connection for statements that one task sends without waiting for one another. They reach PostgreSQL in the order
    /// in which they are first polled, also where some must be prepared first: a simple query (`begin`, `savepoint`) only if
    /// it stands first, since it waits for none of those.
    pub fn shared(&self) -> &AsyncPgConnection {
        #[expect(clippy::expect_used, reason = "only commit and drop take it, and both consume the transaction")]
        self.connection.as_ref().expect("an open transaction has its connection")
    }

    /// Sets the savepoint, with what statements may take from there on. A rollback to it leaves that as it is.
    pub async fn savepoint(&self, limits: StatementLimits) -> Result<(), Fault> {
        let text = format!("{}; SAVEPOINT letters", set_local(limits));
        Ok((&mut self.shared()).batch_execute(&text).await?)
    }

    pub async fn roll_back_to_savepoint(&mut self) -> Result<(), Fault> {
        Ok(self.connection().batch_execute("ROLLBACK TO SAVEPOINT letters").await?)
    }

    /// Bounds from now on what a statement may take.
    pub async fn limit(&mut self, limits: StatementLimits) -> Result<(), Fault> {
        Ok(self.connection().batch_execute(&set_local(limits)).await?)
    }

    /// Says whether a fault, of which the transaction has been freed, may be of a single row. A SQLSTATE does not tell: a
    /// trigger hands on that of another database, or raises any. A database that is away, or full, does not write either.
    ///
    /// # Errors
    /// The fault: it is of the database, or of other transactions.
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

    /// Keeps the connection from going back to the pool, with the room that it took for something large.
    pub fn close_after_commit(&mut self) {
        self.closes_after_commit = true;
    }

    /// Commits. On error the outcome is unknown; the letters come again and are then found settled, or not.
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
