//! A transaction that is open on a pooled connection. The connection never returns to the pool while the transaction is open.

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use crate::database::fault::Fault;
use crate::database::{Connection, ROOM_PROBE, StatementLimits};

/// An open transaction. If it is dropped without [`OpenTransaction::commit`], its connection is closed. A connection that returned to the
/// pool would keep its row locks until it is borrowed again.
pub struct OpenTransaction {
    connection: Option<Connection>,
    closes_after_commit: bool,
}

impl OpenTransaction {
    /// Takes the connection before BEGIN is sent, because even after a failed BEGIN the connection must not return to the pool.
    pub fn on(connection: Connection) -> OpenTransaction {
        OpenTransaction { connection: Some(connection), closes_after_commit: false }
    }

    /// Begins the transaction. Settling reads tables by keys alone, of which each has an index, so PostgreSQL is kept from reading a whole
    /// table where it can use an index. Its statistics may mislead it: after one letter of 20 000 rows for one polling station it expects
    /// as many rows of every station, and would read the whole table for each.
    pub async fn begin(&self) -> Result<(), Fault> {
        let text = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL enable_seqscan = off";
        Ok((&mut self.shared()).batch_execute(text).await?)
    }

    pub fn connection(&mut self) -> &mut AsyncPgConnection {
        #[expect(clippy::expect_used, reason = "only commit and drop take it, and both consume the transaction")]
        self.connection.as_mut().expect("an open transaction has its connection")
    }

    /// Returns the connection, for statements that one task sends without waiting for each other.
    ///
    /// Prepared statements run in the order in which they are first polled, even if one of them must be prepared first. `begin` and
    /// `savepoint` send simple queries, which overtake a statement that is still being prepared. So poll them before every statement that
    /// must run after them.
    pub fn shared(&self) -> &AsyncPgConnection {
        #[expect(clippy::expect_used, reason = "only commit and drop take it, and both consume the transaction")]
        self.connection.as_ref().expect("an open transaction has its connection")
    }

    /// Sets the limits of later statements, and then the savepoint. A rollback to the savepoint undoes what came after it, so the limits
    /// remain.
    pub async fn savepoint(&self, limits: StatementLimits) -> Result<(), Fault> {
        let text = format!("{}; SAVEPOINT letters", set_local(limits));
        Ok((&mut self.shared()).batch_execute(&text).await?)
    }

    pub async fn roll_back_to_savepoint(&mut self) -> Result<(), Fault> {
        Ok(self.connection().batch_execute("ROLLBACK TO SAVEPOINT letters").await?)
    }

    /// Sets the limits of later statements.
    pub async fn limit(&mut self, limits: StatementLimits) -> Result<(), Fault> {
        Ok(self.connection().batch_execute(&set_local(limits)).await?)
    }

    /// Succeeds if a single row may have caused the fault. The transaction must have been rolled back to a point before the fault.
    ///
    /// The SQLSTATE is not enough to decide this, because a trigger may raise any SQLSTATE or pass on one of another database. So if the
    /// fault looks like a lost or full database, this tries to write something. If the database cannot write, it is the cause.
    ///
    /// # Errors
    /// The fault, if the database or another transaction is the cause.
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

    /// Marks the connection to be closed after the commit. It then does not return to the pool with the memory that a large statement
    /// needed.
    pub fn close_after_commit(&mut self) {
        self.closes_after_commit = true;
    }

    /// Commits. After an error it is unknown whether the transaction was committed. The transport then delivers the letters again, and
    /// settling finds out whether they have verdicts.
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
