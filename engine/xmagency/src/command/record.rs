//! `xmagency record`: records of the office.

use std::io::{BufRead, Write};
use std::path::PathBuf;

use anyhow::bail;
use clap::Subcommand;
use face::show::Table as Listed;
use face::{said, show, speech};
use serde_json::{Map, Value, json};

use super::sign_in::is_terminal;
use crate::desk::{Desk, now};
use crate::records::{By, Fault, Filter, Record, Status, examine, fill_identifiers, load, read_pairs, written};
use crate::tables::Table;

/// Most records that a list shows.
const LISTED_MAX: u32 = 100;
/// Most records that a file gets.
const WRITTEN_MAX: u32 = u32::MAX;

/// What to do with records.
#[derive(Subcommand, Debug)]
pub enum RecordCommand {
    /// Write a new record; at a terminal, without values, the program asks for each column
    Add {
        /// Name of the table
        #[arg(value_name = "TABLE")]
        table: String,
        /// Values, each as COLUMN=VALUE
        #[arg(value_name = "COLUMN=VALUE", value_parser = read_pair)]
        values: Vec<(String, String)>,
    },
    /// Change a new record
    Edit {
        /// Number of the record
        #[arg(value_name = "NUMBER")]
        numero: i64,
        /// Values, each as COLUMN=VALUE; an empty value takes the former one away
        #[arg(value_name = "COLUMN=VALUE", value_parser = read_pair, required = true)]
        values: Vec<(String, String)>,
    },
    /// Show a record: its columns, its status, and why the centre refused it
    Show {
        /// Number of the record
        #[arg(value_name = "NUMBER")]
        numero: i64,
    },
    /// List records, newest first
    List {
        /// Only those of this table
        #[arg(long, value_name = "TABLE")]
        table: Option<String>,
        /// Only those with this status
        #[arg(long, value_name = "STATUS")]
        status: Option<Status>,
    },
    /// List records with a text in one of their columns, newest first
    Search {
        /// The text; capital and small letters are the same
        #[arg(value_name = "TEXT")]
        text: String,
    },
    /// Validate new records: the officer has read them, and they are locked
    Validate {
        /// Numbers of the records
        #[arg(value_name = "NUMBER", required = true)]
        numeros: Vec<i64>,
    },
    /// Make validated records new again, so that they can be changed
    Reopen {
        /// Numbers of the records
        #[arg(value_name = "NUMBER", required = true)]
        numeros: Vec<i64>,
    },
    /// Give up a record that the centre does not have
    Cancel {
        /// Number of the record
        #[arg(value_name = "NUMBER")]
        numero: i64,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Add records from a file of comma-separated values, all or none; its first line names the columns
    Load {
        /// Name of the table
        #[arg(value_name = "TABLE")]
        table: String,
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Only say what would be added, and what is faulty
        #[arg(long)]
        dry_run: bool,
    },
    /// Write the records of a table to a file of comma-separated values
    Save {
        /// Name of the table
        #[arg(value_name = "TABLE")]
        table: String,
        /// The file; it must not be there yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(super) fn read_pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(column, _)| !column.trim().is_empty());
    let pair = pair.map(|(column, value)| (sdc::names::composed(column.trim()), value.to_owned()));
    pair.ok_or_else(|| format!("expected COLUMN=VALUE, found {text:?}"))
}

pub(super) fn run(desk: &Desk, command: RecordCommand) -> anyhow::Result<()> {
    let database = &desk.database;
    match command {
        RecordCommand::Add { table, values } => add(desk, &database.table(&table)?, values),
        RecordCommand::Edit { numero, values } => edit(desk, &database.record(numero)?, values),
        RecordCommand::Show { numero } => one(desk, &database.record(numero)?),
        RecordCommand::List { table, status } => {
            let table = table.map(|name| database.table(&name)).transpose()?;
            let table = table.map(|table| (table.definition.application, table.definition.table));
            list(desk, &Filter { table, status, text: None })
        }
        RecordCommand::Search { text } => list(desk, &Filter { text: Some(text), ..Filter::default() }),
        RecordCommand::Validate { numeros } => validate(desk, &numeros),
        RecordCommand::Reopen { numeros } => reopen(desk, &numeros),
        RecordCommand::Cancel { numero, reason } => {
            let transaction = database.begin()?;
            let at = now();
            database.cancel_record(&database.record(numero)?, &reason, by(desk, &at))?;
            transaction.commit()?;
            desk.tell(
                &json!({ "numero": numero, "status": 0 }),
                &said!("office-record-cancelled", record = numero.to_string()),
            )
        }
        RecordCommand::Load { table, file, dry_run } => from_file(desk, &database.table(&table)?, &file, dry_run),
        RecordCommand::Save { table, file } => to_file(desk, &database.table(&table)?, &file),
    }
}

fn by<'a>(desk: &'a Desk, at: &'a str) -> By<'a> {
    By { name: &desk.person.name, at }
}

fn add(desk: &Desk, table: &Table, values: Vec<(String, String)>) -> anyhow::Result<()> {
    let mut columns = Map::new();
    if values.is_empty() && is_terminal() && !desk.json {
        ask(table, &mut columns)?;
    } else {
        read_pairs(table, values, &mut columns).map_err(|faults| faulty(&faults))?;
    }
    fill_identifiers(table, &mut columns);
    let at = now();
    let numero = desk.database.add_record(table, &columns, by(desk, &at))?;
    let faults = examine(table, &columns);
    let mut words = said!("office-record-added", record = numero.to_string(), table = table.full_name());
    if !faults.is_empty() {
        words.push_str(&format!("\n{}\n{}", said!("office-record-lacks"), lines(&faults)));
    }
    desk.tell(&json!({ "numero": numero, "faults": faults }), &words)
}

/// Asks at the terminal for each column, one after the other, until each has a value that the centre would take.
fn ask(table: &Table, columns: &mut Map<String, Value>) -> anyhow::Result<()> {
    let mut out = std::io::stderr().lock();
    let mut input = std::io::stdin().lock();
    for column in table.columns.iter().filter(|column| column.kind.in_sql() != "uuid") {
        loop {
            let needed = if column.is_needed() { said!("office-ask-needed") } else { said!("office-ask-may-be-empty") };
            write!(out, "{} ({}, {needed}): ", column.name, column.kind.in_sql())?;
            out.flush()?;
            let mut line = String::new();
            if input.read_line(&mut line)? == 0 {
                bail!("the input ended: nothing was added");
            }
            let typed = line.trim_end_matches(['\r', '\n']).to_owned();
            if typed.is_empty() && column.is_needed() {
                continue;
            }
            match read_pairs(table, [(column.name.clone(), typed)], columns) {
                Ok(()) => break,
                Err(faults) => writeln!(out, "{}", lines(&faults))?,
            }
        }
    }
    Ok(())
}

fn edit(desk: &Desk, record: &Record, values: Vec<(String, String)>) -> anyhow::Result<()> {
    let database = &desk.database;
    let table = database.table(&format!("{}.{}", record.application, record.table))?;
    let mut columns = record.columns.clone();
    read_pairs(&table, values, &mut columns).map_err(|faults| faulty(&faults))?;
    let transaction = database.begin()?;
    let at = now();
    database.edit_record(&table, record, &columns, by(desk, &at))?;
    transaction.commit()?;
    desk.tell(&json!({ "numero": record.numero }), &said!("office-record-edited", record = record.numero.to_string()))
}

fn validate(desk: &Desk, numeros: &[i64]) -> anyhow::Result<()> {
    desk.require_officer()?;
    let database = &desk.database;
    let (transaction, at) = (database.begin()?, now());
    for numero in numeros {
        let record = database.record(*numero)?;
        let table = database.table(&format!("{}.{}", record.application, record.table))?;
        let faults = examine(&table, &record.columns);
        if !faults.is_empty() {
            let sentence = said!("office-record-not-ready", record = numero.to_string());
            bail!("{sentence}\n{}", lines(&faults));
        }
        database.validate_record(&record, by(desk, &at))?;
    }
    transaction.commit()?;
    desk.tell(&json!({ "validated": numeros }), &said!("office-records-validated", count = numeros.len()))
}

fn reopen(desk: &Desk, numeros: &[i64]) -> anyhow::Result<()> {
    desk.require_officer()?;
    let database = &desk.database;
    let (transaction, at) = (database.begin()?, now());
    for numero in numeros {
        database.reopen_record(&database.record(*numero)?, by(desk, &at))?;
    }
    transaction.commit()?;
    desk.tell(&json!({ "reopened": numeros }), &said!("office-records-reopened", count = numeros.len()))
}

fn one(desk: &Desk, record: &Record) -> anyhow::Result<()> {
    if desk.json {
        return show::json(record);
    }
    let table = format!("{}.{}", record.application, record.table);
    let mut lines = vec![said!(
        "office-record-head",
        record = record.numero.to_string(),
        table = table,
        status = status(record.status)
    )];
    let width = record.columns.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, value) in &record.columns {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        lines.push(format!("  {name:<width$}  {}", show::plain(&value)));
    }
    lines.push(said!("office-record-made", user = &record.made_by, time = &record.made_at));
    if let (Some(user), Some(time)) = (&record.validated_by, &record.validated_at) {
        lines.push(said!("office-record-validated", user = user, time = time));
    }
    lines.extend(record.sequence.map(|number| said!("office-record-letter", letter = number.to_string())));
    lines.extend(record.remark.as_ref().map(|one| remark(record.numero, one)));
    show::text(&format!("{}\n", lines.join("\n")))
}

/// Says why the centre refused a record.
fn remark(numero: i64, remark: &Value) -> String {
    let letter = remark["sequence"].to_string();
    if remark["code"] == "accepted_meanwhile" {
        if remark["cancelled"] == true {
            return said!("office-remark-accepted-cancelled", letter = letter, record = numero.to_string());
        }
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let text = |value: &Value| if value.is_null() { String::new() } else { plain(value) };
        let changes = remark["columns"].as_object().into_iter().flatten();
        let changes: Vec<String> =
            changes.map(|(name, value)| format!("'{name}={}'", show::plain(&text(value)))).collect();
        return said!(
            "office-remark-accepted",
            letter = letter,
            record = numero.to_string(),
            changes = changes.join(" ")
        );
    }
    let code = remark["code"].as_str().unwrap_or_default();
    let meaning = sdc::refusal::RefusalCode::parse(code).map(|code| speech::words().refusal(code)).unwrap_or_default();
    let mut words = said!("office-remark-refused", letter = letter, code = code, meaning = meaning);
    if let Ok(fault) = serde_json::from_value(remark["fault"].clone()) {
        words.push_str(&format!("\n  {}", face::receipt_words::of_fault(&fault)));
    }
    words
}

fn list(desk: &Desk, filter: &Filter) -> anyhow::Result<()> {
    let records = desk.database.records(filter, LISTED_MAX)?;
    if desk.json {
        return show::json(&records);
    }
    let mut listed = Listed::new(&["number", "table", "status", "legal key", "remarks"]);
    for record in &records {
        let table = desk.database.table(&format!("{}.{}", record.application, record.table)).ok();
        let key = table.as_ref().and_then(|table| crate::records::legal_key(table, &record.columns));
        let remarks = if record.remark.is_some() { said!("office-has-remark") } else { "-".to_owned() };
        listed.row([
            record.numero.to_string(),
            record.table.clone(),
            status(record.status),
            show::or_dash(key),
            remarks,
        ]);
    }
    listed.print(&said!("office-no-records"))
}

fn from_file(desk: &Desk, table: &Table, file: &std::path::Path, is_dry: bool) -> anyhow::Result<()> {
    let at = now();
    let loaded = load(&desk.database, table, file, is_dry, by(desk, &at))?;
    let count = loaded.records;
    let mut words = Vec::new();
    for (line, faults) in loaded.faulty.iter().take(100) {
        words.push(format!("{}\n{}", said!("office-line", line = line.to_string()), lines(faults)));
    }
    if !loaded.duplicates.is_empty() {
        words.push(said!("office-duplicates", count = loaded.duplicates.len()));
    }
    let is_whole = loaded.faulty.is_empty();
    words.push(match (is_whole, is_dry) {
        (false, _) => said!("office-nothing-loaded", count = loaded.faulty.len()),
        (true, true) => said!("office-would-load", count = count),
        (true, false) => said!("office-loaded", count = count),
    });
    desk.tell(&json!({ "dry_run": is_dry, "loaded": loaded }), &words.join("\n"))?;
    if is_whole { Ok(()) } else { bail!("the file has faulty lines: nothing was added") }
}

fn to_file(desk: &Desk, table: &Table, file: &std::path::Path) -> anyhow::Result<()> {
    let of = (table.definition.application.clone(), table.definition.table.clone());
    let records = desk.database.records(&Filter { table: Some(of), ..Filter::default() }, WRITTEN_MAX)?;
    if file.exists() {
        bail!("{} is there already: name another file", file.display());
    }
    agency::platform::replace_private(file, written(table, &records).as_bytes())?;
    let words = said!("office-saved", count = records.len(), file = file.display().to_string());
    desk.tell(&json!({ "records": records.len() }), &words)
}

/// Returns faults in words, one on a line.
fn lines(faults: &[Fault]) -> String {
    let words = speech::words();
    let line = |fault: &Fault| {
        let (rule, expected) = (words.rule(fault.rule), words.expected(&fault.expected));
        format!("  {}", said!("office-fault", column = &fault.column, rule = rule, expected = expected))
    };
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub(super) fn faulty(faults: &[Fault]) -> anyhow::Error {
    anyhow::anyhow!("{}\n{}", said!("office-values-faulty"), lines(faults))
}

/// Returns a status in words, behind its number.
pub(super) fn status(status: Status) -> String {
    let words = match status {
        Status::Cancelled => said!("office-status-cancelled"),
        Status::New => said!("office-status-new"),
        Status::Validated => said!("office-status-validated"),
        Status::Packed => said!("office-status-packed"),
        Status::Exported => said!("office-status-exported"),
    };
    format!("{status} {words}")
}
