//! Connections to the engine's private database, both while the engine runs and after it has stopped.

use std::path::Path;

use anyhow::Result;
use cluster::{Cluster, ClusterSettings};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error, NoTls};

/// The superuser of the engine's private database; the database has the same name.
const OWNER: &str = "xmserver";

/// Connects to the private database of a running engine. The connection ends when the client is dropped.
///
/// # Errors
/// The engine does not run, or its database is not up yet.
pub async fn connect(data: &Path) -> Result<Client> {
    let folder = data.join("database/socket").canonicalize()?;
    let mut config = tokio_postgres::Config::new();
    let (client, connection) = config.host_path(folder).user(OWNER).dbname(OWNER).connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The private database of an engine that has stopped: started alone, with one connection to it.
pub struct RestingDatabase {
    /// The PostgreSQL server.
    pub cluster: Cluster,
    /// The connection to the server.
    pub client: Client,
    connection: JoinHandle<Result<(), Error>>,
}

impl RestingDatabase {
    /// Starts the private database in the data folder of an engine that has stopped.
    ///
    /// # Errors
    /// PostgreSQL does not start.
    pub async fn start(data: &Path) -> Result<RestingDatabase> {
        let settings = ClusterSettings { data_folder: data.join("database"), binaries: None, settings: vec![] };
        let cluster = Cluster::start(settings).await?;
        let (client, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await?;
        Ok(RestingDatabase { cluster, client, connection: tokio::spawn(connection) })
    }

    /// Closes the connection, and stops the database.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn stop(mut self) -> Result<()> {
        drop(self.client);
        self.connection.await??;
        self.cluster.stop().await;
        Ok(())
    }
}
