//! Commands keep a private PostgreSQL alive for each other.
//!
//! A command that uses a PostgreSQL of another command holds a shared lock on one file. The command that started the PostgreSQL stops it
//! only after it gets the exclusive lock on that file. From then on no command can use this PostgreSQL: a later command waits until the
//! PostgreSQL has ended, and starts one itself. The kernel frees a lock however its command ends.

use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::{LOOK, OpenError};

/// A command's use of a private PostgreSQL. The use ends when this is dropped.
pub struct Sharing {
    file: File,
}

impl Sharing {
    /// Lets other commands use the PostgreSQL that this process has started in the folder.
    pub fn host(folder: &Path) -> Result<Sharing, OpenError> {
        open(folder).map(|(file, _)| Sharing { file })
    }

    /// Lets this command use the PostgreSQL that another process has started; none where that PostgreSQL is being stopped.
    pub fn try_join(folder: &Path) -> Result<Option<Sharing>, OpenError> {
        let (file, path) = open(folder)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(Sharing { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(OpenError::Sharing { file: path, source }),
        }
    }

    /// Waits until no other command uses the PostgreSQL, and keeps further commands from using it. The wait has no limit: a command may be
    /// asking its operator a question, and must still have the database when the operator answers. A wait longer than `told` is logged.
    pub async fn left_by_others(&self, told: Duration) {
        let began = Instant::now();
        let mut is_told = false;
        while self.file.try_lock().is_err() {
            if !is_told && began.elapsed() > told {
                is_told = true;
                tracing::warn!("waiting for another command, which uses the PostgreSQL that this one has started");
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn open(folder: &Path) -> Result<(File, PathBuf), OpenError> {
    let path = folder.join("commands");
    let opened = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
    match opened {
        Ok(file) => Ok((file, path)),
        Err(source) => Err(OpenError::Sharing { file: path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_started_it_waits_for_those_who_joined_and_then_nobody_joins() {
        let folder = tempfile::tempdir().unwrap();
        let starter = Sharing::host(folder.path()).unwrap();
        let joined = Sharing::try_join(folder.path()).unwrap().expect("nobody stops it yet");
        let stopping = tokio::spawn(async move {
            starter.left_by_others(Duration::from_secs(600)).await;
            starter
        });
        for _ in 0..1000 {
            tokio::task::yield_now().await;
            assert!(!stopping.is_finished(), "it does not stop what another uses");
        }
        drop(joined);
        let starter = stopping.await.unwrap();
        assert!(Sharing::try_join(folder.path()).unwrap().is_none(), "it is being stopped");
        drop(starter);
        assert!(Sharing::try_join(folder.path()).unwrap().is_some());
    }
}
