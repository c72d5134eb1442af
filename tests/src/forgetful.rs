//! A file system that forgets what was not synced, as a disk does when the power is cut. It shows whether a server answers before its data
//! is safe: a kill alone does not show that, since the kernel keeps what a killed process has written.
//!
//! It lives in memory, and is mounted by FUSE. It needs root and `/dev/fuse`.

pub mod service;
pub mod tree;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use fuser::{BackgroundSession, Config, MountOption, SessionACL};
use nix::unistd::geteuid;
use service::Service;
use tree::Tree;

/// The device by which a program serves a file system.
const DEVICE: &str = "/dev/fuse";

/// A mounted file system. It is unmounted when this is dropped.
pub struct Forgetful {
    tree: Arc<Mutex<Tree>>,
    place: PathBuf,
    session: Option<BackgroundSession>,
}

/// Says why this machine cannot have such a file system; `None` where it can.
pub fn hindrance() -> Option<String> {
    if !geteuid().is_root() {
        return Some("only root may mount it".to_owned());
    }
    match std::fs::File::options().read(true).write(true).open(DEVICE) {
        Ok(_) => None,
        Err(error) => Some(format!("{DEVICE}: {error}")),
    }
}

impl Forgetful {
    /// Mounts a new file system, which is empty, at a folder.
    ///
    /// # Errors
    /// It cannot be mounted; see [`hindrance`].
    pub fn mount(place: &Path) -> Result<Forgetful> {
        let tree = Arc::new(Mutex::new(Tree::default()));
        let session = Some(session(&tree, place)?);
        Ok(Forgetful { tree, place: place.to_owned(), session })
    }

    /// Returns the folder at which it is mounted.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Forgets everything that was not synced. No program may have a file open.
    ///
    /// # Errors
    /// A program has a file open, so that it cannot be unmounted.
    pub fn forget(&mut self) -> Result<()> {
        // The kernel forgets its own copies when the file system is unmounted.
        self.unmount()?;
        self.tree.lock().unwrap_or_else(PoisonError::into_inner).forget();
        self.session = Some(session(&self.tree, &self.place)?);
        Ok(())
    }

    fn unmount(&mut self) -> Result<()> {
        let Some(session) = self.session.take() else { return Ok(()) };
        session.umount_and_join().with_context(|| format!("unmounting {}", self.place.display()))
    }
}

impl Drop for Forgetful {
    fn drop(&mut self) {
        if let Err(error) = self.unmount() {
            eprintln!("a file system may still be mounted: {error:#}");
        }
    }
}

fn session(tree: &Arc<Mutex<Tree>>, place: &Path) -> Result<BackgroundSession> {
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("forgetful".to_owned()), MountOption::DefaultPermissions];
    config.acl = SessionACL::All;
    fuser::spawn_mount(Service(Arc::clone(tree)), place, &config)
        .with_context(|| format!("mounting at {}", place.display()))
}
