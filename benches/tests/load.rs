//! Tests of the program `load` as users run it, with few letters. Every figure must be reported together with the machine's limit, and a
//! run whose results differ from its letters must be reported as wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

/// The figures in the JSON of a run that scripts may rely on.
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

/// The output of one run of `load`.
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

/// Expects that `load` succeeded, and that every figure of the run is in its JSON and in the table.
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

/// Expects that `load` succeeded, and that these figures of the whole subcommand are in its JSON and in the table.
fn assert_summary(told: &Told, names: &[&str]) {
    assert!(told.succeeded, "{}", told.errors);
    for name in names {
        assert!(told.json[name].as_f64() > Some(0.0), "{name} is missing in {:#}", told.json);
        let is_line = |line: &str| line.split_whitespace().next() == Some(name);
        assert!(told.table.lines().any(is_line), "{name} is missing in\n{}", told.table);
    }
}

/// Runs the subcommands whose agencies ask for records. They check every answer, and count one that is missing or wrong as `lost`.
fn reading(cache: &Path) -> Result<()> {
    let certify = load(cache, &["certify", "--letters", "3", "--rows", "2000"])?;
    assert_summary(&certify, &["answered_p50_ms", "answered_ms_max", "committed_ms_max", "processor_ms"]);
    assert_eq!([&certify.json["figures"]["letters"], &certify.json["figures"]["lost"]], [3, 0]);

    let import = load(cache, &["import", "--letters", "2", "--rows", "3000", "--table", "votes"])?;
    let rates = ["rows_per_core_second", "rows_per_second", "rows_per_second_sent", "parts", "bytes_per_row"];
    assert_summary(&import, &rates);
    assert_eq!([&import.json["figures"]["letters"], &import.json["figures"]["lost"]], [2, 0]);

    let beside = ["beside", "--letters", "60", "--rate", "20", "--seconds", "3", "--imports", "2", "--rows", "20000"];
    let beside = load(cache, &beside)?;
    assert_summary(&beside, &["share_kept", "share_of_quiet", "steady_p99_ms"]);
    // The threads that read give way to all other work on the machine. So a run as short as this may end before an import has staged a
    // part, and these figures may be 0. Only the long run checks their values.
    for figure in ["share_of_imports", "steady_staged_bytes"] {
        assert!(beside.json[figure].is_number(), "{figure}: {:#}", beside.json);
    }
    for run in ["quiet", "beside"].map(|runs| &beside.json[runs][1]) {
        assert_eq!([&run["letters"], &run["lost"], &run["doubled"], &run["ledger_difference"]], [60, 0, 0, 0]);
    }

    let stations = load(cache, &["stations", "--stations", "500"])?;
    assert_summary(&stations, &["stations", "asked_seconds", "confirmed_seconds", "seconds", "again_seconds"]);
    Ok(())
}

/// Pushes letters in both ways. Every sender must be told that its letter is settled.
fn pushing(cache: &Path) -> Result<()> {
    let lmtp = ["push", "--by", "lmtp", "--letters", "60", "--connections", "20", "--beside-burst"];
    let lmtp = load(cache, &lmtp)?;
    assert_told(&lmtp, &lmtp.json["push"], 60);
    assert_summary(&lmtp, &["share_of_burst", "max_ms", "sender_us", "engine_us", "postgres_us"]);
    assert_eq!(lmtp.json["replies"], serde_json::json!({ "250": 60 }));
    assert_eq!(lmtp.json["bursts"].as_array().map(Vec::len), Some(2));

    let https = load(cache, &["push", "--by", "https", "--letters", "60", "--connections", "20"])?;
    assert_told(&https, &https.json["push"], 60);
    assert_eq!(https.json["replies"], serde_json::json!({ "200": 60 }));
    assert_eq!([&https.json["receipts_read"], &https.json["receipts_opened"]], [60, 16]);
    assert!(https.json["share_of_burst"].is_null(), "no burst was asked for: {:#}", https.json);
    Ok(())
}

/// All subcommands run in one test, one after another. Each starts an engine, a PostgreSQL and a Dovecot, and tests of their own would run
/// at the same time and slow each other down.
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

    // Mails of strangers are not in the journal one by one; they must be counted neither as lost nor as doubled. The limit must be
    // measured, after the last burst.
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

    pushing(cache.path())?;

    // The history must have one line with the column names, and then one for each run of the subcommands above: the sum lists them in
    // order.
    let history = fs::read_to_string(cache.path().join("history.csv"))?;
    assert_eq!(history.lines().count(), 1 + 1 + 1 + 2 + 2 + 5 + 3 + 1, "{history}");
    assert!(history.starts_with("time,commit,command,run,summary,letters,seconds,"), "{history}");

    reading(cache.path())?;

    // The test changes the results that the stock expects: one letter counts as refused, and there is one row more. The run must then be
    // reported as wrong.
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
