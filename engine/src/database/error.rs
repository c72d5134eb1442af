//! Why the database cannot be opened.

use std::path::PathBuf;
use std::time::Duration;

use cluster::ClusterError;
use store::database::SettingsError;

/// Pause between two attempts to use a private PostgreSQL that another process runs.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file with the URL cannot be read.
    #[error("database.url_file: cannot read {}: {source}", file.display())]
    UrlFile {
        /// Path of the file.
        file: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file with the URL has no URL in its first line.
    #[error("database.url_file: expected the URL in the first line of {}, found nothing", .0.display())]
    UrlMissing(PathBuf),
    /// `init` has not made a server in this data folder.
    #[error("there is no server in {}: run `xmserver init` first, or name another --data-folder or --config", .0.display())]
    NoServer(PathBuf),
    /// Another process runs the private PostgreSQL, but the PostgreSQL does not answer.
    #[error(
        "the private PostgreSQL in {} has not answered for {seconds} s: the xmserver that runs there starts it again \
         whenever it ends; {} says why it does not",
        folder.display(), folder.join("postgres.log").display()
    )]
    NotAnswering {
        /// Folder of the cluster.
        folder: PathBuf,
        /// Length of the wait, in seconds.
        seconds: u64,
    },
    /// A command has used the private PostgreSQL for longer than a server waits.
    #[error("a command of xmserver has used the private PostgreSQL in {} for {seconds} s: let it end, or end it", folder.display())]
    CommandRuns {
        /// Folder of the cluster.
        folder: PathBuf,
        /// Length of the wait, in seconds.
        seconds: u64,
    },
    /// The settings of the database are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The private PostgreSQL cannot be started.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The lock file by which commands share a PostgreSQL cannot be used.
    #[error("could not lock {}: {source}", file.display())]
    Sharing {
        /// Path of the lock file.
        file: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
}
