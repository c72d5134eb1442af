//! Finds the PostgreSQL programs of this machine on which a private cluster runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ClusterError;

/// Oldest PostgreSQL that the migrations are written for.
pub const MAJOR_MIN: u32 = 15;

/// A folder with `postgres` and `initdb`, and their version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// The folder.
    pub folder: PathBuf,
    /// Major version, such as 15.
    pub major: u32,
}

impl Binaries {
    /// Looks for programs in the configured folder. If no folder is configured, looks along `PATH` and where Debian and Red Hat install
    /// them. Returns the newest version.
    ///
    /// Only the major version that made a data folder can open it, so an existing data folder decides the version.
    ///
    /// # Errors
    /// No usable version is found, or the data folder's version is not found.
    pub fn find(configured: Option<&Path>, data_major: Option<u32>) -> Result<Binaries, ClusterError> {
        let folders = match configured {
            Some(folder) => vec![folder.to_path_buf()],
            None => usual_folders(),
        };
        let mut found: Vec<Binaries> = folders.iter().filter_map(|folder| Binaries::in_folder(folder)).collect();
        found.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
        let Some(newest) = found.first().cloned() else {
            return Err(ClusterError::BinariesMissing { looked: list(&folders) });
        };
        if let Some(data) = data_major {
            return found.into_iter().find(|binaries| binaries.major == data).ok_or(ClusterError::VersionMismatch {
                data,
                found: newest.major,
                folder: newest.folder,
            });
        }
        if newest.major < MAJOR_MIN {
            return Err(ClusterError::BinariesTooOld { folder: newest.folder, major: newest.major });
        }
        Ok(newest)
    }

    fn in_folder(folder: &Path) -> Option<Binaries> {
        if !folder.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(folder.join("postgres")).arg("--version").current_dir("/").output().ok()?;
        let major = major_of(&String::from_utf8_lossy(&output.stdout))?;
        Some(Binaries { folder: folder.to_path_buf(), major })
    }

    /// Returns the path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

#[expect(clippy::disallowed_methods, reason = "PATH says where programs are; it is no setting of ours")]
fn usual_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    if let Ok(entries) = std::fs::read_dir("/usr") {
        folders.extend(
            entries
                .flatten()
                .filter(|entry| entry.file_name().to_string_lossy().starts_with("pgsql-"))
                .map(|entry| entry.path().join("bin")),
        );
    }
    folders
}

fn list(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Reads the major version from `postgres (PostgreSQL) 15.18 (Debian …)` or `…17beta1`.
fn major_of(text: &str) -> Option<u32> {
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_that_postgres_prints() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major_of("something else"), None);
    }

    #[test]
    fn a_folder_without_postgresql_is_named() {
        let error = Binaries::find(Some(Path::new("/usr/share")), None).unwrap_err().to_string();
        assert!(error.contains("/usr/share"), "{error}");
    }

    #[test]
    fn a_data_folder_of_another_version_is_not_opened() {
        let error = Binaries::find(None, Some(9)).unwrap_err().to_string();
        assert!(error.contains("PostgreSQL 9"), "{error}");
    }
}
