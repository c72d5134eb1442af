//! `xmserver table`: tables that agencies may write to.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use store::administration::tables::{self, Outcome, TablesFile};

use super::Desk;
use crate::show::{self, Table};

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
    /// Compare adopted tables with their definitions; exit code 1 where they differ
    Check,
}

pub(super) async fn run(desk: &mut Desk, command: TableCommand) -> anyhow::Result<ExitCode> {
    match command {
        TableCommand::Adopt { file } => {
            let text = if file.as_os_str() == "-" {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
                text
            } else {
                std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?
            };
            let file = TablesFile::parse(&text)?;
            let operator = desk.operator.clone();
            let adoptions = tables::adopt(desk.connection(), &operator, &file).await?;
            report(&adoptions, desk.json)?;
        }
        TableCommand::List => list(desk).await?,
        TableCommand::Check => return check(desk).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells what adoption did, table by table.
pub(super) fn report(adoptions: &[tables::Adoption], json: bool) -> anyhow::Result<()> {
    if json {
        return show::json(&adoptions);
    }
    let line = |adoption: &tables::Adoption| {
        let outcome = match adoption.outcome {
            Outcome::Adopted => "adopted",
            Outcome::NewVersion => "has a new version",
            Outcome::Changed => "changed",
            Outcome::Unchanged => "is as it was",
        };
        format!("table {} {outcome}, version {}\n", adoption.table, adoption.version)
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
    table.print("no table is adopted: `xmserver table adopt FILE`, or `xmserver sample restore ecr`")
}

async fn check(desk: &mut Desk) -> anyhow::Result<ExitCode> {
    let drifts = tables::check(desk.connection()).await?;
    let differ = !drifts.is_empty();
    if desk.json {
        show::json(&drifts)?;
    } else if differ {
        let lines = drifts
            .iter()
            .flat_map(|drift| drift.problems.iter().map(move |problem| format!("table {}: {problem}\n", drift.table)));
        show::text(&lines.collect::<String>())?;
    } else {
        show::text("all adopted tables are as they were adopted\n")?;
    }
    Ok(if differ { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
