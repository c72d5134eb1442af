//! Opens the configured database, or the private PostgreSQL of the data folder where none is configured.
//!
//! While a server runs, a command uses the server's PostgreSQL. Where no server runs, the command starts PostgreSQL itself, and stops it
//! after all other commands that use it have ended (`sharing`). A server that starts meanwhile waits until the commands have ended.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cluster::{Cluster, ClusterError, ClusterSettings, READER};
use store::database::{Database, DatabaseSettings};
use tokio::runtime::Handle;

use crate::configuration::{Configuration, DatabaseConfiguration};

mod error;
pub mod keeper;
mod sharing;

use error::LOOK;
pub use error::OpenError;
use sharing::Sharing;

/// Longest time that a command waits for a PostgreSQL that another process is starting or stopping.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);
/// Longest time that a server waits for the commands that use its PostgreSQL.
const SERVER_PATIENCE: Duration = Duration::from_secs(120);
/// Time after which a finished command tells the user why it keeps running: other commands still use the PostgreSQL that it has started.
const SHARING_TOLD: Duration = Duration::from_secs(5);

/// Longest time for which a transaction of the login that reads for agencies may be idle.
const READER_IDLE_MAX: Duration = Duration::from_secs(60);

/// A database, with its private PostgreSQL where this process runs one.
pub struct OpenDatabase {
    /// The database, with its pool of connections.
    pub database: Database,
    cluster: Option<Cluster>,
    sharing: Option<Sharing>,
}

/// Purpose for which the database is opened. It decides what happens where the private PostgreSQL does not exist yet, or another process
/// runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// For `init`, which makes the private PostgreSQL.
    Make,
    /// For `run`: the private PostgreSQL must exist, and no other process may use it.
    Serve,
    /// For a command: the private PostgreSQL must exist, and another process may run it.
    Command,
}

impl OpenDatabase {
    /// Opens the database. A connection to a configured database is made only at the first query.
    ///
    /// # Errors
    /// See [`OpenError`]; each sentence says what to do.
    pub async fn open(configuration: &Configuration, purpose: Purpose) -> Result<OpenDatabase, OpenError> {
        OpenDatabase::open_beside(connect(configuration, None)?, configuration, purpose).await
    }

    /// Opens a database that [`connect`] returned. Where no database is configured, it starts the private PostgreSQL, or waits for it.
    ///
    /// # Errors
    /// See [`OpenError`]; each sentence says what to do.
    pub async fn open_beside(
        database: Database,
        configuration: &Configuration,
        purpose: Purpose,
    ) -> Result<OpenDatabase, OpenError> {
        let (cluster, sharing) =
            if configuration.is_embedded() { private(configuration, purpose).await? } else { (None, None) };
        Ok(OpenDatabase { database, cluster, sharing })
    }

    /// Stops the private PostgreSQL, where this process runs it, after the last other command has stopped using it.
    pub async fn close(self) {
        drop(self.database);
        let Some(mut cluster) = self.cluster else { return };
        if let Some(sharing) = self.sharing {
            sharing.left_by_others(SHARING_TOLD).await;
            cluster.stop().await;
            // `sharing` is dropped only after PostgreSQL has stopped: otherwise another command would find a PostgreSQL that is about to
            // stop.
            drop(sharing);
        } else {
            cluster.stop().await;
        }
    }
}

/// Returns the configured database, or else the private PostgreSQL's. A connection is made at the first query, and driven on the runtime
/// `home` where one is given.
///
/// # Errors
/// The file with the URL cannot be read, or the settings are wrong.
pub fn connect(configuration: &Configuration, home: Option<Handle>) -> Result<Database, OpenError> {
    let url = configured_url(configuration)?.unwrap_or_else(|| private_url(&configuration.cluster_folder()));
    let mut settings = DatabaseSettings::new(url);
    settings.ca_file.clone_from(&configuration.database.ca_file);
    settings.connections_max = configuration.database.connections_max;
    settings.runtime = home;
    Ok(Database::new(settings)?)
}

