//! Why no letter can be taken.

/// Why no letter can be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// The gate is closed.
    #[error("no mail is taken: {0}")]
    NoMailTaken(Closed),
    /// The last poll of each mailbox failed, and of the transfer folder.
    #[error("no mailbox or folder can be reached: `xmserver mail test` tells which step fails")]
    MailboxesDown,
    /// The database does not answer, or not in time.
    #[error("the database does not answer")]
    DatabaseAway,
    /// The database answers, and does not let the program in.
    #[error("the database does not admit this program: its user, password or name are not those of database.url_file")]
    DatabaseRefuses,
    /// A newer program has migrated the database.
    #[error(
        "the database has migration {migration}, which this program does not know: install the newer xmserver that made it"
    )]
    DatabaseNewer {
        /// The unknown migration.
        migration: String,
    },
    /// The database was replaced by an older one while the program ran, as by the restore of a backup.
    #[error("the database lacks {missing} of this program's migrations: start the program again, which runs them")]
    DatabaseOlder {
        /// How many migrations.
        missing: usize,
    },
    /// The database records other keys: letters would be opened and answered with those of another centre, or not at all.
    #[error("the keys that this program runs with are not those of its database: {reason}; then start it again")]
    KeysOfDatabase {
        /// How they differ, and what to do.
        reason: String,
    },
    /// The folder of keys has changed since the program started.
    #[error(
        "the keys that this program runs with are no longer in its folder: {reason}: put them back, from a \
         backup or from a program that serves this centre"
    )]
    KeysOfFolder {
        /// What is found there.
        reason: String,
    },
    /// The disk of the data folder is full, or nearly so.
    #[error("the disk of the data folder is full: {free_bytes} bytes are free, {free_bytes_min} are needed")]
    DiskFull {
        /// What is free.
        free_bytes: u64,
        /// What is needed.
        free_bytes_min: u64,
    },
}

/// Why the gate is closed, where the database answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The gate has not been open yet.
    #[error("the program is starting")]
    Starting,
    /// The database was away, or has no room, and is tried again.
    #[error("the database was away or has no room to write, and is tried again")]
    Trying,
    /// The gate does not open any more.
    #[error("the program is stopping")]
    Draining,
}
