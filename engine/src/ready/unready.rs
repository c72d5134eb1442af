//! Why no letter can be taken.

/// Why no letter can be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// The program itself has stopped taking mail, or has not begun to; [`Closed`] says why.
    #[error("no mail is taken: {0}")]
    NoMailTaken(Closed),
    /// The last poll of every mailbox and of the transfer folder failed.
    #[error("no mailbox or folder can be reached: `xmserver mail test` tells which step fails")]
    MailboxesDown,
    /// The database does not answer, or not in time.
    #[error("the database does not answer")]
    DatabaseAway,
    /// No server of the carrier answers, and this program has no database of its own.
    #[error("no server of the carrier answers")]
    CarrierAway,
    /// The database refuses the program's login.
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
    /// While the program ran, the database was replaced by an older one, for example from a backup.
    #[error("the database lacks {missing} of this program's migrations: start the program again, which runs them")]
    DatabaseOlder {
        /// Number of missing migrations.
        missing: usize,
    },
    /// The database records other keys than the program has. With these keys the program could not open the centre's letters, or would
    /// answer as another centre.
    #[error("the keys that this program runs with are not those of its database: {reason}; then start it again")]
    KeysOfDatabase {
        /// The difference, and what to do about it.
        reason: String,
    },
    /// The folder of keys has changed since the program started.
    #[error(
        "the keys that this program runs with are no longer in its folder: {reason}: put them back, from a \
         backup or from a program that serves this centre"
    )]
    KeysOfFolder {
        /// What the folder has instead.
        reason: String,
    },
    /// The disk of the data folder has too little free space.
    #[error("the disk of the data folder is full: {free_bytes} bytes are free, {free_bytes_min} are needed")]
    DiskFull {
        /// Free space in bytes.
        free_bytes: u64,
        /// Least free space in bytes.
        free_bytes_min: u64,
    },
}

/// Why the program takes no mail from mailboxes and transfer folder, although the database answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The program has started, but has not begun to take mail.
    #[error("the program is starting")]
    Starting,
    /// The database could not be reached or had no space, and the program is trying again.
    #[error("the database was away or has no room to write, and is tried again")]
    Trying,
    /// The program is stopping, so it will take no more mail.
    #[error("the program is stopping")]
    Draining,
}
