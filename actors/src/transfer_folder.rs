//! The transfer folder (guide: Station de Transfert) has `in` for letters and `out` for answers, as `*.sdc` files. It serves removable
//! media and gateways that carry files. This module has what transport and courier share: it opens the folder, and it ensures that a disk
//! that hangs delays no other work.
//!
//! The folder may change at any time: a memory stick is removed, a mount is lost, an operator renames the folder. So what was found out
//! about the folder counts only during one piece of work. `in` and `out` are never created: if the medium is not mounted, an answer would
//! be put under the mount point. No link is followed, and nothing outside the folder is opened.

pub(crate) mod watch;

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{self, AtFlags, OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{AccessFlags, faccessat, fsync};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use watch::Quiet;
use watch::Watch;

/// Name of the folder for letters, within the transfer folder.
pub const IN: &str = "in";
/// Name of the folder for answers, within the transfer folder.
pub const OUT: &str = "out";
/// End of the file name of a letter or an answer.
pub const SUFFIX: &str = ".sdc";

/// Longest wait for a disk, including the wait for earlier work on a slow disk.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait of an operator's command for a disk.
pub const LOOK_PATIENCE: Duration = Duration::from_secs(10);
/// Largest number of pieces of work per direction that may hang in a disk at the same time. Each of them keeps a thread until the system
/// call returns.
const AT_ONCE_MAX: usize = 4;

/// A transfer folder. Cheap to clone.
#[derive(Clone)]
pub struct TransferFolder(Arc<Parts>);

struct Parts {
    path: PathBuf,
    /// Runtime whose threads do the blocking work. It outlives every actor. At its end, it does not wait for a disk that hangs.
    runtime: Handle,
    /// Each direction has its own limit, since each may have its own disk. So letters and answers do not wait for each other.
    letters_at_once: Arc<Semaphore>,
    answers_at_once: Arc<Semaphore>,
    patience: Duration,
    /// Locked by a listing as long as it runs.
    watch: Mutex<Watch>,
    /// Agencies for whose folders this process has synced `out`, so that the folders survive a crash of the machine.
    lasting: Mutex<HashSet<Box<str>>>,
}

/// Why work with the folder failed.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The folder as a whole failed, or `in` or `out`, or their disk.
    #[error("{path}: {what}: {error}", path = path.display())]
    Folder {
        /// Path of the transfer folder.
        path: PathBuf,
        /// The place in the folder, and the operation that failed.
        what: String,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The disk does not answer.
    #[error("{path}: the disk has not answered for {seconds} s", path = .0.display(), seconds = .1.as_secs())]
    Hangs(PathBuf, Duration),
    /// An earlier listing has not ended.
    #[error("{path}: the disk has not ended the listing before: the next waits for it", path = .0.display())]
    Busy(PathBuf),
    /// One file of the folder failed. Other files are not affected.
    #[error("{0}: {1}")]
    File(String, String),
}

impl TransferFolder {
    /// Makes the handle of a folder, without opening the folder. Files that changed within the quiet time are not listed.
    pub fn new(path: impl Into<PathBuf>, runtime: Handle, quiet: impl Into<Quiet>) -> TransferFolder {
        TransferFolder::with(path.into(), runtime, quiet.into(), (AT_ONCE_MAX, PATIENCE))
    }

    fn with(path: PathBuf, runtime: Handle, quiet: Quiet, (at_once, patience): (usize, Duration)) -> TransferFolder {
        TransferFolder(Arc::new(Parts {
            path,
            runtime,
            letters_at_once: Arc::new(Semaphore::new(at_once)),
            answers_at_once: Arc::new(Semaphore::new(at_once)),
            patience,
            watch: Mutex::new(Watch::new(quiet)),
            lasting: Mutex::default(),
        }))
    }

    /// Returns the folder's path.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Returns what earlier listings found in `in`. Only one listing at a time can have it: returns `None` while another listing runs.
    pub(crate) fn watch(&self) -> Option<MutexGuard<'_, Watch>> {
        match self.0.watch.try_lock() {
            Ok(watch) => Some(watch),
            Err(TryLockError::Poisoned(poisoned)) => Some(PoisonError::into_inner(poisoned)),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Says whether this process has synced `out` since an agency's folder was made. If it has not, a crash of the machine may lose the
    /// folder.
    pub(crate) fn is_lasting(&self, agency: &str) -> bool {
        self.0.lasting.lock().unwrap_or_else(PoisonError::into_inner).contains(agency)
    }

    /// Records that this process has synced `out` since an agency's folder was made: the folder survives a crash of the machine now.
    pub(crate) fn lasts(&self, agency: &str) {
        self.0.lasting.lock().unwrap_or_else(PoisonError::into_inner).insert(agency.into());
    }

    /// Opens `in` or `out`.
    pub(crate) fn open(&self, name: &str) -> Result<OwnedFd, Trouble> {
        open(self.path(), name)
    }

    /// Makes an error of the folder as a whole from a system error.
    pub(crate) fn trouble(&self, what: &str, errno: Errno) -> Trouble {
        trouble(self.path(), what, errno)
    }

    /// Works on the disk of `in` or `out`, on a thread of its own. If the disk does not answer in time, the caller stops waiting for the
    /// work. The work then still keeps its thread, and counts towards the pieces of work that may hang.
    ///
    /// # Errors
    /// The errors of the work, and a disk that hangs.
    pub(crate) async fn on_disk<T: Send + 'static>(
        &self,
        direction: &str,
        work: impl FnOnce(&TransferFolder) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (folder, patience) = (self.clone(), self.0.patience);
        let at_once = if direction == OUT { &self.0.answers_at_once } else { &self.0.letters_at_once };
        let working = async {
            // The semaphore is never closed, so a permit always comes.
            let turn = Arc::clone(at_once).acquire_owned().await.ok();
            self.0
                .runtime
                .spawn_blocking(move || {
                    let _turn = turn;
                    work(&folder)
                })
                .await
        };
        match timeout(patience, working).await {
            Ok(Ok(done)) => done,
            Ok(Err(failed)) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
            Ok(Err(_cancelled)) => {
                Err(Trouble::File(self.0.path.display().to_string(), "the process is ending".to_owned()))
            }
            Err(_elapsed) => Err(Trouble::Hangs(self.0.path.clone(), patience)),
        }
    }
}

impl Trouble {
    /// Says whether other files will fail for the same reason: the disk is full, missing, not accessible or broken.
    pub fn is_of_folder(&self) -> bool {
        !matches!(self, Trouble::File(..))
    }
}

/// Opens `in` or `out`, and checks that files can be created and removed in it.
///
/// # Errors
/// The folder does not exist, is a link or no folder, or is not accessible to this program.
pub fn open(path: &Path, name: &str) -> Result<OwnedFd, Trouble> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = fcntl::open(path, flags, Mode::empty()).map_err(|errno| trouble(path, "the folder", errno))?;
    let folder = openat(root.as_fd(), name, flags | OFlag::O_NOFOLLOW, Mode::empty())
        .map_err(|errno| trouble(path, name, errno))?;
    let access = AccessFlags::W_OK | AccessFlags::X_OK;
    faccessat(folder.as_fd(), ".", access, AtFlags::AT_EACCESS)
        .map_err(|errno| trouble(path, &format!("{name} is not writable"), errno))?;
    Ok(folder)
}

