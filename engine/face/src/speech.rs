//! What the program says to people, in their language: that of `--lang`, else that of their locale, else English.
//!
//! A process speaks to one person at one terminal, so the language is chosen once, before the command line is parsed. Texts for programs
//! are English: with `--json` nothing is translated, and lines of the log never are.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use words::{Catalogues, Language, Words};

/// clap's placeholder for a command's options, in the line that shows how the command is used.
const OPTIONS: &str = "[OPTIONS]";

static CATALOGUES: OnceLock<Catalogues> = OnceLock::new();
static WORDS: OnceLock<Words> = OnceLock::new();

/// Returns the text of a message of the catalogues: `said!("agency-changed", agency = matricule)`. Parameters are texts or numbers.
#[macro_export]
macro_rules! said {
    ($name:literal $(, $parameter:ident = $value:expr)* $(,)?) => {
        $crate::speech::words().text($name, [$((stringify!($parameter), $crate::words::Value::from($value))),*])
    };
}
/// Chooses the language by the command line and the environment. `folder` has further languages, unless `--words` names another folder.
/// Only the first call has an effect.
pub fn begin(arguments: &[OsString], folder: &Path) {
    let folder = option(arguments, "--words").map_or_else(|| folder.to_path_buf(), PathBuf::from);
    let catalogues = CATALOGUES.get_or_init(|| Catalogues::with_folder(&folder));
    let asked = option(arguments, "--lang").and_then(|tag| tag.to_str()?.parse().ok());
    let language = asked.unwrap_or_else(|| Language::of_environment(variable));
    if arguments.iter().any(|word| word == "--json") {
        return;
    }
    if let Some(words) = catalogues.words(&language) {
        // If a language was chosen before, it stays.
        WORDS.get_or_init(|| words);
    }
}

/// Finds the value of an option before the command line is parsed, so that mistakes in the command line are also reported in the user's
/// language.
fn option<'a>(arguments: &'a [OsString], name: &str) -> Option<&'a OsStr> {
    let before_values = arguments.iter().take_while(|word| *word != "--");
    let mut words = before_values.map(OsString::as_os_str);
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        if text == name {
            return words.next();
        }
        if let Some(value) = text.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            return Some(OsStr::new(value));
        }
    }
    None
}

#[expect(
    clippy::disallowed_methods,
    reason = "the locale is that of whoever reads, and no configuration of the program"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns the words of the chosen language; English words where none was chosen.
pub fn words() -> &'static Words {
    WORDS.get().unwrap_or_else(|| Words::english())
}

/// Reads the value of `--lang`: the tag of a language that has a catalogue.
///
/// # Errors
/// The language has no catalogue; the error lists the languages that have one.
pub fn read_language(text: &str) -> Result<String, String> {
    let catalogues = CATALOGUES.get_or_init(Catalogues::built_in);
    let is_spoken = text.parse().is_ok_and(|language| catalogues.words(&language).is_some());
    if is_spoken {
        return Ok(text.to_owned());
    }
    Err(format!("expected one of {}, found {text:?}", catalogues.languages().join(", ")))
}

/// Translates English sentences of the code: errors, and findings of `check`.
pub fn sentences(english: &str) -> String {
    words().sentences(english)
}

/// Replaces the placeholder for options in clap's line that shows how a command is used.
pub fn with_options_named(usage: &str, words: &Words) -> String {
    usage.replace(OPTIONS, &words.short("usage-", OPTIONS))
}

/// Returns the heading of a column, or the name of a fact, in the user's language.
pub fn heading(english: &str) -> String {
    words().short("heading-", english)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_found_wherever_it_stands_on_the_command_line() {
        let asked = |line: &str| {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            option(&arguments, "--lang").map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(asked("xmserver --lang fr check").as_deref(), Some("fr"));
        assert_eq!(asked("xmserver agency list --lang=pt-BR").as_deref(), Some("pt-BR"));
        assert_eq!(asked("xmserver agency list --language fr"), None);
        assert_eq!(asked("xmserver agency add -- --lang fr"), None, "that is a value");
        assert_eq!(asked("xmserver --lang"), None);
    }

    #[test]
    fn a_language_without_words_is_refused_with_those_that_have_some() {
        assert_eq!(read_language("fr"), Ok("fr".to_owned()));
        assert_eq!(read_language("fr-CM"), Ok("fr-CM".to_owned()), "a region speaks its language");
        assert_eq!(read_language("de"), Err("expected one of en, fr, found \"de\"".to_owned()));
        assert!(read_language("").is_err());
    }
}
