//! The programs under test, as cargo built them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};

/// Folders with the program's sources.
const SOURCES: [&str; 3] = ["engine", "actors", "schema"];

/// Returns the path of `xmserver`, which is beside the running test. It is built if it is missing or older than its sources, as when only
/// the tests of this crate are built.
pub fn xmserver() -> Result<&'static Path> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = PROGRAM.get_or_init(|| find("engine", "xmserver", &[]).map_err(|error| format!("{error:#}")));
    found.as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

/// Returns the path of `xmagency`, the program of an office. It is built if it is missing or older than its sources.
pub fn xmagency() -> Result<&'static Path> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = PROGRAM.get_or_init(|| find("xmagency", "xmagency", &[]).map_err(|error| format!("{error:#}")));
    found.as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

/// Returns the path of `xmserver-nemesis`: the same program, with failpoints and planted bugs. It is built if it is missing or older than
/// its sources.
pub fn xmserver_nemesis() -> Result<&'static Path> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = || find("engine", "xmserver-nemesis", &["--features", "nemesis"]).map_err(|error| format!("{error:#}"));
    PROGRAM.get_or_init(built).as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

fn find(package: &str, name: &str, features: &[&str]) -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    // Test binaries are one folder deeper than programs.
    let folder = this.parent().context("a test has a folder")?;
    let folder = if folder.ends_with("deps") { folder.parent().context("deps has a folder")? } else { folder };
    let program = folder.join(name);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let built = program.metadata().and_then(|file| file.modified()).ok();
    let mut newest = SystemTime::UNIX_EPOCH;
    for source in SOURCES {
        newest = newest.max(newest_below(&root.join(source))?);
    }
    if built.is_none_or(|built| built < newest) {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(&root).args(["build", "--locked", "--package", package, "--bin", name]).args(features);
        cargo.arg("--target-dir").arg(folder.parent().context("a profile has a folder")?);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        ensure!(cargo.status()?.success(), "cargo could not build {name}");
    }
    ensure!(program.exists(), "{} is missing", program.display());
    Ok(program)
}

fn newest_below(folder: &Path) -> Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if path.is_dir() && !path.ends_with("tests") {
            newest = newest.max(newest_below(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "sql") {
            newest = newest.max(entry.metadata()?.modified()?);
        }
    }
    Ok(newest)
}
