//! Sentences for tables: mistakes in definition files, obstacles to an adoption, and changes by an adoption.

use store::error::AdministrationError;
use store::tables::definition::Column;
use store::tables::loaded::LoadFault;
use store::tables::{Change, Mistake, MistakeProblem, Warning};

use crate::words_of_problems;

pub(super) fn of_tables(error: &AdministrationError) -> String {
    match error {
        AdministrationError::RecordUnknown(record) => {
            let key: Vec<&str> = record.key.values().map(String::as_str).collect();
            format!("no record of table {} has the legal key {}", record.table, key.join(", "))
        }
        AdministrationError::TableUnknown(table) => {
            format!("table {table} is not adopted: `xmserver table list` shows those that are")
        }
        AdministrationError::DefinitionFile(mistake) => {
            format!("the definition file is not valid: {}", self::mistake(mistake))
        }
        AdministrationError::TableThere { table, relation } => format!(
            "table {table} is not given up: {relation} is in the database; to take no more records of it, set may_export = false \
             in its file and adopt again"
        ),
        AdministrationError::TableUnfit { table, problems } => {
            let lines: String =
                problems.iter().map(|one| format!("\n  - {}", words_of_problems::sentence(one))).collect();
            format!("table {table} cannot be adopted:{lines}")
        }
        AdministrationError::LoadColumns { unknown, missing } => {
            let named = |names: &[String]| if names.is_empty() { "-".to_owned() } else { names.join(", ") };
            format!(
                "the file does not fit the table: unknown columns {}; missing columns {}",
                named(unknown),
                named(missing)
            )
        }
        AdministrationError::LoadValues { faults, total } => {
            let told =
                |fault: &LoadFault| format!("\n  - line {}, {}: expected {}", fault.line, fault.column, fault.expected);
            format!("{total} values of the file do not fit the table:{}", faults.iter().map(told).collect::<String>())
        }
        AdministrationError::LoadKeysTwice { key, count } => {
            format!("{count} records stand twice in the file, by {}", key.join(", "))
        }
        other => other.to_string(),
    }
}

/// Returns the sentence of a mistake in a definition file. It has the form of sentences about the configuration: file, line, key, expected,
/// found.
fn mistake(mistake: &Mistake) -> String {
    let before = |place: &Option<String>| place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
    let problem = match &mistake.problem {
        MistakeProblem::KeyUnknown { name, expected } => format!("unknown key {name}: expected {expected}"),
        MistakeProblem::KeyMissing { name } => format!("key {name} is missing"),
        MistakeProblem::ValueUnknown { expected, found } => format!("expected {expected}, found {found}"),
        MistakeProblem::KindUnexpected { expected, found } => {
            format!("expected {}, found {found}", kind(expected))
        }
        MistakeProblem::FormUnknown { expected } => format!("expected {expected}"),
        MistakeProblem::Unreadable { reader } => reader.clone(),
    };
    format!("{}line {}: {}{problem}", before(&mistake.file), mistake.line, before(&mistake.key))
}

/// Returns plain words for a kind of value that serde names.
fn kind(expected: &str) -> &str {
    match expected {
        "a string" => "text in quotes",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        name if name.starts_with("struct ") => "a table of keys",
        other => other,
    }
}

/// Returns the sentence of one difference from the former definition, when a table is adopted that was adopted before.
pub fn change(change: &Change) -> String {
    match change {
        Change::ColumnAdded { column } => format!("column {} is new: {}", column.name, in_sql(column)),
        Change::ColumnGone { name } => format!("column {name} is gone: letters that name it are refused"),
        Change::ColumnChanged { was, is } => format!("column {} was {}, is {}", is.name, in_sql(was), in_sql(is)),
        Change::Setting { key } => format!("{key} changed"),
    }
}

/// Returns a column as CREATE TABLE would write it.
fn in_sql(column: &Column) -> String {
    let mut words = column.kind.in_sql();
    if !column.nullable {
        words.push_str(" NOT NULL");
    }
    if column.has_default {
        words.push_str(", with a default");
    }
    if column.multiline {
        words.push_str(", of several lines");
    }
    words
}

/// Returns the sentence of a warning about an adopted table.
pub fn warning(warning: &Warning) -> String {
    match warning {
        Warning::TriggerBeforeRow { trigger } => format!(
            "trigger {trigger} runs before each row is written: if it changes what a letter brings, the same record sent again is \
             refused as another one (conflict), and if it keeps a row out, the letter is refused (rows_invalid)"
        ),
    }
}
