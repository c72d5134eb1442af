//! Whether the program can take letters now, and if not, the reason in one sentence.

pub mod acceptance;
pub mod key_watch;
pub mod unready;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actors::metrics::Metrics;
use store::database::{Database, MigrateError};

use crate::disk;
use key_watch::KeyWatch;
use unready::{Closed, Unready};

/// Longest time that the check waits for the database.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);
/// Least free space on the disk of the private PostgreSQL, in bytes. With less, PostgreSQL may fail in the middle of a batch, because it
/// writes its log in files of 16 MB.
pub const FREE_BYTES_MIN: u64 = 64 << 20;

/// Everything that the check of readiness looks at.
pub struct Readiness {
    /// Reason why no mail is taken; `None` while mail is taken.
    closed: Mutex<Option<Closed>>,
    metrics: Metrics,
    /// The database and the keys of the centre; `None` where the program has neither, and hands letters to the carrier.
    compared: Option<(Database, KeyWatch)>,
    /// Folder of the private PostgreSQL, on whose disk the free space is checked; `None` where a database is configured.
    database_folder: Option<PathBuf>,
    free_bytes_min: u64,
}

impl Readiness {
    /// Makes the readiness of a program that takes no mail yet.
    pub fn new(
        metrics: Metrics,
        compared: Option<(Database, KeyWatch)>,
        database_folder: Option<PathBuf>,
    ) -> Readiness {
        Readiness {
            closed: Mutex::new(Some(Closed::Starting)),
            metrics,
            compared,
            database_folder,
            free_bytes_min: FREE_BYTES_MIN,
        }
    }

    /// Notes whether mail is being taken.
    pub fn set_taking_mail(&self, is_taking_mail: bool) {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        *closed = match *closed {
            _ if is_taking_mail => None,
            Some(Closed::Starting) => Some(Closed::Starting),
            _ => Some(Closed::Trying),
        };
    }

    /// Notes that the program is stopping, so that it takes no more mail.
    pub fn set_draining(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Closed::Draining);
    }

    /// Checks whether letters can be taken.
    ///
    /// # Errors
    /// The reason why not.
    pub async fn look(&self) -> Result<(), Unready> {
        let room = self.database_folder.as_deref().and_then(disk::room);
        if let Some(room) = room.filter(|room| room.free_bytes < self.free_bytes_min) {
            return Err(Unready::DiskFull { free_bytes: room.free_bytes, free_bytes_min: self.free_bytes_min });
        }
        let closed = *self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if closed == Some(Closed::Draining) {
            return Err(Unready::NoMailTaken(Closed::Draining));
        }
        match &self.compared {
            Some((database, keys)) => look_at(database, keys, closed == Some(Closed::Starting)).await?,
            None if closed == Some(Closed::Trying) => return Err(Unready::CarrierAway),
            None => {}
        }
        if let Some(closed) = closed {
            return Err(Unready::NoMailTaken(closed));
        }
        if self.metrics.is_every_mailbox_down() {
            return Err(Unready::MailboxesDown);
        }
        Ok(())
    }
}

