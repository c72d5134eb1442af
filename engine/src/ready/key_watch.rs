//! Checks whether the keys of a running program are still those of its database and of its folder. The program compares them at its start.
//! Later somebody may restore the database of another centre, or overwrite the folder.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use store::centre;
use store::database::Database;
use store::error::AdministrationError;
use tokio::sync::Mutex;

use super::unready::Unready;
use crate::keys::{self, LoadedKeys};
use crate::words_of_errors;

/// Time for which the result of a comparison is used again, so that frequent checks put no load on database and disk.
const HOLDS: Duration = Duration::from_secs(10);

/// Compares the keys of a running program with its database and its folder.
pub struct KeyWatch {
    loaded: Arc<LoadedKeys>,
    folder: PathBuf,
    holds: Duration,
    last: Mutex<Option<(Instant, Option<Unready>)>>,
}

impl KeyWatch {
    /// Makes the watch of keys that were loaded from a folder of keys.
    pub fn new(loaded: Arc<LoadedKeys>, folder: PathBuf) -> KeyWatch {
        KeyWatch { loaded, folder, holds: HOLDS, last: Mutex::default() }
    }

    /// Checks that the keys are those of the database and of the folder. A result of the last seconds is used again.
    ///
    /// # Errors
    /// The keys differ. Or the database does not answer; this result is not kept, because it says nothing about the keys.
    pub(super) async fn look(&self, database: &Database) -> Result<(), Unready> {
        let mut last = self.last.lock().await;
        if let Some((_, found)) = last.as_ref().filter(|(at, _)| at.elapsed() < self.holds) {
            return found.clone().map_or(Ok(()), Err);
        }
        let found = match self.compare(database).await {
            Err(Unready::DatabaseAway) => return Err(Unready::DatabaseAway),
            compared => compared.err(),
        };
        *last = Some((Instant::now(), found.clone()));
        found.map_or(Ok(()), Err)
    }

    async fn compare(&self, database: &Database) -> Result<(), Unready> {
        let mut connection = database.get().await.map_err(|_away| Unready::DatabaseAway)?;
        let recorded = match centre::keys::list(&mut connection).await {
            Ok(recorded) => recorded,
            Err(AdministrationError::Fault(_)) => return Err(Unready::DatabaseAway),
            Err(error) => return Err(Unready::KeysOfDatabase { reason: words_of_errors::in_utc(&error) }),
        };
        drop(connection);
        centre::keys::compare(&recorded, &self.loaded.known_as)
            .map_err(|error| Unready::KeysOfDatabase { reason: words_of_errors::in_utc(&error) })?;
        // The program has its keys in memory, so a changed file matters only at the next start: that start would use the file, or fail.
        let found = keys::load(&self.folder).map_err(|error| Unready::KeysOfFolder { reason: error.to_string() })?;
        centre::keys::compare(&self.loaded.known_as, &found.known_as)
            .map_err(|_they_differ| Unready::KeysOfFolder { reason: format!("{} holds others", self.folder.display()) })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use diesel_async::SimpleAsyncConnection;
    use store::testing::{self, TestCluster};
    use tempfile::TempDir;

    use super::*;
    use crate::authority;

    fn made(folder: &Path) -> Arc<LoadedKeys> {
        for (name, text) in authority::make("centre-x").unwrap() {
            std::fs::write(folder.join(name), text).unwrap();
        }
        Arc::new(keys::load(folder).unwrap())
    }

    /// Makes keys, and records them in the database, if one is given.
    pub async fn watched(database: Option<&Database>) -> (TempDir, KeyWatch) {
        let folder = tempfile::tempdir().unwrap();
        let loaded = made(folder.path());
        if let Some(database) = database {
            let mut connection = database.get().await.unwrap();
            let operator = testing::operator(&mut connection).await;
            centre::keys::record(&mut connection, &operator, &loaded.known_as).await.unwrap();
        }
        let watch = KeyWatch { holds: Duration::ZERO, ..KeyWatch::new(loaded, folder.path().to_owned()) };
        (folder, watch)
    }

    #[tokio::test]
    async fn keys_replaced_under_a_running_program_are_told_of_until_they_are_put_back() {
        let database = TestCluster::shared().await.database().await;
        let (folder, watch) = watched(Some(&database)).await;
        assert_eq!(watch.look(&database).await, Ok(()));

        let (other, _) = watched(None).await;
        let kept = tempfile::tempdir().unwrap();
        let copy = |from: &Path, to: &Path| {
            for entry in std::fs::read_dir(from).unwrap() {
                let path = entry.unwrap().path();
                std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
            }
        };
        copy(folder.path(), kept.path());
        copy(other.path(), folder.path());
        let told = watch.look(&database).await.unwrap_err().to_string();
        assert!(told.contains(&format!("{} holds others", folder.path().display())), "{told}");
        copy(kept.path(), folder.path());
        assert_eq!(watch.look(&database).await, Ok(()));

        let restored = "UPDATE xm.centre_keys SET spki_sha256 = sha256(spki_sha256), fingerprint = sha256(fingerprint)";
        database.get().await.unwrap().batch_execute(restored).await.unwrap();
        let told = watch.look(&database).await.unwrap_err();
        assert!(matches!(told, Unready::KeysOfDatabase { .. }), "{told}");
        assert!(told.to_string().contains("belongs to a centre whose key is"), "{told}");
    }

    #[tokio::test]
    async fn an_answer_holds_for_a_while_whoever_asks_and_one_of_no_database_does_not() {
        let database = TestCluster::shared().await.database().await;
        let (_folder, watch) = watched(Some(&database)).await;
        let watch = KeyWatch { holds: Duration::MAX, ..watch };
        let nowhere = store::database::DatabaseSettings::new("postgresql://xmserver@127.0.0.1:1/x");
        let nowhere = Database::new(nowhere).unwrap();
        assert_eq!(watch.look(&nowhere).await, Err(Unready::DatabaseAway));
        assert_eq!(watch.look(&database).await, Ok(()));
        database.get().await.unwrap().batch_execute("DELETE FROM xm.centre_keys").await.unwrap();
        assert_eq!(watch.look(&database).await, Ok(()), "it is not asked again so soon");
    }
}
