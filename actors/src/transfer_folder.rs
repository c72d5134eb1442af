//! The transfer folder (guide: Station de Transfert): `in` for letters, `out` for answers, `*.sdc` in both, for removable media and for
//! gateways that carry files. What both ways share is here: how the folder is opened, and that a disk which hangs holds up nobody else.
//!
//! The folder is another's: a stick that is pulled out, a mount that is away, an operator who renames it. So nothing is believed of it
//! for longer than one piece of work, `in` and `out` are never made (whoever mounts the medium sees them, and without it an
//! answer would be put under the mount), no link is followed, and nothing outside is opened.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{self, AtFlags, OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{AccessFlags, faccessat};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Folder of letters, and that of answers.
pub const IN: &str = "in";
/// See [`IN`].
pub const OUT: &str = "out";
/// How a name of a letter or an answer ends.
pub const SUFFIX: &str = ".sdc";

/// Longest wait for a disk, or for the turn at one that is slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pieces of work that may hang in a disk at once: each holds a thread until the system lets go of it.
const AT_ONCE_MAX: usize = 8;

/// A transfer folder. Cheap to clone.
#[derive(Clone)]
pub struct TransferFolder(Arc<Parts>);

struct Parts {
    path: PathBuf,
    /// Lends its threads for blocking work. It outlives every actor, and does not wait for a disk that hangs when it ends.
    runtime: Handle,
    at_once: Arc<Semaphore>,
    patience: Duration,
    quiet: Duration,
}

/// Why something could not be done with the folder.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The folder, one of its two, or their disk.
    #[error("{path}: {what}: {error}", path = path.display())]
    Folder {
        /// The transfer folder.
        path: PathBuf,
        /// Where in it, and what was tried.
        what: String,
        /// What the system says.
        error: io::Error,
    },
    /// The disk does not answer.
    #[error("{path}: the disk has not answered for {seconds} s", path = .0.display(), seconds = .1.as_secs())]
    Hangs(PathBuf, Duration),
    /// One file of it alone.
    #[error("{0}: {1}")]
    File(String, String),
}

impl TransferFolder {
    /// Takes a folder. Nothing of it is looked at yet. Files that were written less than `quiet` ago are left alone.
    pub fn new(path: impl Into<PathBuf>, runtime: Handle, quiet: Duration) -> TransferFolder {
        let at_once = Arc::new(Semaphore::new(AT_ONCE_MAX));
        TransferFolder(Arc::new(Parts { path: path.into(), runtime, at_once, patience: PATIENCE, quiet }))
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Returns how long a file must have been left alone by its writer.
    pub(crate) fn quiet(&self) -> Duration {
        self.0.quiet
    }

    /// Opens one of the two folders.
    pub(crate) fn open(&self, name: &str) -> Result<OwnedFd, Trouble> {
        open(self.path(), name)
    }

    /// Makes the trouble that it is to the folder as a whole.
    pub(crate) fn trouble(&self, what: &str, errno: Errno) -> Trouble {
        trouble(self.path(), what, errno)
    }

    /// Works on the disk, on a thread of its own. Where the disk does not answer in time the work is left behind: it holds its thread
    /// and its turn, and nothing else.
    ///
    /// # Errors
    /// Those of the work, and a disk that hangs.
    pub(crate) async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&TransferFolder) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (folder, patience) = (self.clone(), self.0.patience);
        let working = async {
            // Never closed, so a turn always comes.
            let turn = Arc::clone(&self.0.at_once).acquire_owned().await.ok();
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
    /// Says whether other files will meet it as well: a disk that is full, gone, closed or broken.
    pub fn is_of_folder(&self) -> bool {
        !matches!(self, Trouble::File(..))
    }
}

/// Opens one of the two folders, and sees to it that files in it can be made and removed.
///
/// # Errors
/// It is not there, is a link or no folder, or is closed to this program.
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

fn trouble(path: &Path, what: &str, errno: Errno) -> Trouble {
    Trouble::Folder { path: path.to_owned(), what: what.to_owned(), error: errno.into() }
}

/// Says whether an error on one file is in truth the disk's.
pub(crate) fn is_of_disk(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ENOSPC | Errno::EDQUOT | Errno::EROFS | Errno::EIO | Errno::ENODEV | Errno::ENXIO | Errno::ESTALE
    )
}

#[cfg(test)]
mod tests;
