//! The database of an engine that does not run.

use std::path::Path;

use anyhow::Result;
use cluster::{Cluster, ClusterSettings};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error, NoTls};

/// The private database of an engine that does not run, and a connection to it.
pub struct RestingDatabase {
    /// The server.
    pub cluster: Cluster,
    /// A connection to it.
    pub client: Client,
    connection: JoinHandle<Result<(), Error>>,
}

impl RestingDatabase {
    /// Starts the private database of a data folder.
    ///
    /// # Errors
    /// It does not start.
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
