//! `xmagency import` and `xmagency certify`: what the office reads of the centre.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use rusqlite::params;
use sdc::answer::notice::TableDefinition;
use sdc::examine::typed;
use sdc::request::{CERTIFIED_KEYS_MAX, Certified, Import, Request, Selection};
use serde_json::Value;

use super::ask::packed;
use crate::desk::Desk;
use crate::tables::Table;

/// Which records are read.
#[derive(Args, Debug)]
pub struct ImportArguments {
    /// Name of the table
    #[arg(value_name = "TABLE")]
    table: String,
    /// Only those that this condition selects, such as "NomEnfant LIKE 'MB%'"
    #[arg(long = "where", value_name = "CONDITION", conflicts_with = "changed")]
    condition: Option<String>,
    /// Only those that were written or changed since the last import of this table
    #[arg(long)]
    changed: bool,
    /// Only ask how many records that would be, and what they would cost; this is free
    #[arg(long)]
    estimate: bool,
}

/// Columns in their order, each with its name and its value for every paper.
type Columns = Vec<(String, Vec<Value>)>;

/// Which papers are certified.
#[derive(Args, Debug)]
pub struct CertifyArguments {
    /// Name of the table
    #[arg(value_name = "TABLE")]
    table: String,
    /// Legal keys as papers show them, the columns of each separated by slashes, such as C01/2026/118
    #[arg(value_name = "KEY", required_unless_present = "file")]
    keys: Vec<String>,
    /// A file of comma-separated values: the columns of the legal key, and what else the papers show
    #[arg(long, value_name = "FILE", conflicts_with = "keys")]
    file: Option<PathBuf>,
}

pub(super) fn import(desk: &Desk, arguments: ImportArguments) -> anyhow::Result<()> {
    desk.require_officer()?;
    let table = desk.database.table(&arguments.table)?;
    let TableDefinition { application, table: name, .. } = table.definition;
    let estimate = arguments.estimate;
    let import = match arguments.condition {
        Some(condition) => {
            let select = format!("SELECT * FROM \"{application}\".\"{name}\" WHERE {condition}");
            Import::Select { select, estimate }
        }
        None => {
            let statement = "SELECT position FROM positions WHERE application = ?1 AND table_name = ?2";
            let known: Option<String> = desk.database.find(statement, params![application, name], |row| row.get(0))?;
            let position = known.filter(|_| arguments.changed).map(|text| text.parse());
            let changed_since =
                position.transpose().context("the position of the last import is damaged: import without --changed")?;
            Import::Table { selection: Selection { application, table: name, changed_since }, estimate }
        }
    };
    packed(desk, Request::Import(import))
}

pub(super) fn certify(desk: &Desk, arguments: &CertifyArguments) -> anyhow::Result<()> {
    let table = desk.database.table(&arguments.table)?;
    let key = table.definition.legal_key.clone();
    if let Some(file) = &arguments.file {
        let (headings, rows) = rows_of(file)?;
        return certified(desk, &table, &headings, &rows);
    }
    let split = |text: &String| text.split('/').map(str::to_owned).collect();
    let rows: Vec<Vec<String>> = arguments.keys.iter().map(split).collect();
    if let Some(wrong) = rows.iter().find(|row| row.len() != key.len()) {
        bail!("the key {:?} is not valid: expected {}", wrong.join("/"), key.join("/"));
    }
    certified(desk, &table, &key, &rows)
}

/// Reads a file of comma-separated values: the names in its first line, and the further lines.
fn rows_of(file: &Path) -> anyhow::Result<(Vec<String>, Vec<Vec<String>>)> {
    let mut reader = csv::Reader::from_path(file).with_context(|| format!("could not read {}", file.display()))?;
    let headings = reader.headers()?.iter().map(|name| name.trim().to_owned()).collect();
    let mut rows = Vec::new();
    for row in reader.records() {
        rows.push(row?.iter().map(str::to_owned).collect());
    }
    Ok((headings, rows))
}

fn certified(desk: &Desk, table: &Table, headings: &[String], rows: &[Vec<String>]) -> anyhow::Result<()> {
    if rows.is_empty() || rows.len() > CERTIFIED_KEYS_MAX {
        bail!("found {} papers, expected 1 to {CERTIFIED_KEYS_MAX} in a letter", rows.len());
    }
    let (mut of_key, mut others) = (Columns::new(), Columns::new());
    for (at, heading) in headings.iter().enumerate() {
        let column =
            table.column(heading).with_context(|| format!("{heading:?} is no column of {}", table.full_name()))?;
        let read = |row: &Vec<String>| {
            let text = row.get(at).map(String::as_str).unwrap_or_default();
            typed(column, text)
                .map_err(|broken| anyhow::anyhow!("in column {}, expected {}", column.name, broken.expected))
        };
        let values = rows.iter().map(read).collect::<anyhow::Result<Vec<Value>>>()?;
        let group = if table.is_of_legal_key(&column.name) { &mut of_key } else { &mut others };
        group.push((column.name.clone(), values));
    }
    let (key, keys) = of_key.into_iter().unzip();
    let (columns, values) = others.into_iter().unzip();
    let (application, name) = (table.definition.application.clone(), table.definition.table.clone());
    packed(desk, Request::Certify(Certified { application, table: name, key, keys, columns, values }))
}
