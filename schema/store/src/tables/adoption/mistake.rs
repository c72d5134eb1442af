//! A mistake in a definition file: its line, its key, and a code with the expected and the found value. The program that shows it adds the
//! words.

use std::fmt;
use std::ops::Range;

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The place and the kind of a mistake in a definition file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Name of the file; `None` until a caller that knows the name fills it in.
    pub file: Option<String>,
    /// Number of the line, counted from 1.
    pub line: usize,
    /// The wrong key. For example, `tables 2: checks 1: severity` is in the first `[[tables.checks]]` of the second `[[tables]]`.
    pub key: Option<String>,
    /// The kind of the mistake.
    #[serde(flatten)]
    pub problem: MistakeProblem,
}

/// The kind of a mistake in a definition file. Values are written as in the file, and kinds of values as the TOML or JSON parser calls
/// them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum MistakeProblem {
    /// The key does not exist.
    KeyUnknown {
        /// The key as written in the file.
        name: String,
        /// The keys that exist.
        expected: String,
    },
    /// A required key is missing.
    KeyMissing {
        /// Name of the missing key.
        name: String,
    },
    /// The value is not one of the allowed values.
    ValueUnknown {
        /// The allowed values.
        expected: String,
        /// The value as written in the file.
        found: String,
    },
    /// The value is of another kind, or out of range.
    KindUnexpected {
        /// The expected kind, such as `a string` or `struct Check`.
        expected: String,
        /// The kind and value in the file, such as `integer `5``.
        found: String,
    },
    /// The file has something that is not allowed at this place.
    FormUnknown {
        /// What is allowed at this place.
        expected: String,
    },
    /// The file is neither valid TOML nor valid JSON.
    Unreadable {
        /// The message of the parser.
        reader: String,
    },
}

impl Mistake {
    /// Makes the mistake from an error of the TOML parser.
    pub fn of_toml(text: &str, error: &toml::de::Error) -> Mistake {
        let span = error.span().unwrap_or(0..0);
        let key = DeTable::parse(text).ok().and_then(|table| key_at(table.get_ref(), &span));
        let line = text.get(..span.start).unwrap_or_default().matches('\n').count() + 1;
        Mistake { file: None, line, key, problem: MistakeProblem::told(error.message()) }
    }

    /// Makes the mistake from an error of the JSON parser.
    pub fn of_json(error: &serde_json::Error) -> Mistake {
        let text = error.to_string();
        let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
        Mistake { file: None, line: error.line(), key: None, problem: MistakeProblem::told(message) }
    }
}

/// The form for logs and tests.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.iter().try_for_each(|file| write!(f, "{file}: "))?;
        write!(f, "line {}: ", self.line)?;
        self.key.iter().try_for_each(|key| write!(f, "{key}: "))?;
        f.write_str(self.problem.code())?;
        self.problem.parameters().into_iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

impl MistakeProblem {
    /// Reads the kind of mistake from the text of serde's error.
    fn told(message: &str) -> MistakeProblem {
        let message = message.trim().replace('\n', ", ");
        let of = |start: &str| message.strip_prefix(start);
        let pair = |rest: &str| {
            rest.split_once(", expected ").map(|(found, expected)| (found.to_owned(), expected.to_owned()))
        };
        if let Some((name, expected)) = of("unknown field ").and_then(pair) {
            MistakeProblem::KeyUnknown { name, expected }
        } else if let Some((found, expected)) = of("unknown variant ").and_then(pair) {
            MistakeProblem::ValueUnknown { expected, found }
        } else if let Some(name) = of("missing field ") {
            MistakeProblem::KeyMissing { name: name.to_owned() }
        } else if let Some((found, expected)) = of("invalid type: ").or_else(|| of("invalid value: ")).and_then(pair) {
            MistakeProblem::KindUnexpected { expected, found }
        } else if let Some(expected) = of("expected ") {
            MistakeProblem::FormUnknown { expected: expected.to_owned() }
        } else {
            MistakeProblem::Unreadable { reader: message }
        }
    }

    /// Returns the code of the mistake. Programs can rely on it, since it never changes.
    pub fn code(&self) -> &'static str {
        match self {
            MistakeProblem::KeyUnknown { .. } => "key_unknown",
            MistakeProblem::KeyMissing { .. } => "key_missing",
            MistakeProblem::ValueUnknown { .. } => "value_unknown",
            MistakeProblem::KindUnexpected { .. } => "kind_unexpected",
            MistakeProblem::FormUnknown { .. } => "form_unknown",
            MistakeProblem::Unreadable { .. } => "unreadable",
        }
    }

    /// Returns the parameters that are shown with the code.
    fn parameters(&self) -> Vec<(&'static str, &str)> {
        match self {
            MistakeProblem::KeyUnknown { name, expected } => vec![("name", name), ("expected", expected)],
            MistakeProblem::KeyMissing { name } => vec![("name", name)],
            MistakeProblem::ValueUnknown { expected, found } | MistakeProblem::KindUnexpected { expected, found } => {
                vec![("expected", expected), ("found", found)]
            }
            MistakeProblem::FormUnknown { expected } => vec![("expected", expected)],
            MistakeProblem::Unreadable { reader } => vec![("reader", reader)],
        }
    }
}

/// Finds the key at a place of the file: the place lies in the key's value or in the key's name.
fn key_at(table: &DeTable<'_>, place: &Range<usize>) -> Option<String> {
    let mut found: Option<(usize, String)> = None;
    look(table, "", place, &mut found);
    found.map(|(_, key)| key)
}

/// Searches for the key with the shortest span that contains the place.
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
