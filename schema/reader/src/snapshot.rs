//! One look at the tables under the login that reads: a transaction that sees one moment, writes nothing and ends by itself.

use std::time::Duration;

use diesel::sql_types::{BigInt, Integer};
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use store::database::fault::Fault;
use store::database::statement::{Bind, Statement};
use store::database::{Connection, Database};

/// A transaction under the login that reads. Dropped before its end it closes the connection, and with it whatever was begun.
pub struct Snapshot {
    connection: Option<Connection>,
}

impl Snapshot {
    /// Begins it. A statement that takes longer than `statement_max` is ended by PostgreSQL.
    ///
    /// # Errors
    /// A fault of the database; the login is not there, or may not sign in.
    pub async fn begin(login: &Database, statement_max: Duration) -> Result<Snapshot, Fault> {
        let mut snapshot = Snapshot { connection: Some(login.get().await?) };
        let text = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {};
             SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL cursor_tuple_fraction = 1.0",
            statement_max.as_millis()
        );
        snapshot.connection()?.batch_execute(&text).await?;
        Ok(snapshot)
    }

    /// Returns the connection.
    ///
    /// # Errors
    /// A bug: it is there until the end.
    pub fn connection(&mut self) -> Result<&mut AsyncPgConnection, Fault> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            None => Err(Fault::Bug("a look at the tables was used after its end".to_owned())),
        }
    }

    /// Returns the first transaction whose changes this look may not see.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn horizon(&mut self) -> Result<u64, Fault> {
        let text = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
        let rows: Vec<i64> = Statement::<BigInt>::new(text, &[]).load(self.connection()?).await?;
        Ok(rows.into_iter().next().and_then(|horizon| u64::try_from(horizon).ok()).unwrap_or(0))
    }

    /// Returns the age of a transaction, counted back from this look. Absent where it is so old, or so young, that rows of before
    /// cannot be told from rows of after: then all are meant.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn age(&mut self, horizon: u64) -> Result<Option<i32>, Fault> {
        /// Rows have the lower half of a transaction's number; the lowest few name none.
        const HALF: u64 = 1 << 32;
        const FIRST: u64 = 3;
        let now = self.horizon().await?;
        let is_near = horizon <= now && now - horizon < HALF / 4;
        if !is_near || horizon % HALF < FIRST {
            return Ok(None);
        }
        let transaction = (horizon % HALF).to_string();
        let text = "SELECT age(?::xid)";
        let rows: Vec<i32> =
            Statement::<Integer>::new(text, &[Bind::Text(&transaction)]).load(self.connection()?).await?;
        Ok(rows.into_iter().next().filter(|age| *age >= 0))
    }

    /// Ends it, and gives the connection back.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn end(mut self) -> Result<(), Fault> {
        self.connection()?.batch_execute("ROLLBACK").await?;
        drop(self.connection.take());
        Ok(())
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }
}
