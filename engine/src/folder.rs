//! The data folder: the files in it, their permissions, and a lock that keeps a second process off the folder.
//!
//! A folder of keys appears completely or not at all: its files are written to another folder and synced, then that folder is renamed.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::configuration::Configuration;

/// Pause between two attempts to lock the folder.
const LOOK: Duration = Duration::from_millis(50);

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process runs on this folder.
    #[error(
        "data folder {} is in use by another xmserver (process id {process}): stop that one, or give this one a data folder of its own",
        folder.display()
    )]
    InUse {
        /// Path of the data folder.
        folder: PathBuf,
        /// Process id of the other process, as the lock file says.
        process: String,
    },
    /// The data folder does not exist, and no database is configured.
    #[error("there is no data folder {}: run `xmserver init` first", .0.display())]
    Missing(PathBuf),
    /// The data folder does not exist, and the configuration names a database. That database may belong to a centre already.
    #[error(
        "there is no data folder {}: make the folder and copy the centre's keys/ into it (`cp -a`); only a centre \
         that nobody has made yet begins with `xmserver init`",
        .0.display()
    )]
    MissingBesideDatabase(PathBuf),
    /// The operating system refused.
    #[error("could not {what} {}: {source}", path.display())]
    Io {
        /// The action that failed, such as `create`.
        what: &'static str,
        /// The path that the action concerned.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> FolderError {
    let path = path.to_path_buf();
    move |source| FolderError::Io { what, path, source }
}

/// The data folder of one server process, and the folder of the centre's keys, which is in the data folder unless configured otherwise.
#[derive(Clone, Debug)]
pub struct DataFolder {
    path: PathBuf,
    keys: PathBuf,
}

/// The lock on a data folder, which keeps other processes off the folder. It has the identity of this process, which stays the same across
/// restarts.
#[derive(Debug)]
pub struct FolderLock {
    /// Identity of this process in the database. It leases mailboxes and processes mails under this identity.
    pub process: Uuid,
    // The kernel releases the lock when the process ends, however it ends.
    _lock: File,
}

impl DataFolder {
    /// Makes the folder where it does not exist. Only the folder's owner may read it. With `passable`, other users may pass through to
    /// their own files below it. Root needs this, because it runs the private PostgreSQL as another user.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn create(path: &Path, passable: bool) -> Result<DataFolder, FolderError> {
        let mode = if passable { 0o711 } else { 0o700 };
        if !path.exists() {
            DirBuilder::new().recursive(true).mode(mode).create(path).map_err(io("create", path))?;
            std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io("protect", path))?;
        }
        Ok(DataFolder::at(path))
    }

    fn at(path: &Path) -> DataFolder {
        DataFolder { path: path.to_path_buf(), keys: path.join("keys") }
    }

    /// Uses the folder of keys that is configured.
    #[must_use]
    pub fn with_keys_of(mut self, configuration: &Configuration) -> DataFolder {
        if let Some(keys) = &configuration.server.keys_folder {
            self.keys.clone_from(keys);
        }
        self
    }

    /// Returns the configured folder, which must exist.
    ///
    /// # Errors
    /// The folder does not exist. The error says whether a database is configured: then the centre may exist already, and needs no `init`.
    pub fn of(configuration: &Configuration) -> Result<DataFolder, FolderError> {
        let found = DataFolder::open(&configuration.server.data_folder);
        match found {
            Err(FolderError::Missing(path)) if !configuration.is_embedded() => {
                Err(FolderError::MissingBesideDatabase(path))
            }
            found => Ok(found?.with_keys_of(configuration)),
        }
    }

    /// Returns the folder that `init` made.
    ///
    /// # Errors
    /// The folder does not exist.
    pub fn open(path: &Path) -> Result<DataFolder, FolderError> {
        if path.is_dir() { Ok(DataFolder::at(path)) } else { Err(FolderError::Missing(path.to_path_buf())) }
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder of keys and certificates.
    pub fn keys(&self) -> PathBuf {
        self.keys.clone()
    }

    /// Locks the folder for this process. Reads the process's identity, or makes one.
    ///
    /// # Errors
    /// [`FolderError::InUse`]: another process has the lock. Or the operating system refuses.
    pub fn lock(&self) -> Result<FolderLock, FolderError> {
        let path = self.path.join("process");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(io("open", &path))?;
        let mut text = String::new();
        if let Err(error) = file.try_lock() {
            return Err(match error {
                TryLockError::WouldBlock => {
                    file.read_to_string(&mut text).map_err(io("read", &path))?;
                    let process = text.lines().nth(1).unwrap_or("unknown").trim().to_owned();
                    FolderError::InUse { folder: self.path.clone(), process }
                }
                TryLockError::Error(source) => FolderError::Io { what: "lock", path, source },
            });
        }
        file.read_to_string(&mut text).map_err(io("read", &path))?;
        let known = text.lines().next().and_then(|name| name.trim().parse().ok());
        // `known` is none at the first start, and after a crash while the first start wrote the identity. The database knows no such
        // process yet, so a new identity loses nothing.
        let process: Uuid = known.unwrap_or_else(Uuid::new_v4);
        // A known identity is overwritten with the same octets, so that a crash during the write cannot lose it.
        let text = format!("{process}\n{}\n", std::process::id());
        file.write_all_at(text.as_bytes(), 0)
            .and_then(|()| file.set_len(text.len() as u64))
            .and_then(|()| file.sync_all())
            .map_err(io("write", &path))?;
        Ok(FolderLock { process, _lock: file })
    }

    /// Locks the folder as [`DataFolder::lock`] does, and tries again for the time `longest`.
    ///
    /// # Errors
    /// Fails as [`DataFolder::lock`] does.
    pub fn lock_within(&self, longest: Duration) -> Result<FolderLock, FolderError> {
        let began = Instant::now();
        loop {
            match self.lock() {
                Err(FolderError::InUse { .. }) if began.elapsed() < longest => std::thread::park_timeout(LOOK),
                locked => return locked,
            }
        }
    }

    /// Says whether a process runs on this folder. The look writes nothing, and its shared lock does not disturb other looks.
    pub fn is_locked(&self) -> bool {
        let Ok(file) = File::open(self.path.join("process")) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Writes a folder of secret files that appears whole or not at all. An existing folder is never changed.
    ///
    /// # Errors
    /// The operating system refuses; the folder exists.
    pub fn write_secrets(&self, folder: &Path, files: &[(&str, String)]) -> Result<(), FolderError> {
        let unfinished = folder.with_extension("unfinished");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).map_err(io("remove", &unfinished))?;
        }
        DirBuilder::new().mode(0o700).create(&unfinished).map_err(io("create", &unfinished))?;
        for (name, text) in files {
            let path = unfinished.join(name);
            let mut file =
                OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path).map_err(io("create", &path))?;
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io("write", &path))?;
        }
        sync_folder(&unfinished)?;
        // The rename fails if the folder exists and has files, so these files are kept.
        std::fs::rename(&unfinished, folder).map_err(io("create", folder))?;
        sync_folder(folder.parent().unwrap_or(&self.path))
    }
}

