//! The history of measured runs: a CSV file with one line for each run, which has the command, the commit and every figure.
//!
//! On a machine that others use too, a single run may be slow by chance, so the file keeps all runs. docs/PERFORMANCE.md has a table of the
//! newest runs of each command; this module makes that table.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use chrono::{SecondsFormat, Utc};

use crate::figures::{Figures, Report, by_name};

/// The file of the history.
pub const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/history.csv");

/// Adds a line for each run of a report.
///
/// # Errors
/// The file cannot be written, or it has other columns than this program writes. The user must then move it aside.
pub fn keep(file: &Path, report: &impl Report) -> Result<()> {
    let is_new = std::fs::metadata(file).map_or(true, |metadata| metadata.len() == 0);
    let opened = OpenOptions::new().create(true).append(true).open(file);
    let mut lines = csv::Writer::from_writer(opened.with_context(|| format!("{}: the history", file.display()))?);
    if is_new {
        lines.write_record(columns())?;
    } else {
        let found = csv::Reader::from_path(file)?.headers()?.clone();
        anyhow::ensure!(
            found == columns().collect::<Vec<_>>(),
            "{}: its columns are not those of this program: move it aside",
            file.display()
        );
    }
    let time = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    let commit = commit();
    let asked = asked(std::env::args().skip(1)).join(" ");
    let summary: Vec<String> = report.summary().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    for (name, run) in report.runs() {
        let head = [time.clone(), commit.clone(), asked.clone(), name, summary.join("; ")];
        lines.write_record(head.into_iter().chain(by_name(run).map(|(_, value)| value)))?;
    }
    Ok(lines.flush()?)
}

/// Returns the command line without the options that only say where a run keeps its files, because these options do not change the run.
fn asked(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut asked: Vec<String> = Vec::new();
    let mut is_value_of_place = false;
    for argument in arguments {
        let is_value = std::mem::take(&mut is_value_of_place);
        let (name, value) =
            argument.split_once('=').map_or((argument.as_str(), None), |(name, value)| (name, Some(value)));
        if ["--json", "--history", "--cache"].contains(&name) {
            is_value_of_place = value.is_none();
        } else if !is_value {
            asked.push(argument);
        }
    }
    asked
}

/// The columns of the table in docs/PERFORMANCE.md: each heading, with the name of the column in the history file.
const SHOWN: [(&str, &str); 9] = [
    ("letters", "letters"),
    ("letters/s", "letters_per_second"),
    ("share of limit", "share_of_limit"),
    ("p50 ms", "p50_ms"),
    ("p99 ms", "p99_ms"),
    ("MB", "rss_mb_max"),
    ("lost", "lost"),
    ("doubled", "doubled"),
    ("ledger", "ledger_difference"),
];

/// Makes the table of the newest runs of each command, as Markdown for docs/PERFORMANCE.md.
///
/// # Errors
/// The file cannot be read, or has other columns.
pub fn table(file: &Path) -> Result<String> {
    let mut lines = csv::Reader::from_path(file).with_context(|| format!("{}: the history", file.display()))?;
    let headers = lines.headers()?.clone();
    let at = |name: &str| {
        let found = headers.iter().position(|header| header == name);
        found.with_context(|| format!("{}: it has no column {name}", file.display()))
    };
    let (time, commit, command, run, summary) =
        (at("time")?, at("commit")?, at("command")?, at("run")?, at("summary")?);
    let shown: Vec<usize> = SHOWN.iter().map(|(_, name)| at(name)).collect::<Result<_>>()?;
    let mut newest: BTreeMap<String, Vec<csv::StringRecord>> = BTreeMap::new();
    for line in lines.records() {
        let line = line?;
        let runs = newest.entry(line[command].to_owned()).or_default();
        if runs.first().is_some_and(|former| former[time] < line[time]) {
            runs.clear();
        }
        if runs.first().is_none_or(|former| former[time] == line[time]) {
            runs.push(line);
        }
    }
    let headings: Vec<&str> =
        ["`load …`", "run", "on, of"].into_iter().chain(SHOWN.map(|(heading, _)| heading)).collect();
    let mut table = format!("| {} |\n|{}\n", headings.join(" | "), "---|".repeat(headings.len()));
    for runs in newest.values() {
        for line in runs {
            let day = line[time].split('T').next().unwrap_or_default();
            let mut cells =
                vec![format!("`{}`", &line[command]), line[run].to_owned(), format!("{day}, {}", &line[commit])];
            cells.extend(shown.iter().map(|at| line[*at].to_owned()));
            table += &format!("| {} |\n", cells.join(" | "));
        }
        if let Some(told) = runs.first().map(|line| &line[summary]).filter(|told| !told.is_empty()) {
            table += &format!("| | | {told} |{}\n", " |".repeat(SHOWN.len()));
        }
    }
    Ok(table)
}

fn columns() -> impl Iterator<Item = &'static str> {
    let figures: Vec<&str> = by_name(&Figures::default()).map(|(name, _)| name).collect();
    ["time", "commit", "command", "run", "summary"].into_iter().chain(figures)
}

/// Returns the commit of the program's source tree, with a plus sign where the tree has uncommitted changes.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(["-C", env!("CARGO_MANIFEST_DIR")]).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else { return "unknown".to_owned() };
    let is_changed =
        git(&["status", "--porcelain", "--", "*.rs", "*.sql", "*.toml"]).is_none_or(|text| !text.is_empty());
    if is_changed { format!("{commit}+") } else { commit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_the_same_wherever_its_things_are_kept() {
        let line = "burst --letters 20000 --cache /tmp/x --json=y.json --key p256 --history z.csv --big-mails 3";
        let kept = asked(line.split(' ').map(str::to_owned)).join(" ");
        assert_eq!(kept, "burst --letters 20000 --key p256 --big-mails 3");
    }

    #[test]
    fn the_document_has_the_table_of_the_history() {
        const DOCUMENT: &str = include_str!("../../docs/PERFORMANCE.md");
        let (_, behind) = DOCUMENT.split_once("<!-- load table -->\n\n").unwrap();
        let (shown, _) = behind.split_once("\n<!-- end -->").unwrap();
        assert_eq!(shown, table(Path::new(FILE)).unwrap(), "write what `load table` prints into docs/PERFORMANCE.md");
    }

    #[test]
    fn the_newest_runs_of_a_command_are_shown_together() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut lines = csv::Writer::from_path(file.path()).unwrap();
        lines.write_record(columns()).unwrap();
        for (time, command, run) in
            [("2026-01-01T1", "mixed", "old"), ("2026-01-02T1", "mixed", "clean"), ("2026-01-02T1", "mixed", "bad")]
        {
            let head = [time, "abc", command, run, "times=2"].map(str::to_owned);
            let figures = Figures::default();
            lines.write_record(head.into_iter().chain(by_name(&figures).map(|(_, value)| value))).unwrap();
        }
        lines.flush().unwrap();
        let table = table(file.path()).unwrap();
        let runs: Vec<&str> = table.lines().skip(2).map(|line| line.split('|').nth(2).unwrap().trim()).collect();
        assert_eq!(runs, ["clean", "bad", ""]);
        assert!(table.ends_with("| | | times=2 | | | | | | | | | |\n"), "{table}");
    }
}
