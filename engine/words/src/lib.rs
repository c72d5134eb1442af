//! Sentences for people in their language. Each language has a catalogue of Fluent messages.
//!
//! French and English are compiled in and complete. A folder adds further languages, or replaces single messages, without changes to code.
//! Errors, refusals and receipts carry codes and parameters; this crate makes sentences of them where a person reads them. A message that
//! is missing in a language is said in English. A message that no catalogue has is replaced by its name. So a bad catalogue can make texts
//! bad, but cannot stop the program.

mod catalogue;
mod language;
pub mod pseudo;
mod receipt;
mod recognise;
mod typography;
mod value;

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use fluent_syntax::ast::Pattern;

pub use catalogue::{BUILT_IN, Catalogues, Problem};
pub use language::Language;
pub use value::{Value, decimal};

/// The words of one language.
pub struct Words {
    language: Language,
    /// Whether these are the compiled English words. English sentences of the code then need no translation.
    is_plain_english: bool,
    bundle: FluentBundle<FluentResource>,
    problems: Vec<Problem>,
}

static ENGLISH: LazyLock<Words> =
    LazyLock::new(|| Catalogues::built_in().words(&Language::english()).unwrap_or_else(Words::none));

static FRENCH: LazyLock<Words> =
    LazyLock::new(|| "fr".parse().ok().and_then(|fr| Catalogues::built_in().words(&fr)).unwrap_or_else(Words::none));

/// Returns the words of both languages of the offices, English and French, for questions that an officer may be asked in either.
pub fn offices() -> [&'static Words; 2] {
    [&ENGLISH, &FRENCH]
}

impl Words {
    /// Returns the English words, which replace the messages that another language lacks.
    pub fn english() -> &'static Words {
        &ENGLISH
    }

    /// Returns words without any message, so that each message is replaced by its name. They are used only where the English catalogue
    /// cannot be parsed.
    fn none() -> Words {
        let bundle = FluentBundle::new_concurrent(Vec::new());
        Words { language: Language::english(), is_plain_english: true, bundle, problems: Vec::new() }
    }

    /// Returns the language of the words.
    pub fn language(&self) -> &Language {
        &self.language
    }

    /// Says whether these are the compiled English words, for which sentences of the code need no translation.
    pub fn is_plain_english(&self) -> bool {
        self.is_plain_english
    }

    /// Returns the mistakes in the files that an operator has put into the folder of translations. All messages without a mistake are used,
    /// also those of a file that has mistakes.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Says whether this language itself has a message, without falling back to English.
    pub fn has(&self, name: &str) -> bool {
        self.pattern(name).is_some()
    }

    /// Returns the text of a message with its parameters.
    pub fn text<const N: usize>(&self, name: &str, parameters: [(&'static str, Value); N]) -> String {
        self.say(name, &parameters.into_iter().collect())
    }

    /// Returns the text of a message whose parameters are known only at run time, such as those of a refusal.
    pub fn text_of(&self, name: &str, parameters: impl IntoIterator<Item = (String, Value)>) -> String {
        self.say(name, &parameters.into_iter().collect())
    }

    fn say(&self, name: &str, parameters: &FluentArgs<'_>) -> String {
        let said = self.try_text(name, parameters);
        said.or_else(|| Words::english().try_text(name, parameters)).unwrap_or_else(|| name.to_owned())
    }

    /// Returns the text of a message; none where the message is missing or a parameter is not given, so that the caller can try English.
    fn try_text(&self, name: &str, parameters: &FluentArgs<'_>) -> Option<String> {
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(self.pattern(name)?, Some(parameters), &mut errors);
        errors.is_empty().then(|| text.into_owned())
    }

    fn pattern(&self, name: &str) -> Option<&Pattern<&str>> {
        self.bundle.get_message(name).and_then(|message| message.value())
    }
}
