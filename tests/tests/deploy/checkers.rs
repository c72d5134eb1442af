//! The programs that read the files of `deploy`. `make setup` installs them: from Debian, and from PyPI into `target/checkers`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::configuration::{Configuration, Sources};
use serde_json::Value;

/// What a checker said of a file.
#[derive(Debug)]
pub struct Said {
    /// Whether the checker ended with 0.
    pub is_content: bool,
    /// What it wrote on both outputs.
    pub text: String,
}

/// Returns the root of the sources.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Returns the path of a file of `deploy`.
pub fn deployed(name: &str) -> PathBuf {
    root().join("deploy").join(name)
}

/// Reads a file of `deploy`.
pub fn read(name: &str) -> String {
    fs::read_to_string(deployed(name)).unwrap_or_else(|error| panic!("deploy/{name}: {error}"))
}

/// Says whether the checkers from PyPI are there. `make setup` could not install them where PyPI cannot be reached; the tests that need
/// them are skipped there, with a line that says so.
pub fn are_there() -> bool {
    let are_there = root().join("target/checkers").is_dir();
    if !are_there {
        println!("skipped: `make setup` could not install deploy/checkers.txt into target/checkers");
    }
    are_there
}

/// Runs a checker. One that `make setup` got from PyPI is preferred to one that the machine has.
pub fn run(program: &str, arguments: &[&str]) -> Said {
    run_with(program, arguments, &[])
}

/// Does what [`run`] does, with further environment variables.
pub fn run_with(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let checkers = root().join("target/checkers");
    let own = checkers.join("bin").join(program);
    let is_script = fs::read(&own).is_ok_and(|bytes| bytes.starts_with(b"#!"));
    let mut command = match (own.exists(), is_script) {
        (true, true) => {
            let mut command = Command::new("python3");
            command.arg(own);
            command
        }
        (true, false) => Command::new(own),
        (false, _) => Command::new(program),
    };
    let output = command
        .args(arguments)
        .env("PYTHONPATH", &checkers)
        .envs(variables.iter().copied())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}: `make setup` installs it"));
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Said { is_content: output.status.success(), text }
}

/// Reads YAML of one or several documents as PyYAML does, with its anchors and merged keys.
pub fn yaml(text: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.yaml");
    fs::write(&file, text).unwrap();
    let program = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let said = run("python3", &["-c", program, file.to_str().unwrap()]);
    assert!(said.is_content, "{}", said.text);
    serde_json::from_str(&said.text).unwrap()
}

/// Reads a configuration of `deploy` as the program does.
pub fn configuration(name: &str) -> Configuration {
    let sources = Sources { file: Some(deployed(name)), data_folder: None };
    Configuration::load(&sources).unwrap_or_else(|error| panic!("deploy/{name}: {error}"))
}

/// Returns the seconds that a replica may take to stop, by its configuration.
pub fn stop_seconds_max(configuration: &Configuration) -> u64 {
    configuration.server.drain_notice_seconds + configuration.server.shutdown_seconds_max
}

/// Replaces a text that must be there once at least.
pub fn planted(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "there is no {from:?}");
    text.replacen(from, to, 1)
}
