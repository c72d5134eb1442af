//! Errors of a private cluster. The text of each error says what the operator can do.

use std::path::{Path, PathBuf};

use crate::{MAJOR_MIN, START_SECONDS_MAX};

/// Why the private cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No PostgreSQL programs were found.
    #[error(
        "no PostgreSQL programs found in {looked}: install the package postgresql, or name their folder in the configuration"
    )]
    BinariesMissing {
        /// Folders that were searched.
        looked: String,
    },
    /// The programs are older than the migrations need.
    #[error("PostgreSQL {major} in {} is too old: {MAJOR_MIN} or newer is needed", folder.display())]
    BinariesTooOld {
        /// Folder of the programs.
        folder: PathBuf,
        /// Major version of the programs.
        major: u32,
    },
    /// Another major version of PostgreSQL made the data folder.
    #[error(
        "the data folder was made by PostgreSQL {data}, but {} is PostgreSQL {found}: \
         install version {data} or move the data with pg_upgrade",
        folder.display()
    )]
    VersionMismatch {
        /// Major version that made the data folder.
        data: u32,
        /// Newest major version that was found.
        found: u32,
        /// Folder of that newest version.
        folder: PathBuf,
    },
    /// Another process has the folder's lock.
    #[error("the database folder {} is in use by another process: stop that one, or choose another folder", .0.display())]
    InUse(PathBuf),
    /// The user whom PostgreSQL runs as cannot reach the folder.
    #[error("user {user}, whom PostgreSQL runs as, may not enter {}: allow it (chmod o+x), or choose another folder", folder.display())]
    Barred {
        /// Name of the user.
        user: String,
        /// The folder that the user may not enter.
        folder: PathBuf,
    },
    /// This process is root, and the machine has no unprivileged user for PostgreSQL.
    #[error(
        "PostgreSQL must not run as root, and there is no user xmserver or postgres: \
         create one (useradd --system --no-create-home xmserver)"
    )]
    UserMissing,
    /// PostgreSQL cannot run as the user who owns the data folder.
    #[error("the data folder {} belongs to user id {uid}, who is root or not in passwd: give it to an unprivileged user", folder.display())]
    OwnerUnfit {
        /// The folder.
        folder: PathBuf,
        /// User id of the owner.
        uid: u32,
    },
    /// The setting may not be changed, because another value would break a promise of this crate.
    #[error("setting {0} of the private PostgreSQL cannot be changed: use a database of your own for that")]
    SettingFixed(String),
    /// The path is too long for a socket.
    #[error("the database folder {} has too long a path for a unix socket: choose one at least {excess} bytes shorter", folder.display())]
    PathTooLong {
        /// The folder.
        folder: PathBuf,
        /// Number of bytes that are too many.
        excess: usize,
    },
    /// `initdb` failed.
    #[error("initdb failed: {0}")]
    Initialise(String),
    /// The postmaster ended while starting.
    #[error("PostgreSQL ended while starting; its log says: {0}")]
    Start(String),
    /// The postmaster does not answer.
    #[error("PostgreSQL did not answer within {START_SECONDS_MAX} s of starting; its log says: {0}")]
    StartTimeout(String),
    /// A postmaster of a former run does not end.
    #[error("PostgreSQL process {pid} of a former run still holds {} and does not shut down: end it", folder.display())]
    LeftoverStays {
        /// Process id of the postmaster.
        pid: i32,
        /// The data folder.
        folder: PathBuf,
    },
    /// The thread that waits for the postmaster ended early.
    #[error("the thread that starts PostgreSQL ended early")]
    KeeperGone,
    /// The cluster's database could not be made.
    #[error("the private database could not be created: {0}")]
    Create(#[source] tokio_postgres::Error),
    /// The operating system refused.
    #[error("could not {what} {}: {source}", path.display())]
    Io {
        /// The action that failed, such as `write`.
        what: &'static str,
        /// The path that the action concerned.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
}

/// Makes the error of an action on a path that the operating system refuses.
pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ClusterError {
    let path = path.to_path_buf();
    move |source| ClusterError::Io { what, path, source }
}
