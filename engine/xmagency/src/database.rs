//! The office's database: SQLite, encrypted by SQLCipher, used by one program at a time. Every change is a transaction that is on the disk
//! when it returns (docs/adr/0011-office-database.md).

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use agency::platform;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction};

use crate::vault::DatabaseKey;

/// Name of the database's file in the office folder.
pub const FILE: &str = "office.db";
/// Name of the file whose lock keeps a second program away.
const LOCK_FILE: &str = "lock";
/// `PRAGMA application_id`: "xmag".
const APPLICATION_ID: i32 = 0x786d_6167;
/// The versions of the database, oldest first. `PRAGMA user_version` says how many of them have run.
const VERSIONS: [&str; 1] = [include_str!("database/schema.sql")];

/// The open database of an office. The lock ends when the process ends, however it ends.
pub struct Database {
    connection: Connection,
    _lock: File,
}

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Another program has the office open.
    #[error("the office in {} is in use by another xmagency: wait until it has ended", .0.display())]
    InUse(PathBuf),
    /// The folder or a file in it cannot be used.
    #[error("could not {what} {}: {source}", path.display())]
    Io {
        /// The action that failed, such as `create`.
        what: &'static str,
        /// The path that the action concerned.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file is no database of an office, or another key encrypts it.
    #[error("{} is not the database that belongs to this vault, or is damaged: restore both from one backup", .0.display())]
    NotOurs(PathBuf),
    /// A newer program has changed the database.
    #[error(
        "the office's database has version {found}, this program knows {known}: install the newer xmagency that made it"
    )]
    Newer {
        /// Version of the database.
        found: usize,
        /// Highest version that this program knows.
        known: usize,
    },
    /// The disk is full.
    #[error("the disk is full: nothing was changed; make room and try again")]
    Full,
    /// SQLite refuses.
    #[error("the office's database cannot be used: {0}")]
    Sqlite(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> DatabaseError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => DatabaseError::Full,
            _ => DatabaseError::Sqlite(error),
        }
    }
}