/// Returns the database for the login that reads for agencies; none where a database is configured without that login.
///
/// # Errors
/// Fails as [`connect`] does.
pub fn connect_reader(configuration: &Configuration, home: Option<Handle>) -> Result<Option<Database>, OpenError> {
    let DatabaseConfiguration { reader_url, reader_url_file, .. } = &configuration.database;
    let url = match url_of(reader_url.as_ref(), reader_url_file.as_ref())? {
        Some(url) => url,
        None if configuration.is_embedded() => url_in(&configuration.cluster_folder(), READER),
        None => return Ok(None),
    };
    let mut settings = DatabaseSettings::new(url);
    settings.ca_file.clone_from(&configuration.database.ca_file);
    // Each reader needs one connection; one further connection is spare.
    settings.connections_max = configuration.limits.readers + 1;
    settings.application_name = "xmserver-reader".to_owned();
    // Between two records a reader packs what it has read, on threads that give way to all others. Its transaction is idle meanwhile,
    // perhaps for long. The limit may be generous, because the transaction holds no locks that anybody waits for.
    settings.idle_in_transaction_timeout = READER_IDLE_MAX;
    settings.runtime = home;
    Ok(Some(Database::new(settings)?))
}

fn configured_url(configuration: &Configuration) -> Result<Option<String>, OpenError> {
    let DatabaseConfiguration { url, url_file, .. } = &configuration.database;
    url_of(url.as_ref(), url_file.as_ref())
}

fn url_of(url: Option<&String>, file: Option<&PathBuf>) -> Result<Option<String>, OpenError> {
    let Some(file) = file else { return Ok(url.cloned()) };
    let text = std::fs::read_to_string(file).map_err(|source| OpenError::UrlFile { file: file.clone(), source })?;
    match text.lines().next().unwrap_or_default().trim() {
        "" => Err(OpenError::UrlMissing(file.clone())),
        line => Ok(Some(line.to_owned())),
    }
}

/// Checks that `init` has made the private database, unless a database is configured.
///
/// # Errors
/// [`OpenError::NoServer`]: the data folder has no database.
pub fn require_made(configuration: &Configuration) -> Result<(), OpenError> {
    let is_made = !configuration.is_embedded() || configuration.cluster_folder().join("data").exists();
    if is_made { Ok(()) } else { Err(OpenError::NoServer(configuration.server.data_folder.clone())) }
}

type Private = (Option<Cluster>, Option<Sharing>);

/// Starts the private PostgreSQL, or uses the one that another process runs. Where neither is possible yet, it waits.
async fn private(configuration: &Configuration, purpose: Purpose) -> Result<Private, OpenError> {
    let folder = configuration.cluster_folder();
    if purpose != Purpose::Make {
        require_made(configuration)?;
    }
    let began = Instant::now();
    let is_command = purpose != Purpose::Serve;
    let patience = if is_command { COMMAND_PATIENCE } else { SERVER_PATIENCE };
    let mut told = false;
    loop {
        let settings = ClusterSettings {
            data_folder: folder.clone(),
            binaries: configuration.database.binaries_folder.clone(),
            settings: Vec::new(),
        };
        match Cluster::start(settings).await {
            // Commands do not keep a server's PostgreSQL alive: it stops with the server.
            Ok(cluster) if purpose == Purpose::Serve => return Ok((Some(cluster), None)),
            Ok(cluster) => return Ok((Some(cluster), Some(Sharing::host(&folder)?))),
            // Another process uses the folder and may still be making the PostgreSQL, so the loop waits.
            Err(ClusterError::InUse(_)) => {}
            Err(error) => return Err(error.into()),
        }
        if is_command
            && let Some(sharing) = Sharing::try_join(&folder)?
            && answers(&private_url(&folder)).await
        {
            return Ok((None, Some(sharing)));
        }
        let seconds = patience.as_secs();
        if began.elapsed() > patience {
            return Err(if is_command {
                OpenError::NotAnswering { folder, seconds }
            } else {
                OpenError::CommandRuns { folder, seconds }
            });
        }
        if purpose == Purpose::Serve && !told {
            told = true;
            tracing::info!(seconds_max = seconds, "waiting for a command that uses the private PostgreSQL");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Says whether the PostgreSQL at a URL accepts connections.
async fn answers(url: &str) -> bool {
    match Database::new(DatabaseSettings::new(url.to_owned())) {
        Ok(database) => database.get().await.is_ok(),
        Err(_) => false,
    }
}

/// Returns the URL of the private PostgreSQL in a folder, for its superuser. The URL depends on the folder alone, so it is the same
/// whether this process or another one runs that PostgreSQL.
fn private_url(folder: &Path) -> String {
    url_in(folder, OWNER)
}

/// Name of the superuser of a private PostgreSQL.
const OWNER: &str = "xmserver";

fn url_in(folder: &Path, user: &str) -> String {
    let socket = folder.join("socket").display().to_string().replace('\\', r"\\").replace('\'', r"\'");
    format!("host='{socket}' user={user} dbname=xmserver")
}
