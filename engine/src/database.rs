//! Opens the configured database, or the private PostgreSQL of the data folder where none is configured.
//!
//! A command beside a running server uses the server's PostgreSQL; where no server runs, it starts one for its own time.

use std::path::Path;

use anyhow::{Context, bail};
use store::cluster::{Cluster, ClusterError, ClusterSettings};
use store::database::{Database, DatabaseSettings};

use crate::configuration::Configuration;

/// A database, and the private PostgreSQL below it where this process runs one.
pub struct OpenDatabase {
    /// The database.
    pub database: Database,
    cluster: Option<Cluster>,
}

/// What to do where the private PostgreSQL is not there yet, or another process runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `init`: make it.
    Make,
    /// `run`: it must be there, and ours alone.
    Serve,
    /// A command: it must be there; another process may run it.
    Command,
}

impl OpenDatabase {
    /// Opens it. Connects to nothing yet where the database is a configured one.
    ///
    /// # Errors
    /// Settings that cannot work; no private PostgreSQL; see [`ClusterError`].
    pub async fn open(configuration: &Configuration, purpose: Purpose) -> anyhow::Result<OpenDatabase> {
        let (url, cluster) = match configured_url(configuration)? {
            Some(url) => (url, None),
            None => private(configuration, purpose).await?,
        };
        let mut settings = DatabaseSettings::new(url);
        settings.ca_file.clone_from(&configuration.database.ca_file);
        settings.connections_max = configuration.database.connections_max;
        Ok(OpenDatabase { database: Database::new(settings)?, cluster })
    }

    /// Stops the private PostgreSQL where this process runs it.
    pub async fn close(self) {
        drop(self.database);
        if let Some(mut cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}

fn configured_url(configuration: &Configuration) -> anyhow::Result<Option<String>> {
    if let Some(file) = &configuration.database.url_file {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("database.url_file: cannot read {}", file.display()))?;
        let line = text.lines().next().unwrap_or_default().trim();
        if line.is_empty() {
            bail!("database.url_file: expected the URL in the first line of {}, found nothing", file.display());
        }
        return Ok(Some(line.to_owned()));
    }
    Ok(configuration.database.url.clone())
}

async fn private(configuration: &Configuration, purpose: Purpose) -> anyhow::Result<(String, Option<Cluster>)> {
    let folder = configuration.cluster_folder();
    if purpose != Purpose::Make && !folder.join("data").exists() {
        bail!(
            "there is no server in {}: run `xmserver init` first, or name another --data-folder or --config",
            configuration.server.data_folder.display()
        );
    }
    let settings = ClusterSettings {
        data_folder: folder.clone(),
        binaries: configuration.database.binaries_folder.clone(),
        settings: Vec::new(),
    };
    match Cluster::start(settings).await {
        Ok(cluster) => Ok((cluster.url(), Some(cluster))),
        Err(ClusterError::InUse(_)) if purpose == Purpose::Command => Ok((running(&folder), None)),
        Err(error) => Err(error.into()),
    }
}

/// Names the database of a private PostgreSQL that another process runs.
fn running(folder: &Path) -> String {
    let socket = folder.join("socket").display().to_string().replace('\\', r"\\").replace('\'', r"\'");
    format!("host='{socket}' user=xmserver dbname=xmserver")
}
