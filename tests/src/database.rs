//! A PostgreSQL for one scenario, which may be stopped and struck.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use anyhow::Result;
use cluster::{Cluster, ClusterSettings};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A PostgreSQL in a folder of its own.
pub struct OwnDatabase {
    /// The server. Declared first: it ends before its folder goes.
    pub cluster: Cluster,
    folder: TempDir,
}

impl OwnDatabase {
    /// Starts a PostgreSQL in a folder of its own, which PostgreSQL's own user may pass where tests run as root.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(runtime: &Runtime) -> Result<OwnDatabase> {
        let folder =
            tempfile::Builder::new().prefix("xm-database-").permissions(Permissions::from_mode(0o711)).tempdir()?;
        let settings = ClusterSettings { data_folder: folder.path().join("database"), ..ClusterSettings::default() };
        let cluster = runtime.block_on(Cluster::start(settings))?;
        Ok(OwnDatabase { cluster, folder })
    }

    /// Stops it and removes its folder.
    ///
    /// # Errors
    /// The folder cannot be removed.
    pub fn end(mut self, runtime: &Runtime) -> Result<()> {
        runtime.block_on(self.cluster.stop());
        Ok(self.folder.close()?)
    }
}
