//! `load` as its users run it, with few letters: every figure is there, beside a limit, and a run that is not sound is reported.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

/// Names of the figures that scripts may count on.
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

/// What a run of `load` wrote.
struct Told {
    succeeded: bool,
    table: String,
    errors: String,
    json: Value,
}

fn load(cache: &Path, arguments: &[&str]) -> Result<Told> {
    let folder = TempDir::new()?;
    let json = folder.path().join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_load"))
        .args(arguments)
        .arg("--cache")
        .arg(cache)
        .arg("--json")
        .arg(&json)
        .arg("--history")
        .arg(cache.join("history.csv"))
        .output()?;
    let errors = String::from_utf8(output.stderr)?;
    let json = fs::read(json).with_context(|| format!("load {arguments:?} wrote no figures:\n{errors}"))?;
    let json: Value = serde_json::from_slice(&json)?;
    let printed = String::from_utf8(output.stdout)?;
    let at = printed.find('{').context("no JSON after the table")?;
    let (table, after) = printed.split_at(at);
    assert_eq!(serde_json::from_str::<Value>(after)?, json);
    Ok(Told { succeeded: output.status.success(), table: table.to_owned(), errors, json })
}

/// Expects success, and every figure of a run in its JSON and in the table.
fn assert_told(told: &Told, run: &Value, letters: u64) {
    assert!(told.succeeded, "{}", told.errors);
    for name in FIGURES {
        assert!(run[name].is_number(), "{name} is missing in {run:#}");
        let is_line = |line: &str| line.split_whitespace().next() == Some(name);
        assert!(told.table.lines().any(is_line), "{name} is missing in\n{}", told.table);
    }
    assert_eq!([&run["letters"], &run["receipts_sent"]], [letters, letters]);
    for name in ["letters_per_second", "share_of_limit", "p50_ms", "cpu_seconds_engine", "cpu_seconds_postgres"] {
        assert!(run[name].as_f64() > Some(0.0), "{name} is nothing in {run:#}");
    }
    assert_eq!([&run["lost"], &run["doubled"], &run["ledger_difference"]], [0, 0, 0]);
}

/// All subcommands are in one test, one after another: each starts an engine, a PostgreSQL and a Dovecot of its own.
#[test]
fn every_figure_is_told_beside_the_limit_and_what_is_not_sound_is_seen() -> Result<()> {
    let cache = TempDir::new()?;
    let burst = load(cache.path(), &["burst", "--letters", "60"])?;
    assert_told(&burst, &burst.json, 60);

    let steady = load(cache.path(), &["steady", "--rate", "20", "--seconds", "3"])?;
    assert_told(&steady, &steady.json, 60);

    let bulk = load(cache.path(), &["bulk", "--letters", "3", "--records", "200"])?;
    assert_told(&bulk, &bulk.json["one"], 3);
    assert_told(&bulk, &bulk.json["all"], 3);

    // Mails of strangers are neither lost nor doubled, and the last burst of all has a limit.
    let strangers = load(cache.path(), &["strangers", "--letters", "60", "--claim", "known", "--once"])?;
    assert_told(&strangers, &strangers.json["easy"][0], 60);
    assert_eq!(strangers.json["hard"][0]["strangers"], 300);

    let hostile = ["hostile", "--letters", "60", "--rate", "20", "--seconds", "3", "--of-each-kind", "1"];
    let hostile = load(cache.path(), &hostile)?;
    assert_told(&hostile, &hostile.json["quiet"][1], 60);
    assert!(hostile.json["behind_strangers"]["strangers"].as_u64() > Some(10), "{:#}", hostile.json);
    assert_eq!([&hostile.json["behind_agencies"]["hostile"], &hostile.json["beside_agencies"]["hostile"]], [3, 3]);
    for name in ["times_behind_strangers", "times_behind_agencies", "neighbour_wait_ms_max", "rss_mb_max"] {
        assert!(hostile.json[name].as_f64() > Some(0.0), "{name} is missing in {:#}", hostile.json);
    }

    // Each run so far has a line of its own, under the same heads.
    let history = fs::read_to_string(cache.path().join("history.csv"))?;
    assert_eq!(history.lines().count(), 1 + 1 + 1 + 2 + 2 + 5, "{history}");
    assert!(history.starts_with("time,commit,command,run,summary,letters,seconds,"), "{history}");

    // The stock is changed to expect that one of these letters was refused, and that there was one row more.
    let file = cache.path().join("p256-60/ready.json");
    let mut expected: Value = serde_json::from_slice(&fs::read(&file)?)?;
    expected["outcomes"] = serde_json::json!({ "accepted": 59, "quota": 1 });
    expected["rows"] = (expected["rows"].as_u64().context("no rows")? + 1).into();
    fs::write(&file, serde_json::to_vec(&expected)?)?;
    let spoilt = load(cache.path(), &["burst", "--letters", "60"])?;
    assert!(!spoilt.succeeded);
    assert!(spoilt.errors.contains("not what was sent"), "{}", spoilt.errors);
    assert_eq!([&spoilt.json["lost"], &spoilt.json["doubled"], &spoilt.json["ledger_difference"]], [2, 1, 100]);
    Ok(())
}