impl Database {
    /// Opens the database of an office folder, and brings it to the present version.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn open(folder: &Path, key: &DatabaseKey) -> Result<Database, DatabaseError> {
        Database::open_locked(folder, key, lock(folder)?)
    }

    /// Makes the database of a new office. One that lies there without a vault gets another name, and its journal with it: it is mostly of
    /// a set-up that was cut off. But it may be of an office that has lost its vault, and would open again with a copy of that.
    ///
    /// # Errors
    /// [`DatabaseError`]; where another program has the office open, nothing is changed.
    pub fn make(folder: &Path, key: &DatabaseKey, aside: &str) -> Result<Database, DatabaseError> {
        let lock = lock(folder)?;
        // Both under one name: SQLite finds a journal by the name of its database.
        for ending in ["-journal", ""] {
            let left = folder.join(format!("{FILE}{ending}"));
            let renamed = std::fs::rename(&left, folder.join(format!("office.{aside}.db{ending}")));
            match renamed {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                renamed => renamed.map_err(|source| DatabaseError::Io { what: "rename", path: left, source })?,
            }
        }
        Database::open_locked(folder, key, lock)
    }

    fn open_locked(folder: &Path, key: &DatabaseKey, lock: File) -> Result<Database, DatabaseError> {
        let path = folder.join(FILE);
        // The file is made here so that nobody else can read it, not even for a moment.
        let file = platform::open_private(&path);
        drop(file.map_err(|source| DatabaseError::Io { what: "open", path: path.clone(), source })?);
        let connection = Connection::open(&path)?;
        // The first page is read here: a wrong key shows as a file that is no database.
        let version = protect(&connection, key)
            .and_then(|()| connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)));
        let version = version.map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => DatabaseError::NotOurs(path.clone()),
            _ => error.into(),
        })?;
        let version = usize::try_from(version).unwrap_or(usize::MAX);
        if version > VERSIONS.len() {
            return Err(DatabaseError::Newer { found: version, known: VERSIONS.len() });
        }
        let database = Database { connection, _lock: lock };
        database.migrate(version)?;
        Ok(database)
    }

    fn migrate(&self, version: usize) -> Result<(), DatabaseError> {
        for (number, statements) in (1_u32..).zip(VERSIONS).skip(version) {
            let transaction = self.begin()?;
            transaction.execute_batch(statements)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", number)?;
            transaction.commit()?;
        }
        Ok(())
    }

    /// Returns the connection. A statement outside a transaction is a transaction of its own.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Begins a transaction; dropped, it is rolled back. Nothing else runs on the connection, since the program has one thread and the
    /// office one program.
    ///
    /// # Errors
    /// SQLite refuses.
    pub fn begin(&self) -> Result<Transaction<'_>, DatabaseError> {
        Ok(self.connection.unchecked_transaction()?)
    }

    /// Finds one row.
    ///
    /// # Errors
    /// SQLite refuses.
    pub fn find<T>(
        &self,
        statement: &str,
        parameters: impl rusqlite::Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, DatabaseError> {
        let mut statement = self.connection.prepare_cached(statement)?;
        Ok(statement.query_row(parameters, read).optional()?)
    }

    /// Lists rows.
    ///
    /// # Errors
    /// SQLite refuses.
    pub fn list<T>(
        &self,
        statement: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, DatabaseError> {
        let mut statement = self.connection.prepare_cached(statement)?;
        let rows = statement.query_map(parameters, read)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Changes rows. Returns how many.
    ///
    /// # Errors
    /// SQLite refuses.
    pub fn change(&self, statement: &str, parameters: impl rusqlite::Params) -> Result<usize, DatabaseError> {
        Ok(self.connection.prepare_cached(statement)?.execute(parameters)?)
    }
}

fn lock(folder: &Path) -> Result<File, DatabaseError> {
    let path = folder.join(LOCK_FILE);
    let io = |what| {
        let path = path.clone();
        move |source| DatabaseError::Io { what, path, source }
    };
    let file = platform::open_private(&path).map_err(io("open"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DatabaseError::InUse(folder.to_path_buf())),
        Err(TryLockError::Error(source)) => Err(io("lock")(source)),
    }
}

/// Gives the connection its key, and its promises about a power cut.
fn protect(connection: &Connection, key: &DatabaseKey) -> rusqlite::Result<()> {
    // A raw key: Argon2id has made the pass-phrase dear already, so SQLCipher's own derivation would only cost time.
    let statement = zeroize::Zeroizing::new(format!("PRAGMA key = \"x'{}'\"", key.hex().as_str()));
    connection.execute_batch(&statement)?;
    connection.execute_batch(
        "PRAGMA cipher_memory_security = OFF;
         PRAGMA journal_mode = DELETE;
         PRAGMA synchronous = EXTRA;
         PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY;",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> DatabaseKey {
        DatabaseKey::generate().unwrap()
    }

    #[test]
    fn a_database_is_encrypted_and_opens_with_its_key_alone() {
        let (place, key) = (tempfile::tempdir().unwrap(), key());
        let database = Database::open(place.path(), &key).unwrap();
        database.change("INSERT INTO settings VALUES ('name', 'Ngo Biyong')", []).unwrap();
        let refused = Database::open(place.path(), &key).map(drop).unwrap_err();
        assert!(matches!(refused, DatabaseError::InUse(_)), "{refused}");
        drop(database);

        let octets = std::fs::read(place.path().join(FILE)).unwrap();
        assert!(!octets.starts_with(b"SQLite format 3") && !octets.windows(5).any(|five| five == b"Ngo B"));
        let refused = Database::open(place.path(), &self::key()).map(drop).unwrap_err();
        assert!(matches!(refused, DatabaseError::NotOurs(_)), "{refused}");
        let database = Database::open(place.path(), &key).unwrap();
        let name = database.find("SELECT value FROM settings WHERE name = 'name'", [], |row| row.get::<_, String>(0));
        assert_eq!(name.unwrap().as_deref(), Some("Ngo Biyong"));
    }

    #[test]
    fn a_database_that_lies_there_is_set_aside_with_its_journal_unless_it_is_in_use() {
        let (place, key) = (tempfile::tempdir().unwrap(), key());
        let database = Database::open(place.path(), &key).unwrap();
        let refused = Database::make(place.path(), &self::key(), "2026").map(drop).unwrap_err();
        assert!(matches!(refused, DatabaseError::InUse(_)) && place.path().join(FILE).exists(), "{refused}");
        drop(database);
        let former = std::fs::read(place.path().join(FILE)).unwrap();
        std::fs::write(place.path().join("office.db-journal"), b"journal").unwrap();
        drop(Database::make(place.path(), &self::key(), "2026").unwrap());
        assert_eq!(std::fs::read(place.path().join("office.2026.db")).unwrap(), former);
        assert_eq!(std::fs::read(place.path().join("office.2026.db-journal")).unwrap(), b"journal");
        assert!(!place.path().join("office.db-journal").exists());
    }

    #[test]
    fn every_commit_is_on_the_disk_and_a_newer_database_is_left_alone() {
        let (place, key) = (tempfile::tempdir().unwrap(), key());
        let database = Database::open(place.path(), &key).unwrap();
        let pragma =
            |name: &str| database.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        // 3 is EXTRA: the folder is synced once the journal is gone.
        assert_eq!((pragma("synchronous"), pragma("foreign_keys"), pragma("user_version")), (3, 1, 1));
        database.connection.pragma_update(None, "user_version", 7).unwrap();
        drop(database);
        let refused = Database::open(place.path(), &key).map(drop).unwrap_err();
        assert!(matches!(refused, DatabaseError::Newer { found: 7, known: 1 }), "{refused}");
    }

    #[test]
    fn what_is_not_committed_is_not_there() {
        let (place, key) = (tempfile::tempdir().unwrap(), key());
        let database = Database::open(place.path(), &key).unwrap();
        let transaction = database.begin().unwrap();
        database.change("INSERT INTO settings VALUES ('a', 'b')", []).unwrap();
        drop(transaction);
        assert_eq!(database.list("SELECT name FROM settings", [], |row| row.get::<_, String>(0)).unwrap().len(), 0);
    }
}
