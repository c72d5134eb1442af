//! A PostgreSQL for one scenario. The scenario may stop it or damage it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use anyhow::Result;
use cluster::{Cluster, ClusterSettings};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

/// Name of the database that a new cluster has.
const DATABASE: &str = "xmserver";

/// A PostgreSQL in a folder of its own.
pub struct OwnDatabase {
    /// The server. Rust drops fields in their order. This one stands before the folder, so that the server ends before its folder is
    /// removed.
    pub cluster: Cluster,
    folder: TempDir,
}

impl OwnDatabase {
    /// Starts a PostgreSQL in a folder of its own. Where tests run as root, PostgreSQL runs as another user, so the folder lets all users
    /// pass.
    ///
    /// # Errors
    /// The PostgreSQL does not start.
    pub fn start(runtime: &Runtime) -> Result<OwnDatabase> {
        let folder =
            tempfile::Builder::new().prefix("xm-database-").permissions(Permissions::from_mode(0o711)).tempdir()?;
        let settings = ClusterSettings { data_folder: folder.path().join("database"), ..ClusterSettings::default() };
        let cluster = runtime.block_on(Cluster::start(settings))?;
        Ok(OwnDatabase { cluster, folder })
    }

    /// Returns the section of a configuration with which a centre uses this database, including the login that reads for agencies.
    pub fn configured(&self) -> String {
        let reader = self.cluster.reader_url_of(DATABASE);
        format!("[database]\nurl = \"{}\"\nreader_url = \"{reader}\"\n", self.cluster.url())
    }

    /// Runs statements in a new database session.
    ///
    /// # Errors
    /// PostgreSQL refuses a statement.
    pub fn run(&self, runtime: &Runtime, statements: &str) -> Result<()> {
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.cluster.url(), NoTls).await?;
            // The task ends when the client is dropped.
            tokio::spawn(connection);
            Ok(client.batch_execute(statements).await?)
        })
    }

    /// Stops the PostgreSQL and removes its folder.
    ///
    /// # Errors
    /// The folder cannot be removed.
    pub fn end(mut self, runtime: &Runtime) -> Result<()> {
        runtime.block_on(self.cluster.stop());
        Ok(self.folder.close()?)
    }
}
