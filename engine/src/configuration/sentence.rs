//! Turns an error of figment into one sentence: the file or variable, the key, what was expected and what was found.

use std::path::Path;

use figment::Error;
use figment::error::{Actual, Kind};

/// Prefix of the names of environment variables.
pub(super) const ENVIRONMENT_PREFIX: &str = "XMSERVER_";

/// Returns the sentence of one mistake.
pub(super) fn of(error: &Error, file: Option<&Path>) -> String {
    let place = place(error, file);
    let key = key(&error.path);
    match &error.kind {
        Kind::UnknownField(name, []) => {
            format!("{place}: unknown key {}", joined(&key, name))
        }
        Kind::UnknownField(name, expected) => {
            format!("{place}: unknown key {}: expected one of {}", joined(&key, name), expected.join(", "))
        }
        Kind::MissingField(name) => format!("{place}: key {} is missing", joined(&key, name)),
        Kind::DuplicateField(name) => format!("{place}: key {} stands twice", joined(&key, name)),
        Kind::InvalidType(Actual::Map, _) if key == "mailbox" && is_environment(error) => {
            format!("{place}: mailboxes stand in the configuration file: no variable sets a key of theirs")
        }
        Kind::InvalidType(Actual::Map, _) if key == "mailbox" => {
            format!("{place}: mailbox: write [[mailbox]], in double brackets: there may be several")
        }
        Kind::InvalidType(found, _) | Kind::InvalidValue(found, _) if key.ends_with(".port") => {
            format!("{place}: {key}: expected a port from 1 to 65535, found {}", plain_value(found))
        }
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("{place}: {key}: expected {}, found {}", plain_type(expected), plain_value(found))
        }
        Kind::UnknownVariant(found, expected) => {
            format!("{place}: {key}: expected one of {}, found `{found}`", expected.join(", "))
        }
        Kind::Message(message) if message.starts_with("TOML parse error") || message.contains('\n') => {
            format!("{place}: {}", syntax(message))
        }
        Kind::Message(message) if message == "invalid socket address syntax" => {
            format!("{place}: {key}: expected an address and a port, such as 127.0.0.1:9464")
        }
        Kind::Message(message) if key.is_empty() => format!("{place}: {message}"),
        Kind::Message(message) => format!("{place}: {key}: {message}"),
        other => format!("{place}: {key}: {other}"),
    }
}

/// Returns a key's name as operators see it: `mailbox 1: pop3.port` is in the first `[[mailbox]]`.
pub(super) fn key(path: &[String]) -> String {
    match path {
        [list, index, rest @ ..] if index.parse::<usize>().is_ok() => {
            let number = index.parse::<usize>().map_or(1, |index| index + 1);
            if rest.is_empty() { format!("{list} {number}") } else { format!("{list} {number}: {}", rest.join(".")) }
        }
        path => path.join("."),
    }
}

/// Returns the name of the environment variable that sets a key.
pub(super) fn variable(path: &[String]) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", path.join("__").to_uppercase())
}

fn joined(key: &str, name: &str) -> String {
    match key {
        "" => name.to_owned(),
        // figment's path already ends with the unknown key.
        key if key == name || key.ends_with(&format!(".{name}")) || key.ends_with(&format!(": {name}")) => {
            key.to_owned()
        }
        key if key.contains(": ") || !key.contains(' ') => format!("{key}.{name}"),
        key => format!("{key}: {name}"),
    }
}

fn is_environment(error: &Error) -> bool {
    error.metadata.as_ref().is_some_and(|metadata| metadata.name.contains("environment variable"))
}

fn place(error: &Error, file: Option<&Path>) -> String {
    match file {
        _ if is_environment(error) => format!("environment variable {}", variable(&error.path)),
        Some(file) => file.display().to_string(),
        None => "configuration".to_owned(),
    }
}

/// Says in words what a Rust type means to an operator.
fn plain_type(expected: &str) -> String {
    match expected {
        "socket address" => "an address and a port, such as 127.0.0.1:9464".to_owned(),
        "usize" | "u64" => "a whole number of 0 or more".to_owned(),
        "u32" => "a whole number from 0 to 4294967295".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "i64" | "i32" | "i16" => "a whole number".to_owned(),
        "a string" | "path string" => "text in quotes".to_owned(),
        "a sequence" => "a list".to_owned(),
        name if name.starts_with("struct ") => "a table of keys".to_owned(),
        other => other.to_owned(),
    }
}

fn plain_value(found: &Actual) -> String {
    match found {
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(value) => value.to_string(),
        Actual::Signed(value) => value.to_string(),
        Actual::Float(value) => value.to_string(),
        Actual::Str(value) => format!("{value:?}"),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// Shortens the TOML parser's drawing of a mistake to the place and the reason.
fn syntax(message: &str) -> String {
    let mut lines = message.lines();
    let place = lines.next().unwrap_or_default().trim_start_matches("TOML parse error at ");
    // Between the place and the reason, the drawing has the faulty line and a caret below it. Both have a bar, so they are left out.
    let reason: Vec<&str> =
        lines.filter(|line| !line.contains('|') && !line.trim().is_empty()).map(str::trim).collect();
    format!("{place}: {}", reason.join(", "))
}
