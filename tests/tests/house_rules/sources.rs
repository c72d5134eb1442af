//! The files that the rules check.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the repository.
pub struct Source {
    /// Path of the file, relative to the repository's root.
    pub path: String,
    /// Content of the file.
    pub text: String,
}

impl Source {
    /// Makes a file that does not exist, to try a rule on it.
    pub fn new(path: &str, text: impl Into<String>) -> Source {
        Source { path: path.to_owned(), text: text.into() }
    }

    /// Returns the lines of code with their numbers: without comments, blank lines, and the unit tests at the end.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let before_tests = self.text.lines().take_while(|line| *line != "#[cfg(test)]");
        (1..).zip(before_tests).filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
    }
}

/// Returns the folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Reads a file by its path below the root.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Lists the files below a folder, without build results and git's own files.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() && name != "target" && name != ".git" {
            files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

/// Reads every file with this extension.
pub fn of_kind(kind: &str) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    files(&root, &mut found);
    let of_kind = found.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == kind));
    let read = |path: PathBuf| {
        let below = path.strip_prefix(&root).unwrap().display().to_string();
        Source { path: below, text: fs::read_to_string(&path).unwrap() }
    };
    of_kind.map(read).collect()
}

/// Fails if there are breaches, and prints all of them.
pub fn demand(breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}
