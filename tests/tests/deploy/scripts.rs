//! Scripts of `deploy`, as shellcheck reads them.

use std::fs;
use std::path::PathBuf;

use crate::checkers::{deployed, run};

/// Returns the scripts: whatever begins with `#!` in these folders.
fn scripts() -> Vec<PathBuf> {
    let folders = ["", "container", "debian"].map(deployed);
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    files.filter(|path| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"#!"))).collect()
}

#[test]
fn scripts_are_sound() {
    let scripts = scripts();
    assert!(scripts.len() >= 9, "{scripts:?}");
    for script in scripts {
        let said = run("shellcheck", &[script.to_str().unwrap()]);
        assert!(said.is_content, "{}", said.text);
    }
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.sh");
    fs::write(&bad, "#!/bin/sh\nrm -rf \"$1\"/$2/*\n").unwrap();
    assert!(!run("shellcheck", &[bad.to_str().unwrap()]).is_content);
}
