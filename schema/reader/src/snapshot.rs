//! A snapshot of the tables: one transaction of the login that can only read. All its statements see the tables as they were at one moment.
//! It writes nothing and has a time limit.

use std::time::Duration;

use diesel::sql_types::{BigInt, Integer};
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use store::database::fault::Fault;
use store::database::statement::{Bind, Statement};
use store::database::{Connection, Database};

/// A read-only transaction. If a snapshot is dropped before [`Snapshot::end`], its connection closes, which ends the transaction.
pub struct Snapshot {
    connection: Option<Connection>,
}

impl Snapshot {
    /// Begins the snapshot. PostgreSQL ends a statement that takes longer than `statement_max`.
    ///
    /// # Errors
    /// The database fails, or the login does not exist or may not sign in.
    pub async fn begin(login: &Database, statement_max: Duration) -> Result<Snapshot, Fault> {
        let mut snapshot = Snapshot { connection: Some(login.get().await.map_err(of_login)?) };
        let text = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {};
             SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL cursor_tuple_fraction = 1.0",
            statement_max.as_millis()
        );
        snapshot.connection()?.batch_execute(&text).await?;
        Ok(snapshot)
    }

    /// Returns the snapshot's connection.
    ///
    /// # Errors
    /// The snapshot has ended, which is a bug of the caller.
    pub fn connection(&mut self) -> Result<&mut AsyncPgConnection, Fault> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            None => Err(Fault::Bug("a look at the tables was used after its end".to_owned())),
        }
    }

    /// Returns the horizon: the number of the first transaction that may be invisible to this snapshot. All earlier transactions have
    /// ended.
    ///
    /// # Errors
    /// The database fails.
    pub async fn horizon(&mut self) -> Result<u64, Fault> {
        let text = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
        let rows: Vec<i64> = Statement::<BigInt>::new(text, &[]).load(self.connection()?).await?;
        Ok(rows.into_iter().next().and_then(|horizon| u64::try_from(horizon).ok()).unwrap_or(0))
    }

    /// Returns the age of a transaction: how many transactions ago it was, counted back from this snapshot. Returns `None` where the age
    /// cannot be told, because the transaction is too old or is newer than the snapshot. The caller must then give all rows, since it
    /// cannot know which are newer than the transaction.
    ///
    /// # Errors
    /// The database fails.
    pub async fn age(&mut self, horizon: u64) -> Result<Option<i32>, Fault> {
        /// A row stores only the lower half of its transaction's number, 32 of 64 bits, so numbers that are 2^32 apart look the same. Ages
        /// are therefore told only within a quarter of that. The lower halves 0 to 2 have other meanings in PostgreSQL.
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

    /// Ends the snapshot and returns its connection to the pool.
    ///
    /// # Errors
    /// The database fails.
    pub async fn end(mut self) -> Result<(), Fault> {
        self.connection()?.batch_execute("ROLLBACK").await?;
        drop(self.connection.take());
        Ok(())
    }
}

/// Takes a login that cannot sign in for a fault of this login alone, not of the database: the main login has just reached it. So only
/// letters that ask for records wait, and all others are settled.
fn of_login(fault: Fault) -> Fault {
    match fault {
        Fault::NotAdmitted { sqlstate, message } => Fault::Altered { sqlstate, message: waits_for(&message) },
        Fault::Away(message) => Fault::Altered { sqlstate: String::new(), message: waits_for(&message) },
        other => other,
    }
}

fn waits_for(message: &str) -> String {
    format!("the login that reads for agencies cannot sign in: {message}")
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }
}
