//! Every run that was measured, a line each: what was asked, of which commit, and every figure.
//!
//! Figures of one run say little on a shared machine; the file keeps all of them, so that a document can point to what it tells.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use chrono::{SecondsFormat, Utc};

use crate::figures::{Figures, Report, by_name};

/// Where the lines are kept.
pub const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/history.csv");

/// Adds a line for each run of a report.
///
/// # Errors
/// The file cannot be written, or has other columns: then it is to be moved aside.
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
    let asked = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let summary: Vec<String> = report.summary().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    for (name, run) in report.runs() {
        let head = [time.clone(), commit.clone(), asked.clone(), name, summary.join("; ")];
        lines.write_record(head.into_iter().chain(by_name(run).map(|(_, value)| value)))?;
    }
    Ok(lines.flush()?)
}

fn columns() -> impl Iterator<Item = &'static str> {
    let figures: Vec<&str> = by_name(&Figures::default()).map(|(name, _)| name).collect();
    ["time", "commit", "command", "run", "summary"].into_iter().chain(figures)
}

/// Names the commit that the program's sources are of, with a plus sign where they differ from it.
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
