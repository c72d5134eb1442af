//! `xmserver agency import` and `export`: agencies in a CSV file, and back.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use store::agencies;
use store::agencies::import::{self, ImportFile, RowOutcome, RowReport};
use store::people::Operation;

use super::agency_list::Which;
use super::desk::Desk;
use crate::speech::{self, said};
use crate::{show, words_of_errors};

/// Largest file that is read, in bytes: a hundred thousand agencies with three certificates each take about 200 MB.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// What to import.
#[derive(Args, Debug)]
pub struct ImportArguments {
    /// CSV in UTF-8 or Windows-1252, with commas or semicolons: its first line names the columns, as `agency export` writes them
    file: PathBuf,
    /// Tell row by row what it would do, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// How many rows came to which end.
#[derive(Default)]
struct Totals {
    added: usize,
    changed: usize,
    same: usize,
    refused: usize,
}

impl Totals {
    fn count(&mut self, outcome: RowOutcome) {
        let total = match outcome {
            RowOutcome::Added => &mut self.added,
            RowOutcome::Changed => &mut self.changed,
            RowOutcome::Same => &mut self.same,
            RowOutcome::Refused => &mut self.refused,
        };
        *total += 1;
    }
}

/// Imports a file. Exit code 1 says that rows were left out.
pub(super) async fn import(desk: &mut Desk, arguments: ImportArguments) -> anyhow::Result<ExitCode> {
    let ImportArguments { file, dry_run } = arguments;
    let file = ImportFile::parse(&read(&file)?, desk.server.currency_digits)?;
    let operator = desk.operator.clone();
    // The privilege is required before the centre's addresses are recorded.
    operator.require(desk.connection(), Operation::AgencyImport).await?;
    desk.record_own_addresses().await?;
    let (json, clock) = (desk.json, desk.clock);
    let rows = u64::try_from(file.rows())?;
    let bar = if json || dry_run { ProgressBar::hidden() } else { ProgressBar::new(rows) };
    let mut totals = Totals::default();
    if json {
        show::text(&format!("{{\n\"encoding\": {},\n\"rows\": [", json!(file.encoding())))?;
    }
    let tell = |report: RowReport| {
        let is_first = totals.added + totals.changed + totals.same + totals.refused == 0;
        totals.count(report.outcome);
        bar.inc(1);
        if json {
            return show::text(&format!("{}{}", if is_first { "\n" } else { ",\n" }, for_programs(&report)));
        }
        if !dry_run && report.outcome != RowOutcome::Refused {
            return Ok(());
        }
        let problem = |error: &_| words_of_errors::sentence(error, |time| clock.time(time));
        bar.suspend(|| show::text(&format!("{}\n", for_people(&report, problem))))
    };
    if dry_run {
        import::dry_run(desk.connection(), &operator, &file, tell).await?;
    } else {
        import::run(desk.connection(), &operator, &file, &said!("import-opening"), tell).await?;
    }
    bar.finish_and_clear();
    let Totals { added, changed, same, refused } = totals;
    if json {
        let members = json!({ "done": !dry_run, "added": added, "changed": changed, "same": same, "refused": refused });
        let members = members.to_string();
        show::text(&format!("\n],\n{}\n", members.trim_start_matches('{')))?;
    } else {
        let encoding = file.encoding().name();
        let words = if dry_run {
            said!("import-would", encoding = encoding, added = added, changed = changed, same = same, refused = refused)
        } else {
            said!("import-done", encoding = encoding, added = added, changed = changed, same = same, refused = refused)
        };
        show::text(&format!("{words}\n"))?;
    }
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", path.display());
    let bytes = std::fs::metadata(path).with_context(cannot)?.len();
    if bytes > FILE_BYTES_MAX {
        bail!("{} has {bytes} bytes: expected at most {FILE_BYTES_MAX}; import it in parts", path.display());
    }
    std::fs::read(path).with_context(cannot)
}

fn for_programs(report: &RowReport) -> Value {
    let problem = report.problem.as_ref().map(|problem| {
        let message = words_of_errors::in_utc(problem);
        json!({ "code": problem.code(), "parameters": problem.parameters(), "message": message })
    });
    json!({ "line": report.line, "agency": report.agency, "outcome": report.outcome, "changes": report.changes,
            "problem": problem, "keeps_balance": report.keeps_balance })
}

/// Returns one line about a row: what becomes of it, or why it is left out.
fn for_people(report: &RowReport, problem: impl Fn(&store::error::AdministrationError) -> String) -> String {
    let (line, agency) = (report.line.to_string(), show::or_dash(report.agency));
    let heading = |column: &&str| match *column {
        "cbc" => speech::heading("CBC allowed"),
        "scope" => speech::heading("scopes"),
        other => speech::heading(&other.replace('_', " ")),
    };
    let columns = report.changes.iter().map(heading).collect::<Vec<_>>().join(", ");
    let words = match (&report.problem, report.outcome) {
        (Some(error), _) => {
            let reason = speech::sentences(&problem(error)).replace('\n', " ");
            said!("import-refused", line = line, agency = agency, reason = reason)
        }
        (None, RowOutcome::Added) => said!("import-added", line = line, agency = agency),
        (None, RowOutcome::Changed) => said!("import-changed", line = line, agency = agency, columns = columns),
        (None, _) => said!("import-same", line = line, agency = agency),
    };
    let words = show::plain(&words);
    if report.keeps_balance { said!("import-balance-kept", sentence = words) } else { words }
}

/// Writes agencies as CSV to standard output.
pub(super) async fn export(desk: &mut Desk, which: Which) -> anyhow::Result<()> {
    let filter = which.filter(desk).await?;
    let server = desk.server.clone();
    let amount = |minor_units| show::bare_amount(minor_units, &server);
    agencies::export(desk.connection(), &filter, amount, show::part).await
}
