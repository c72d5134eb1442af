//! A transfer folder. The test brings letters into it and takes answers out, as a person with a memory stick does, or the program of a
//! network that has no mail.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tempfile::TempDir;

/// A transfer folder in a temporary place.
pub struct Transfer {
    place: TempDir,
}

impl Transfer {
    /// Makes an empty transfer folder.
    ///
    /// # Errors
    /// The disk is full.
    pub fn make() -> Result<Transfer> {
        let place = tempfile::Builder::new().prefix("xm-transfer-").tempdir()?;
        for name in ["in", "out"] {
            fs::create_dir_all(place.path().join("stick").join(name))?;
        }
        Ok(Transfer { place })
    }

    /// Returns the path at which the centre expects the folder.
    pub fn path(&self) -> PathBuf {
        self.place.path().join("stick")
    }

    /// Returns the section of a configuration for this folder.
    pub fn configuration(&self) -> String {
        format!("[folder]\npath = \"{}\"\npoll_interval_seconds = 1\nquiet_seconds = 0\n", self.path().display())
    }

    fn away(&self) -> PathBuf {
        self.place.path().join("away")
    }

    /// Returns the path at which the folder is now: [`Transfer::pull_out`] moves it.
    fn now(&self) -> PathBuf {
        let path = self.path();
        if path.exists() { path } else { self.away() }
    }

    /// Moves the folder away, as somebody who pulls out the memory stick.
    ///
    /// # Errors
    /// The file system fails.
    pub fn pull_out(&self) -> Result<()> {
        Ok(fs::rename(self.path(), self.away())?)
    }

    /// Moves the folder back, if it was moved away.
    ///
    /// # Errors
    /// The file system fails.
    pub fn put_back(&self) -> Result<()> {
        if self.away().exists() {
            fs::rename(self.away(), self.path())?;
        }
        Ok(())
    }

    /// Puts a letter into the folder.
    ///
    /// # Errors
    /// The file system fails.
    pub fn send(&self, name: &str, document: &[u8]) -> Result<()> {
        let letters = self.now().join("in");
        let part = letters.join(format!("{name}.part"));
        fs::write(&part, document)?;
        Ok(fs::rename(&part, letters.join(format!("{name}.sdc")))?)
    }

    /// Counts the letters in the folder that the centre has not settled yet.
    ///
    /// # Errors
    /// The file system fails.
    pub fn waiting(&self) -> Result<usize> {
        Ok(fs::read_dir(self.now().join("in"))?.count())
    }

    /// Removes the answers to an agency from the folder, and returns them with their names.
    ///
    /// # Errors
    /// The file system fails.
    pub fn collect(&self, matricule: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let own = self.now().join("out").join(matricule);
        let mut answers = Vec::new();
        if !own.exists() {
            return Ok(answers);
        }
        for entry in fs::read_dir(own)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "sdc") {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                answers.push((name, fs::read(&path)?));
                fs::remove_file(&path)?;
            }
        }
        answers.sort();
        Ok(answers)
    }

    /// Says whether the folder contains a file that is neither a letter nor an answer.
    ///
    /// # Errors
    /// The file system fails.
    pub fn has_litter(&self) -> Result<bool> {
        fn any(place: &Path) -> Result<bool> {
            for entry in fs::read_dir(place)? {
                let path = entry?.path();
                if if path.is_dir() { any(&path)? } else { path.extension().is_none_or(|end| end != "sdc") } {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        any(&self.now())
    }
}
