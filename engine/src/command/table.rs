//! `xmserver table`: tables that agencies may write to.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use sdc::printable::steers;
use serde_json::{Value, json};
use store::error::AdministrationError;
use store::tables::load::{self, LoadFile};
use store::tables::loaded::Loaded;
use store::tables::{self, ColumnShown, Mistake, Outcome, Problem, Shown, TablesFile};

use super::desk::Desk;
use super::plan;
use crate::show::{self, Labels, Table};
use crate::speech::{self, said};
use crate::{words_of_errors, words_of_problems};

/// Labels of the lines that `table show` prints.
const LABELS: [&str; 7] = [
    "heading-legal-key",
    "heading-scope",
    "heading-corrections",
    "heading-plan",
    "heading-check",
    "heading-trigger",
    "heading-differs",
];

/// What to do with tables.
#[derive(Subcommand, Debug)]
pub enum TableCommand {
    /// Adopt the tables of a definition file, all or none; again after ALTER TABLE
    Adopt {
        /// TOML or JSON; - for standard input
        file: PathBuf,
    },
    /// List adopted tables
    List,
    /// Show a table: columns, types, scope, legal key, checks, rights and triggers
    Show {
        /// The application, or application and table as ecr.ActeNaissance
        application: String,
        /// The table, in any case
        table: Option<String>,
    },
    /// Give up a table that was dropped from the database: its registration ends, its history stays
    Abandon {
        /// Such as ecr.ActeNaissance
        table: String,
    },
    /// Compare adopted tables with their definitions; exit code 1 where they differ
    Check,
    /// Load reference data from a CSV file: asks for it, and another person confirms it with the same file
    Load {
        /// Such as ecr.ActeNaissance
        table: String,
        /// CSV: its first line names the columns
        file: PathBuf,
        /// Tell what it would do, and do nothing
        #[arg(long, conflicts_with = "approval")]
        dry_run: bool,
        /// Confirm what another person asked under this number
        #[arg(long)]
        approval: Option<i64>,
    },
}