/// Opens `in` or `out` on a thread of its own. If the disk does not answer in time, the caller stops waiting for the thread.
///
/// # Errors
/// See [`open`]; and a disk that hangs.
pub fn open_within(path: &Path, name: &str, patience: Duration) -> Result<OwnedFd, Trouble> {
    let (of, name) = (path.to_owned(), name.to_owned());
    within(path, patience, move || open(&of, &name))
}

fn within<T: Send + 'static>(
    path: &Path,
    patience: Duration,
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    let (done, waits) = channel();
    // This thread belongs to no runtime: when the program ends, a runtime would wait for its threads, and so for a disk that hangs.
    std::thread::spawn(move || drop(done.send(work())));
    waits.recv_timeout(patience).unwrap_or_else(|_elapsed| Err(Trouble::Hangs(path.to_owned(), patience)))
}

fn trouble(path: &Path, what: &str, errno: Errno) -> Trouble {
    Trouble::Folder { path: path.to_owned(), what: what.to_owned(), error: errno.into() }
}

/// Syncs a folder. If the file system cannot sync folders, there is nothing to do.
pub(crate) fn sync(folder: &OwnedFd) -> Result<(), Errno> {
    fsync(folder.as_fd()).or_else(|errno| if has_no_sync(errno) { Ok(()) } else { Err(errno) })
}

fn has_no_sync(errno: Errno) -> bool {
    matches!(errno, Errno::EINVAL | Errno::ENOTSUP)
}

/// Says whether an error on one file is an error of the disk, so that all other files would meet it too.
pub(crate) fn is_of_disk(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ENOSPC | Errno::EDQUOT | Errno::EROFS | Errno::EIO | Errno::ENODEV | Errno::ENXIO | Errno::ESTALE
    )
}

#[cfg(test)]
mod tests;
