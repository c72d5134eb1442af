//! Runs a short lab, where this machine allows network namespaces. `make lab ARGS="--cycles 150 --seed 1"` is the long version, and
//! `make lab ARGS="--cycles 100 --seed 1 --plant notice-ignored"` shows that a planted bug is caught.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scenarios::lab::room;
use scenarios::program::xmserver_nemesis;
use scenarios::servers::wait_within;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// The seed of the short run: a primary that is killed, cancelled commits, and a replica that is killed are among its faults.
const SEED: u64 = 1;
const CYCLES: u64 = 5;

/// Runs the lab in a room of its own. Returns its report.
fn lab(arguments: &[&str]) -> (bool, Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let ended = Command::new(env!("CARGO_BIN_EXE_lab")).args(arguments).arg("--json").arg(&file).status().unwrap();
    let report = fs::read(&file).unwrap();
    (ended.success(), serde_json::from_slice(&report).unwrap())
}

#[test]
fn whatever_a_sender_was_told_is_true_whatever_is_struck() {
    if let Some(hindrance) = room::hindrance() {
        println!("skipped: {hindrance}");
        return;
    }
    let (cycles, seed) = (CYCLES.to_string(), SEED.to_string());
    let (is_sound, report) = lab(&["--cycles", &cycles, "--seed", &seed, "--check-every", "5", "--mails", "24"]);
    assert!(is_sound, "{report:#}");
    assert_eq!((&report["cycles"], &report["acknowledged_missing"]), (&CYCLES.into(), &0.into()), "{report:#}");
    // Many letters must have been settled, otherwise the result would prove nothing.
    assert!(report["accepted"].as_u64().unwrap() > 50 && report["promotions"].as_u64().unwrap() > 0, "{report:#}");
    assert!(
        report["replies"]["250"].as_u64().unwrap() > 20 && report["replies"]["200"].as_u64().unwrap() > 5,
        "{report:#}"
    );
}

/// Counts the processes whose command line has this path.
fn processes_with(path: &Path) -> usize {
    let path = path.to_str().unwrap();
    let lines = fs::read_dir("/proc").unwrap().flatten().map(|entry| fs::read(entry.path().join("cmdline")));
    lines.flatten().filter(|line| String::from_utf8_lossy(line).contains(path)).count()
}

#[test]
fn nothing_is_left_of_a_lab_that_is_interrupted_and_only_a_folder_of_one_that_is_killed() {
    if let Some(hindrance) = room::hindrance() {
        println!("skipped: {hindrance}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.env("TMPDIR", folder.path()).args(["--cycles", "1000", "--engine"]).arg(xmserver_nemesis().unwrap());
        let lab = command.spawn().unwrap();
        // The first PostgreSQL runs.
        wait_within(PATIENCE, "the lab has begun", || Ok(processes_with(folder.path()) > 0)).unwrap();
        lab
    };
    let rooms = || fs::read_dir(folder.path()).unwrap().count();
    for (signal, left) in [(Signal::SIGKILL, 1), (Signal::SIGINT, 0)] {
        let mut lab = start();
        assert_eq!(rooms(), 1, "what a killed one has left is removed");
        kill(Pid::from_raw(i32::try_from(lab.id()).unwrap()), signal).unwrap();
        assert!(!lab.wait().unwrap().success());
        wait_within(PATIENCE, "its processes have ended", || Ok(processes_with(folder.path()) == 0)).unwrap();
        assert_eq!(rooms(), left, "after {signal}");
    }
}
