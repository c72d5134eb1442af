//! The life (epoch) of the database, which receipts state. A restore from a backup begins a new life.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use diesel_async::pooled_connection::deadpool::Object;

use crate::database::Connection;
use crate::database::fault::Fault;
use crate::reading::epoch;

/// The life of the database and the time when it was read. It holds for connections that were made before that time; for newer connections
/// it is read again, because after a restore the program has to connect anew.
#[derive(Default)]
pub struct Life(Mutex<Option<(Instant, u32)>>);

impl Life {
    /// Returns the life of the database to which this connection belongs.
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
