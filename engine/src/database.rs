//! Opens the configured database, or the private PostgreSQL of the data folder where none is configured.
//!
//! A command beside a running server uses the server's PostgreSQL; where no server runs, it starts one for its own time, and
//! keeps it for the commands that have come meanwhile (`sharing`). A server that finds a command at work waits for its end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cluster::{Cluster, ClusterError, ClusterSettings, READER};
use store::database::{Database, DatabaseSettings};

use crate::configuration::{Configuration, DatabaseConfiguration};

mod error;
pub mod keeper;
mod sharing;

use error::LOOK;
pub use error::OpenError;
use sharing::Sharing;

/// Longest wait of a command for a PostgreSQL that another process is starting or stopping.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait of a server for the commands that use its PostgreSQL.
const SERVER_PATIENCE: Duration = Duration::from_secs(120);
/// After so long a command that is done says that it waits for others, which use the PostgreSQL it has started.
const SHARING_TOLD: Duration = Duration::from_secs(5);

/// A database, and the private PostgreSQL below it where this process runs one.
pub struct OpenDatabase {
    /// The database.
    pub database: Database,
    cluster: Option<Cluster>,
    sharing: Option<Sharing>,
}

/// What to do where the private PostgreSQL is not there yet, or another process runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `init`: make it.
    Make,
    /// `run`: it must be there, and this process alone may use it.
    Serve,
    /// A command: it must be there; another process may run it.
    Command,
}

impl OpenDatabase {
    /// Opens it. Connects to nothing yet where the database is a configured one.
    ///
    /// # Errors
    /// See [`OpenError`]; each says what to do.
    pub async fn open(configuration: &Configuration, purpose: Purpose) -> Result<OpenDatabase, OpenError> {
        OpenDatabase::open_beside(connect(configuration)?, configuration, purpose).await
    }

    /// Opens the database of [`connect`]: starts, or waits for, the private PostgreSQL where none is configured.
    ///
    /// # Errors
    /// See [`OpenError`]; each says what to do.
    pub async fn open_beside(
        database: Database,
        configuration: &Configuration,
        purpose: Purpose,
    ) -> Result<OpenDatabase, OpenError> {
        let (cluster, sharing) =
            if configuration.is_embedded() { private(configuration, purpose).await? } else { (None, None) };
        Ok(OpenDatabase { database, cluster, sharing })
    }

    /// Stops the private PostgreSQL where this process runs it, once no other command uses it.
    pub async fn close(self) {
        drop(self.database);
        let Some(mut cluster) = self.cluster else { return };
        if let Some(sharing) = self.sharing {
            sharing.left_by_others(SHARING_TOLD).await;
            cluster.stop().await;
            // Held until the PostgreSQL has stopped, so that no other command takes a PostgreSQL that stops for one that is gone.
            drop(sharing);
        } else {
            cluster.stop().await;
        }
    }
}

/// Returns the database. The first query connects to it.
///
/// # Errors
/// The file with its URL cannot be read; the settings cannot work.
pub fn connect(configuration: &Configuration) -> Result<Database, OpenError> {
    let url = configured_url(configuration)?.unwrap_or_else(|| private_url(&configuration.cluster_folder()));
    let mut settings = DatabaseSettings::new(url);
    settings.ca_file.clone_from(&configuration.database.ca_file);
    settings.connections_max = configuration.database.connections_max;
    Ok(Database::new(settings)?)
}

/// Returns the database under the login that reads for agencies; nothing where a database is configured without one.
///
/// # Errors
/// As for [`connect`].
pub fn connect_reader(configuration: &Configuration) -> Result<Option<Database>, OpenError> {
    let DatabaseConfiguration { reader_url, reader_url_file, .. } = &configuration.database;
    let url = match url_of(reader_url.as_ref(), reader_url_file.as_ref())? {
        Some(url) => url,
        None if configuration.is_embedded() => url_in(&configuration.cluster_folder(), READER),
        None => return Ok(None),
    };
    let mut settings = DatabaseSettings::new(url);
    settings.ca_file.clone_from(&configuration.database.ca_file);
    // One for each letter that is read for, and one beside.
    settings.connections_max = configuration.limits.readers + 1;
    settings.application_name = "xmserver-reader".to_owned();
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

/// Refuses a data folder in which `init` has made no database yet, where none is configured.
///
/// # Errors
/// [`OpenError::NoServer`].
pub fn require_made(configuration: &Configuration) -> Result<(), OpenError> {
    let is_made = !configuration.is_embedded() || configuration.cluster_folder().join("data").exists();
    if is_made { Ok(()) } else { Err(OpenError::NoServer(configuration.server.data_folder.clone())) }
}

type Private = (Option<Cluster>, Option<Sharing>);

/// Starts the private PostgreSQL, or joins another process that runs it, or waits for that process to come to its end.
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
            // A server's PostgreSQL is not kept alive for commands: it stops with the server.
            Ok(cluster) if purpose == Purpose::Serve => return Ok((Some(cluster), None)),
            Ok(cluster) => return Ok((Some(cluster), Some(Sharing::host(&folder)?))),
            // A PostgreSQL that another process is still making is in use, too.
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

/// Says whether the PostgreSQL at a URL takes connections.
async fn answers(url: &str) -> bool {
    match Database::new(DatabaseSettings::new(url.to_owned())) {
        Ok(database) => database.get().await.is_ok(),
        Err(_) => false,
    }
}

/// Returns the URL of a private PostgreSQL, whichever process runs it.
fn private_url(folder: &Path) -> String {
    url_in(folder, OWNER)
}

/// The superuser of a private PostgreSQL.
const OWNER: &str = "xmserver";

fn url_in(folder: &Path, user: &str) -> String {
    let socket = folder.join("socket").display().to_string().replace('\\', r"\\").replace('\'', r"\'");
    format!("host='{socket}' user={user} dbname=xmserver")
}
