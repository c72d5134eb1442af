//! `load` as its users run it, with few letters: every figure is there, beside a limit, and what is not sound is seen.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

/// What scripts may count on.
const FIGURES: [&str; 17] = [
    "letters",
    "seconds",
    "letters_per_second",
    "limit_letters_per_second",
    "share_of_limit",
    "p50_ms",
    "p99_ms",
    "rss_mb_max",
    "cpu_seconds_engine",
    "cpu_seconds_postgres",
    "cpu_seconds_dovecot",
    "bytes_per_letter",
    "lost",
    "doubled",
    "ledger_difference",
    "receipts_sent",
    "receipts_seconds",
];

fn load(cache: &Path, arguments: &[&str]) -> Result<(Output, Value)> {
    let json = cache.join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_load"))
        .args(arguments)
        .arg("--cache")
        .arg(cache)
        .arg("--json")
        .arg(&json)
        .output()?;
    let figures = fs::read(json).map_err(|error| {
        anyhow::anyhow!("load {arguments:?} wrote no figures: {error}\n{}", String::from_utf8_lossy(&output.stderr))
    })?;
    Ok((output, serde_json::from_slice(&figures)?))
}

/// Expects every figure, with letters that cost something, and a table and the same JSON on the standard output.
fn assert_told(output: &Output, json: &Value, run: &Value, letters: u64) -> Result<()> {
    let text = String::from_utf8_lossy(&output.stdout);
    for name in FIGURES {
        assert!(run[name].is_number(), "{name} is missing in {run:#}");
        assert!(text.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name} is missing in\n{text}");
    }
    let printed = &text[text.find('{').context("no JSON after the table")?..];
    assert_eq!(serde_json::from_str::<Value>(printed)?, *json);
    assert_eq!([&run["letters"], &run["receipts_sent"]], [letters, letters]);
    for name in ["letters_per_second", "share_of_limit", "p50_ms", "cpu_seconds_engine", "cpu_seconds_postgres"] {
        assert!(run[name].as_f64() > Some(0.0), "{name} is nothing in {run:#}");
    }
    assert_eq!([&run["lost"], &run["doubled"], &run["ledger_difference"]], [0, 0, 0]);
    Ok(())
}

#[test]
fn a_burst_and_letters_at_a_rate_are_told_beside_the_limit_and_what_is_not_sound_is_seen() -> Result<()> {
    let cache = TempDir::new()?;
    let (output, burst) = load(cache.path(), &["burst", "--letters", "60"])?;
    assert!(output.status.success());
    assert_told(&output, &burst, &burst, 60)?;

    let (output, steady) = load(cache.path(), &["steady", "--rate", "20", "--seconds", "3"])?;
    assert!(output.status.success());
    assert_told(&output, &steady, &steady, 60)?;

    // The stock now says that one of these letters was to be refused, and that there was one row more.
    let file = cache.path().join("p256-60/ready.json");
    let mut expected: Value = serde_json::from_slice(&fs::read(&file)?)?;
    expected["outcomes"] = serde_json::json!({ "accepted": 59, "quota": 1 });
    expected["rows"] = (expected["rows"].as_u64().context("no rows")? + 1).into();
    fs::write(&file, serde_json::to_vec(&expected)?)?;
    let (output, spoilt) = load(cache.path(), &["burst", "--letters", "60"])?;
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("not what was sent"), "{told}");
    assert_eq!([&spoilt["lost"], &spoilt["doubled"], &spoilt["ledger_difference"]], [2, 1, 100]);
    Ok(())
}

#[test]
fn bulk_letters_are_told_beside_the_limit() -> Result<()> {
    let cache = TempDir::new()?;
    let (output, bulk) = load(cache.path(), &["bulk", "--letters", "3", "--records", "200"])?;
    assert!(output.status.success());
    assert_told(&output, &bulk, &bulk["all"], 3)?;
    for name in ["one_p50_ms", "one_limit_ms", "one_share_of_limit", "records_per_second_one"] {
        assert!(bulk[name].as_f64() > Some(0.0), "{name} is nothing in {bulk:#}");
    }
    assert!(bulk["one_share_of_limit"].as_f64() < Some(1.0), "faster than its parts: {bulk:#}");
    Ok(())
}
