//! Runs a short lab, where this machine allows network namespaces. `make lab ARGS="--cycles 150 --seed 1"` is the long version, and
//! `make lab ARGS="--cycles 100 --seed 1 --plant notice-ignored"` shows that a planted bug is caught.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

use std::process::Command;

use scenarios::lab::room;
use serde_json::Value;

/// The seed of the short run: a primary that is killed, cancelled commits, and a replica that is killed are among its faults.
const SEED: u64 = 1;
const CYCLES: u64 = 5;

/// Runs the lab in a room of its own. Returns its report.
fn lab(arguments: &[&str]) -> (bool, Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let ended = Command::new(env!("CARGO_BIN_EXE_lab")).args(arguments).arg("--json").arg(&file).status().unwrap();
    let report = std::fs::read(&file).unwrap();
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