/// Syncs a folder, so that the names of its files survive a crash as the files do.
fn sync_folder(path: &Path) -> Result<(), FolderError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io("sync", path))
}

/// Returns a sentence about a file or folder of secrets that has permission bits beyond `allowed`, with the mode to set; otherwise none.
pub fn exposure(path: &Path, allowed: u32, advised: u32) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    let mode = metadata.mode() & 0o777;
    (mode & !allowed != 0).then(|| format!("{} has mode {mode:03o}: run chmod {advised:03o} {0}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_keeps_its_name_and_its_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::create(&place.path().join("data"), false).unwrap();
        let lock = folder.lock().unwrap();
        let refused = folder.lock().unwrap_err().to_string();
        assert!(refused.contains(&format!("process id {}", std::process::id())), "{refused}");
        assert!(folder.is_locked());
        let process = lock.process;
        drop(lock);
        assert_eq!(folder.lock().unwrap().process, process);
    }

    #[test]
    fn who_looks_whether_a_folder_is_in_use_is_not_taken_for_its_user_and_a_server_waits_for_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::create(&place.path().join("data"), false).unwrap();
        assert!(!folder.is_locked(), "nothing has run here");
        drop(folder.lock().unwrap());
        let looking = File::open(folder.path().join("process")).unwrap();
        looking.lock_shared().unwrap();
        assert!(!folder.is_locked(), "another look is no process that runs");
        folder.lock().unwrap_err();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| folder.lock_within(Duration::from_secs(600)));
            drop(looking);
            waiting.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_name_cut_off_by_a_crash_is_made_anew() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::create(place.path(), false).unwrap();
        std::fs::write(place.path().join("process"), "0193").unwrap();
        let process = folder.lock().unwrap().process;
        let text = std::fs::read_to_string(place.path().join("process")).unwrap();
        assert_eq!(text, format!("{process}\n{}\n", std::process::id()));
    }

    #[test]
    fn secrets_are_private_and_never_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::create(&place.path().join("data"), false).unwrap();
        folder.write_secrets(&folder.keys(), &[("a.key", "one".to_owned())]).unwrap();
        folder.write_secrets(&folder.keys(), &[("a.key", "two".to_owned())]).unwrap_err();
        let file = folder.keys().join("a.key");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one");
        assert_eq!(exposure(&file, 0o600, 0o600), None);
        assert_eq!(exposure(&folder.keys(), 0o700, 0o700), None);
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let told = exposure(&file, 0o640, 0o600).unwrap();
        assert!(told.contains("mode 644: run chmod 600 "), "{told}");
    }
}
