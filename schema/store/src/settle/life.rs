//! The life of the database, which is the number of its epoch. Receipts contain it. A restore from a backup begins a new epoch.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use diesel_async::pooled_connection::deadpool::Object;

use crate::database::Connection;
use crate::database::fault::Fault;
use crate::reading::epoch;

/// The life of the database, and the time when it was read. After a restore the program has to connect again. So the life is valid for
/// connections that were made before that time, and is read again for newer connections.
#[derive(Default)]
pub struct Life(Mutex<Option<(Instant, u32)>>);

impl Life {
    /// Returns the life of the database for this connection.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn of(&self, connection: &mut Connection) -> Result<u32, Fault> {
        let made_at = Object::metrics(connection).created;
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read_at, epoch)) = known
            && made_at <= read_at
        {
            return Ok(epoch);
        }
        let asked_at = Instant::now();
        let epoch = epoch(connection).await?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((asked_at, epoch));
        Ok(epoch)
    }
}