/// Checks the database, and that the keys of the program are those of the database.
async fn look_at(database: &Database, keys: &KeyWatch, is_starting: bool) -> Result<(), Unready> {
    // While the database cannot be reached, two reasons hold: no mail is taken, and the database is away. The database is checked first,
    // because it is what the operator must repair.
    match tokio::time::timeout(DATABASE_PATIENCE, database.require_current_schema()).await {
        Ok(Ok(())) => {}
        Ok(Err(MigrateError::DatabaseNewer { found })) => return Err(Unready::DatabaseNewer { migration: found }),
        // A starting program will soon run the migrations and compare its keys, so an older database is no obstacle yet.
        Ok(Err(MigrateError::DatabaseOlder { .. })) if is_starting => {}
        Ok(Err(MigrateError::DatabaseOlder { missing })) => return Err(Unready::DatabaseOlder { missing }),
        Ok(Err(MigrateError::Fault(fault))) if fault.is_not_admitted() => return Err(Unready::DatabaseRefuses),
        Ok(Err(_)) | Err(_) => return Err(Unready::DatabaseAway),
    }
    if !is_starting {
        let keys = tokio::time::timeout(DATABASE_PATIENCE, keys.look(database)).await;
        keys.unwrap_or(Err(Unready::DatabaseAway))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use diesel_async::SimpleAsyncConnection;
    use prometheus::Registry;
    use store::database::DatabaseSettings;
    use store::testing::TestCluster;

    use super::*;

    #[tokio::test]
    async fn letters_can_be_taken_while_nothing_is_in_the_way() {
        let place = tempfile::tempdir().unwrap();
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let database = TestCluster::shared().await.database().await;
        let (_keys, keys) = key_watch::tests::watched(Some(&database)).await;
        let mut readiness =
            Readiness::new(metrics.clone(), Some((database.clone(), keys)), Some(place.path().to_owned()));
        readiness.free_bytes_min = 0;
        assert_eq!(readiness.look().await, Err(Unready::NoMailTaken(Closed::Starting)));
        readiness.set_taking_mail(false);
        assert_eq!(readiness.look().await, Err(Unready::NoMailTaken(Closed::Starting)), "before it was ever open");
        readiness.set_taking_mail(true);
        readiness.set_taking_mail(false);
        assert_eq!(readiness.look().await, Err(Unready::NoMailTaken(Closed::Trying)));
        readiness.set_taking_mail(true);
        assert_eq!(readiness.look().await, Ok(()), "before the first polls");

        metrics.reached("main", false);
        assert_eq!(readiness.look().await, Err(Unready::MailboxesDown));
        metrics.reached("other", true);
        assert_eq!(readiness.look().await, Ok(()));

        readiness.free_bytes_min = u64::MAX;
        let full = readiness.look().await.unwrap_err();
        assert!(matches!(full, Unready::DiskFull { free_bytes_min: u64::MAX, .. }), "{full}");
        readiness.free_bytes_min = 0;

        database
            .get()
            .await
            .unwrap()
            .batch_execute(
                "UPDATE xm.centre_keys SET spki_sha256 = sha256('x')
            WHERE purpose = 'authority'",
            )
            .await
            .unwrap();
        assert!(matches!(readiness.look().await, Err(Unready::KeysOfDatabase { .. })));

        let newer = "INSERT INTO xm.__diesel_schema_migrations VALUES ('99990101000000', now())";
        database.get().await.unwrap().batch_execute(newer).await.unwrap();
        let newer = readiness.look().await.unwrap_err();
        assert_eq!(newer, Unready::DatabaseNewer { migration: "99990101000000".to_owned() });

        let older = "DELETE FROM xm.__diesel_schema_migrations WHERE version = '99990101000000'
                        OR version = (SELECT max(version) FROM xm.__diesel_schema_migrations WHERE version < '9999')";
        database.get().await.unwrap().batch_execute(older).await.unwrap();
        assert_eq!(readiness.look().await, Err(Unready::DatabaseOlder { missing: 1 }));
        readiness.set_draining();
        assert_eq!(readiness.look().await, Err(Unready::NoMailTaken(Closed::Draining)));
    }

    #[tokio::test]
    async fn without_a_database_no_letter_can_be_taken() {
        let nowhere = Database::new(DatabaseSettings::new("postgresql://xmserver@127.0.0.1:1/x")).unwrap();
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let (_keys, keys) = key_watch::tests::watched(None).await;
        let mut readiness = Readiness::new(metrics, Some((nowhere, keys)), None);
        readiness.free_bytes_min = 0;
        assert_eq!(readiness.look().await, Err(Unready::DatabaseAway), "while the program waits for it to start");
        // Nothing answers at the database's address. The reason must be the database, whether the program has already stopped taking mail
        // or not.
        for is_taking_mail in [true, false] {
            readiness.set_taking_mail(is_taking_mail);
            assert_eq!(readiness.look().await, Err(Unready::DatabaseAway));
        }
    }
}
