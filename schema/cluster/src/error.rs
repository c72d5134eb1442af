//! Why there is no private cluster; each sentence says what to do.

use std::path::{Path, PathBuf};

use crate::{MAJOR_MIN, START_SECONDS_MAX};

/// Why there is no private cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No programs.
    #[error(
        "no PostgreSQL programs found in {looked}: install the package postgresql, or name their folder in the configuration"
    )]
    BinariesMissing {
        /// Folders searched.
        looked: String,
    },
    /// Programs older than the migrations need.
    #[error("PostgreSQL {major} in {} is too old: {MAJOR_MIN} or newer is needed", folder.display())]
    BinariesTooOld {
        /// Where they are.
        folder: PathBuf,
        /// Their version.
        major: u32,
    },
    /// The data were written by another major version.
    #[error(
        "the data folder was made by PostgreSQL {data}, but {} is PostgreSQL {found}: \
         install version {data} or move the data with pg_upgrade",
        folder.display()
    )]
    VersionMismatch {
        /// Version of the data.
        data: u32,
        /// Newest version found.
        found: u32,
        /// Where it is.
        folder: PathBuf,
    },
    /// Another process holds the folder's lock.
    #[error("the database folder {} is in use by another process: stop that one, or choose another folder", .0.display())]
    InUse(PathBuf),
    /// The service user cannot reach the folder.
    #[error("user {user}, whom PostgreSQL runs as, may not enter {}: allow it (chmod o+x), or choose another folder", folder.display())]
    Barred {
        /// The user.
        user: String,
        /// The folder that bars the way.
        folder: PathBuf,
    },
    /// Running as root without anybody to drop to.
    #[error(
        "PostgreSQL must not run as root, and there is no user xmserver or postgres: \
         create one (useradd --system --no-create-home xmserver)"
    )]
    UserMissing,
    /// The data folder belongs to somebody PostgreSQL cannot run as.
    #[error("the data folder {} belongs to user id {uid}, who is root or not in passwd: give it to an unprivileged user", folder.display())]
    OwnerUnfit {
        /// The folder.
        folder: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// A setting that would break a promise.
    #[error("setting {0} of the private PostgreSQL cannot be changed: use a database of your own for that")]
    SettingFixed(String),
    /// The path is too long for a socket.
    #[error("the database folder {} has too long a path for a unix socket: choose one at least {excess} bytes shorter", folder.display())]
    PathTooLong {
        /// The folder.
        folder: PathBuf,
        /// By how much.
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
    /// A left-over does not go.
    #[error("PostgreSQL process {pid} of a former run still holds {} and does not shut down: end it", folder.display())]
    LeftoverStays {
        /// The process.
        pid: i32,
        /// The data folder.
        folder: PathBuf,
    },
    /// The thread that keeps the postmaster ended.
    #[error("the thread that starts PostgreSQL ended early")]
    KeeperGone,
    /// The cluster's database could not be made.
    #[error("the private database could not be created: {0}")]
    Create(#[source] tokio_postgres::Error),
    /// The operating system refused.
    #[error("could not {what} {}: {source}", path.display())]
    Io {
        /// The attempt.
        what: &'static str,
        /// Its object.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Names an attempt and its object where the operating system refuses.
pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ClusterError {
    let path = path.to_path_buf();
    move |source| ClusterError::Io { what, path, source }
}
