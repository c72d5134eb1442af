//! A mistake in a definition file as one sentence: line, key, what was expected and what was found.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where a definition file is wrong, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}line {line}: {}{problem}", before(.file.as_deref()), before(.key.as_deref()))]
pub struct Mistake {
    /// The file's name, for whoever knows it to fill in.
    pub file: Option<String>,
    /// Counted from 1.
    pub line: usize,
    /// The key, such as `tables 2: checks 1: severity`: in the second `[[tables]]` the first `[[tables.checks]]`.
    pub key: Option<String>,
    /// What was expected and what was found.
    pub problem: String,
}

impl Mistake {
    /// Reads what the TOML reader says.
    pub fn of_toml(text: &str, error: &toml::de::Error) -> Mistake {
        let span = error.span().unwrap_or(0..0);
        let key = DeTable::parse(text).ok().and_then(|table| key_at(table.get_ref(), &span));
        let line = text.get(..span.start).unwrap_or_default().matches('\n').count() + 1;
        Mistake { file: None, line, key, problem: in_words(error.message()) }
    }

    /// Reads what the JSON reader says.
    pub fn of_json(error: &serde_json::Error) -> Mistake {
        let text = error.to_string();
        let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
        Mistake { file: None, line: error.line(), key: None, problem: in_words(message) }
    }
}

fn before(place: Option<&str>) -> String {
    place.map(|place| format!("{place}: ")).unwrap_or_default()
}

/// Finds the key whose value, or whose own name, stands at a place.
fn key_at(table: &DeTable<'_>, place: &Range<usize>) -> Option<String> {
    let mut found: Option<(usize, String)> = None;
    look(table, "", place, &mut found);
    found.map(|(_, key)| key)
}

/// Keeps the narrowest key that holds the place.
fn look(table: &DeTable<'_>, above: &str, place: &Range<usize>, found: &mut Option<(usize, String)>) {
    for (name, value) in table.iter() {
        let key = joined(above, name.get_ref());
        consider(&key, &name.span(), place, found);
        look_into(value, &key, place, found);
    }
}

fn look_into(value: &Spanned<DeValue<'_>>, key: &str, place: &Range<usize>, found: &mut Option<(usize, String)>) {
    consider(key, &value.span(), place, found);
    match value.get_ref() {
        DeValue::Table(table) => look(table, key, place, found),
        DeValue::Array(array) => {
            for (index, item) in array.iter().enumerate() {
                look_into(item, &format!("{key} {}", index + 1), place, found);
            }
        }
        _ => {}
    }
}

fn consider(key: &str, span: &Range<usize>, place: &Range<usize>, found: &mut Option<(usize, String)>) {
    let holds = span.start <= place.start && place.end <= span.end;
    if holds && found.as_ref().is_none_or(|(width, _)| span.len() <= *width) {
        *found = Some((span.len(), key.to_owned()));
    }
}

fn joined(above: &str, name: &str) -> String {
    let separator = match above {
        "" => "",
        numbered if numbered.ends_with(|last: char| last.is_ascii_digit()) => ": ",
        _ => ".",
    };
    format!("{above}{separator}{name}")
}

/// Turns serde's sentence into the one that the configuration has too.
fn in_words(message: &str) -> String {
    let message = message.trim().replace('\n', ", ");
    let of = |start: &str| message.strip_prefix(start);
    if let Some((field, expected)) = of("unknown field ").and_then(|rest| rest.split_once(", expected ")) {
        format!("unknown key {field}: expected {expected}")
    } else if let Some((found, expected)) = of("unknown variant ").and_then(|rest| rest.split_once(", expected ")) {
        format!("expected {expected}, found {found}")
    } else if let Some(field) = of("missing field ") {
        format!("key {field} is missing")
    } else if let Some((found, expected)) =
        of("invalid type: ").or_else(|| of("invalid value: ")).and_then(|rest| rest.split_once(", expected "))
    {
        format!("expected {}, found {found}", plain_type(expected))
    } else {
        message
    }
}

fn plain_type(expected: &str) -> &str {
    match expected {
        "a string" => "text in quotes",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        name if name.starts_with("struct ") => "a table of keys",
        other => other,
    }
}
