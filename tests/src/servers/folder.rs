//! The folder of one server, with configuration, sockets, mail and log. It is removed when its server is dropped.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::unistd::{Group, User, geteuid};
use tempfile::TempDir;

const LOG_TAIL_LINES: usize = 60;

/// A user and group of the system.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Owner {
    /// Finds a user by name.
    pub(super) fn named(name: &str) -> Result<Owner> {
        let user = User::from_name(name)?.with_context(|| format!("the system has no user {name}"))?;
        Ok(Owner { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
    }

    /// Returns the same user with another group.
    pub(super) fn with_group(self, name: &str) -> Result<Owner> {
        let group = Group::from_name(name)?.with_context(|| format!("the system has no group {name}"))?;
        Ok(Owner { gid: group.gid.as_raw(), ..self })
    }
}

pub(super) fn is_root() -> bool {
    geteuid().is_root()
}

/// A server's folder.
#[derive(Debug)]
pub(super) struct Folder {
    folder: TempDir,
    log_path: PathBuf,
}

impl Folder {
    /// Makes a folder through which the server's own users may pass.
    pub(super) fn make(server: &str) -> Result<Folder> {
        Folder::make_in(&std::env::temp_dir(), server)
    }

    /// Makes a folder in the given place, which need not be the folder for temporary files.
    pub(super) fn make_in(place: &Path, server: &str) -> Result<Folder> {
        let folder = tempfile::Builder::new().prefix(&format!("{server}-")).tempdir_in(place)?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let log_path = folder.path().join(format!("{server}.log"));
        Ok(Folder { folder, log_path })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn log_path(&self) -> &Path {
        &self.log_path
    }

    /// Makes a subfolder with this mode unless it exists. Where tests run as root, the subfolder gets this owner.
    pub(super) fn subfolder(&self, name: &str, mode: u32, owner: Option<Owner>) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        match fs::create_dir(&path) {
            // The server makes some of these subfolders too, perhaps at this very moment.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => return Ok(path),
            made => made.with_context(|| format!("making {}", path.display()))?,
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        give(&path, owner)?;
        Ok(path)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    /// Reads the last lines of the server's log.
    pub(super) fn tail_of_log(&self) -> String {
        let log = fs::read(&self.log_path).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let skipped = log.lines().count().saturating_sub(LOG_TAIL_LINES);
        log.lines().skip(skipped).collect::<Vec<&str>>().join("\n")
    }
}

/// Changes the owner of a file or folder, where tests run as root. Where tests run as another user, that user owns all files, and nothing
/// is changed.
pub(super) fn give(path: &Path, owner: Option<Owner>) -> Result<()> {
    if let Some(owner) = owner.filter(|_| is_root()) {
        chown(path, Some(owner.uid), Some(owner.gid)).with_context(|| format!("giving away {}", path.display()))?;
    }
    Ok(())
}