pub(super) async fn run(desk: &mut Desk, command: TableCommand) -> anyhow::Result<ExitCode> {
    match command {
        TableCommand::Adopt { file } => {
            let file = read(&file)?;
            let operator = desk.operator.clone();
            let adoptions = tables::adopt(desk.connection(), &operator, &file).await?;
            report(&adoptions, desk.json)?;
        }
        TableCommand::List => list(desk).await?,
        TableCommand::Show { application, table } => {
            let full_name = table.map_or_else(|| application.clone(), |table| format!("{application}.{table}"));
            let shown = tables::show(desk.connection(), &full_name).await?;
            if desk.json { tell_programs(&shown)? } else { tell(&shown)? }
        }
        TableCommand::Abandon { table } => {
            let operator = desk.operator.clone();
            let abandoned = tables::abandon(desk.connection(), &operator, &table).await?;
            if desk.json {
                show::json(&abandoned)?;
            } else {
                let name = abandoned.full_name();
                show::text(&format!("{}\n", said!("table-given-up", table = name)))?;
            }
        }
        TableCommand::Check => return check(desk).await,
        TableCommand::Load { table, file, dry_run, approval } => {
            let octets = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            load(desk, &table, &LoadFile::parse(&octets)?, dry_run, approval).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn load(
    desk: &mut Desk,
    table: &str,
    file: &LoadFile,
    dry_run: bool,
    approval: Option<i64>,
) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    let (loaded, is_done) = match approval {
        Some(id) => (load::confirm(desk.connection(), &operator, id, file).await?, true),
        None if dry_run => (load::dry_run(desk.connection(), &operator, table, file).await?, false),
        None => {
            let act = load::act(desk.connection(), &operator, table, file).await?;
            return Err(AdministrationError::ApprovalNeeded(Box::new(act)).into());
        }
    };
    let Loaded { new, changed, same, beside } = loaded;
    let words = if is_done {
        said!("table-loaded", table = table, new = new, changed = changed, same = same, beside = beside)
    } else {
        said!("table-would-load", table = table, new = new, changed = changed, same = same, beside = beside)
    };
    let told = json!({ "table": table, "sha256": file.digest(), "done": is_done, "new": new, "changed": changed, "same": same,
                       "beside": beside });
    desk.tell_line(&told, &words)
}

/// Reads a definition file, or standard input for `-`. Mistakes are described like those in the configuration: file, line, key, expected,
/// found.
fn read(file: &Path) -> anyhow::Result<TablesFile> {
    let (name, text) = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        ("standard input".to_owned(), text)
    } else {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
        (name, text)
    };
    let parsed = TablesFile::parse(&text).map_err(|error| match error {
        AdministrationError::DefinitionFile(mistake) => {
            AdministrationError::DefinitionFile(Mistake { file: Some(name), ..mistake })
        }
        error => error,
    });
    Ok(parsed?)
}

/// Prints what the adoption of tables did, table by table.
pub(super) fn report(adoptions: &[tables::Adoption], json: bool) -> anyhow::Result<()> {
    if json {
        return show::json(&adoptions);
    }
    let line = |adoption: &tables::Adoption| {
        let (table, version) = (&adoption.table, adoption.version.to_string());
        let outcome = match adoption.outcome {
            Outcome::Adopted => said!("table-adopted", table = table, version = version),
            Outcome::NewVersion => said!("table-new-version", table = table, version = version),
            Outcome::Changed => said!("table-changed", table = table, version = version),
            Outcome::Unchanged => said!("table-unchanged", table = table, version = version),
        };
        let warning = |warning: &str| said!("table-warning", warning = speech::sentences(warning));
        let mut lines = format!("{outcome}\n");
        lines.extend(
            adoption
                .changes
                .iter()
                .map(|change| format!("  {}\n", speech::sentences(&words_of_errors::change(change)))),
        );
        lines.extend(adoption.warnings.iter().map(|one| format!("  {}\n", warning(&words_of_errors::warning(one)))));
        lines
    };
    show::text(&adoptions.iter().map(line).collect::<String>())
}

async fn list(desk: &mut Desk) -> anyhow::Result<()> {
    let adopted = tables::list(desk.connection()).await?;
    if desk.json {
        return show::json(&adopted);
    }
    let mut table = Table::new(&["table", "relation", "version", "scope", "legal key", "corrections"]);
    for one in adopted {
        table.row([
            format!("{}.{}", one.application, one.name),
            format!("{}.{}", one.schema_name, one.relation_name),
            one.version.to_string(),
            show::or_dash(one.scope_column),
            one.legal_key.join(", "),
            one.corrections,
        ]);
    }
    table.print(&said!("table-none"))
}

/// Prints a table as JSON. The differences between the table and its definition (its drift) are given in the sentences that people are
/// shown.
fn tell_programs(shown: &Shown) -> anyhow::Result<()> {
    let mut all = json!(shown);
    if let Value::Object(members) = &mut all {
        members.insert("drift".to_owned(), json!(in_words(&shown.drift)));
    }
    show::json(&all)
}

fn in_words(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(words_of_problems::sentence).collect()
}

fn tell(shown: &Shown) -> anyhow::Result<()> {
    let table = &shown.table;
    let role = |column: &ColumnShown| {
        let roles = [
            (column.is_needed, said!("table-needed")),
            (column.is_legal_key, said!("table-legal-key")),
            (column.is_scope, said!("table-scope")),
            (column.column.multiline, said!("table-several-lines")),
            (column.column.has_default, said!("table-default")),
        ];
        roles.into_iter().filter(|(is_so, _)| *is_so).map(|(_, role)| role).collect::<Vec<_>>().join(", ")
    };
    let mut columns = Table::new(&["column", "type", "remarks"]);
    for column in &shown.columns {
        columns.row([column.column.name.clone(), column.sql_type.clone(), role(column)]);
    }
    let relation = format!("{}.{}", table.schema_name, table.relation_name);
    let version = table.version.to_string();
    let labels = Labels::new(&LABELS);
    let mut text =
        format!("{}\n", said!("table-shown", table = table.full_name(), version = version, relation = relation));
    let mut add = |label: &str, words: &str| text.push_str(&format!("{}\n", labels.line(label, 2, words)));
    add("heading-legal-key", &table.legal_key.join(", "));
    add("heading-scope", &show::or_dash(table.scope_column.clone()));
    add("heading-corrections", &table.corrections);
    for right in &shown.rights {
        let (plan, reads) = (&right.plan, plan::whose(&right.may_read));
        let (certifies, gives) = (plan::whose(&right.may_certify), plan::gives(&right.certify_gives));
        let words = if right.may_export {
            said!("table-may-send", plan = plan, reads = reads, certifies = certifies, gives = gives)
        } else {
            said!("table-may-not-send", plan = plan, reads = reads, certifies = certifies, gives = gives)
        };
        add("heading-plan", &words);
    }
    for check in &shown.checks_in_words {
        add("heading-check", &format!("{} ({}): {}", check.code, check.severity, check.arithmetic));
    }
    for trigger in &shown.triggers {
        add("heading-trigger", &format!("{}: {}", trigger.name, trigger.definition));
    }
    for problem in &shown.drift {
        add("heading-differs", &speech::sentences(&words_of_problems::sentence(problem)));
    }
    show::text(&(text.replace(|c: char| steers(c) && c != '\n', "\u{fffd}") + "\n"))?;
    columns.print(&said!("table-no-column"))
}

async fn check(desk: &mut Desk) -> anyhow::Result<ExitCode> {
    let drifts = tables::check(desk.connection()).await?;
    let differ = !drifts.is_empty();
    if desk.json {
        // JSON keeps the sentences as strings, because programs have read this form since the first release.
        let told = |drift: &tables::Drift| json!({ "table": drift.table, "problems": in_words(&drift.problems) });
        show::json(&drifts.iter().map(told).collect::<Vec<_>>())?;
    } else if differ {
        let line = |table: &str, problem: &str| {
            format!("{}\n", said!("table-problem", table = table, problem = speech::sentences(problem)))
        };
        let lines = drifts.iter().flat_map(|drift| {
            in_words(&drift.problems).into_iter().map(move |problem| line(&drift.table, &problem)).collect::<Vec<_>>()
        });
        show::text(&lines.collect::<String>())?;
    } else {
        show::text(&format!("{}\n", said!("table-all-as-adopted")))?;
    }
    Ok(if differ { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
