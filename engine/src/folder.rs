//! The data folder: what lies where, who may read it, and that one process at a time uses it.
//!
//! Files of keys appear whole or not at all: written beside their place, synced, then renamed.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::configuration::Configuration;

/// Pause between two tries to take the folder.
const LOOK: Duration = Duration::from_millis(50);

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process runs here.
    #[error(
        "data folder {} is in use by another xmserver (process id {process}): stop that one, or give this one a data folder of its own",
        folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Its process id, as far as it wrote that down.
        process: String,
    },
    /// The folder is not there, and no database is configured.
    #[error("there is no data folder {}: run `xmserver init` first", .0.display())]
    Missing(PathBuf),
    /// The folder is not there. The configuration names a database, which may have its centre already.
    #[error(
        "there is no data folder {}: make the folder and copy the centre's keys/ into it (`cp -a`); only a centre \
         that nobody has made yet begins with `xmserver init`",
        .0.display()
    )]
    MissingBesideDatabase(PathBuf),
    /// The operating system refused.
    #[error("could not {what} {}: {source}", path.display())]
    Io {
        /// The attempt.
        what: &'static str,
        /// Its object.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> FolderError {
    let path = path.to_path_buf();
    move |source| FolderError::Io { what, path, source }
}

/// The data folder of one server process.
#[derive(Clone, Debug)]
pub struct DataFolder(PathBuf);

/// The lock on a data folder, and the identity of this process, which it keeps across restarts. While the lock is held, no other process
/// runs on the folder.
#[derive(Debug)]
pub struct FolderLock {
    /// The name under which this process takes mailboxes and mails in hand.
    pub process: Uuid,
    // The kernel frees the lock however the process ends.
    _lock: File,
}

impl DataFolder {
    /// Makes the folder where there is none. Only its owner may read it. With `passable`, other users may pass through it to their own
    /// files below: the private PostgreSQL's user, where this process is root.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn create(path: &Path, passable: bool) -> Result<DataFolder, FolderError> {
        let mode = if passable { 0o711 } else { 0o700 };
        if !path.exists() {
            DirBuilder::new().recursive(true).mode(mode).create(path).map_err(io("create", path))?;
            std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io("protect", path))?;
        }
        Ok(DataFolder(path.to_path_buf()))
    }

    /// Finds the configured folder.
    ///
    /// # Errors
    /// The folder is not there; where a database is configured, the error says so, since a second program of a centre needs no `init`.
    pub fn of(configuration: &Configuration) -> Result<DataFolder, FolderError> {
        let found = DataFolder::open(&configuration.server.data_folder);
        match found {
            Err(FolderError::Missing(path)) if !configuration.is_embedded() => {
                Err(FolderError::MissingBesideDatabase(path))
            }
            found => found,
        }
    }

    /// Finds the folder that `init` made.
    ///
    /// # Errors
    /// It is not there.
    pub fn open(path: &Path) -> Result<DataFolder, FolderError> {
        if path.is_dir() { Ok(DataFolder(path.to_path_buf())) } else { Err(FolderError::Missing(path.to_path_buf())) }
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the folder of keys and certificates.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// Locks the folder for this process, and reads or makes the process's identity.
    ///
    /// # Errors
    /// [`FolderError::InUse`]; the operating system refuses.
    pub fn lock(&self) -> Result<FolderLock, FolderError> {
        let path = self.0.join("process");
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
                    FolderError::InUse { folder: self.0.clone(), process }
                }
                TryLockError::Error(source) => FolderError::Io { what: "lock", path, source },
            });
        }
        file.read_to_string(&mut text).map_err(io("read", &path))?;
        let known = text.lines().next().and_then(|name| name.trim().parse().ok());
        // `known` is none at the first start, or where the first start crashed while it wrote the name. The database knows nothing
        // under such a name, so a new one loses nothing.
        let process: Uuid = known.unwrap_or_else(Uuid::new_v4);
        // A known name is overwritten by itself, so that a crash here cannot lose it.
        let text = format!("{process}\n{}\n", std::process::id());
        file.write_all_at(text.as_bytes(), 0)
            .and_then(|()| file.set_len(text.len() as u64))
            .and_then(|()| file.sync_all())
            .map_err(io("write", &path))?;
        Ok(FolderLock { process, _lock: file })
    }

    /// Locks the folder as [`DataFolder::lock`] does, and waits for that at most so long.
    ///
    /// # Errors
    /// Those of [`DataFolder::lock`].
    pub fn lock_within(&self, longest: Duration) -> Result<FolderLock, FolderError> {
        let began = Instant::now();
        loop {
            match self.lock() {
                Err(FolderError::InUse { .. }) if began.elapsed() < longest => std::thread::park_timeout(LOOK),
                locked => return locked,
            }
        }
    }

    /// Says whether a process runs on this folder. Nothing is written, and processes that look at the same time count as none.
    pub fn is_locked(&self) -> bool {
        let Ok(file) = File::open(self.0.join("process")) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Writes a folder of secret files that appears whole or not at all. An existing one is never touched.
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
        // A folder is not renamed onto one that holds files: what is there stays.
        std::fs::rename(&unfinished, folder).map_err(io("create", folder))?;
        sync_folder(&self.0)
    }
}

/// Makes the names within a folder as durable as their files.
fn sync_folder(path: &Path) -> Result<(), FolderError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io("sync", path))
}

/// Names what is wrong with the permissions of a file or folder that holds secrets.
pub fn exposure(path: &Path, allowed: u32) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    let mode = metadata.mode() & 0o777;
    (mode & !allowed != 0).then(|| format!("{} has mode {mode:03o}: run chmod {allowed:03o} {0}", path.display()))
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
        assert_eq!(exposure(&file, 0o600), None);
        assert_eq!(exposure(&folder.keys(), 0o700), None);
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert!(exposure(&file, 0o600).unwrap().contains("mode 644"));
    }
}
