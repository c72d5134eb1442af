//! What the programs say to people, in their language: one catalogue of Fluent messages for each.
//!
//! French and English are compiled in and complete; a folder adds further languages, and single sentences of these, without
//! touching code. Errors, refusals and receipts carry codes and parameters: only here do they become sentences, at the edge
//! where somebody reads them. A message that is missing is said in English, and one that no catalogue has, by its name: a
//! catalogue can make the program speak badly, and never stop it.

mod catalogue;
mod language;
pub mod pseudo;
mod receipt;
mod recognise;
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
    /// Whether these are the English words that are compiled in: what the code says in English is the same then.
    is_plain_english: bool,
    bundle: FluentBundle<FluentResource>,
    problems: Vec<Problem>,
}

static ENGLISH: LazyLock<Words> =
    LazyLock::new(|| Catalogues::built_in().words(&Language::english()).unwrap_or_else(Words::none));

static FRENCH: LazyLock<Words> =
    LazyLock::new(|| "fr".parse().ok().and_then(|fr| Catalogues::built_in().words(&fr)).unwrap_or_else(Words::none));

/// Returns the words of the languages that offices speak: what an officer is asked is said in all of them.
pub fn offices() -> [&'static Words; 2] {
    [&ENGLISH, &FRENCH]
}

impl Words {
    /// Returns the words of English, which every other language falls back to.
    pub fn english() -> &'static Words {
        &ENGLISH
    }

    /// Knows no message: each is then said by its name. English is compiled in, so this is nobody's language.
    fn none() -> Words {
        let bundle = FluentBundle::new_concurrent(Vec::new());
        Words { language: Language::english(), is_plain_english: true, bundle, problems: Vec::new() }
    }

    /// Returns the language.
    pub fn language(&self) -> &Language {
        &self.language
    }

    /// Says whether this is English as it is compiled in, so that what the code says in English need not be said anew.
    pub fn is_plain_english(&self) -> bool {
        self.is_plain_english
    }

    /// Returns what is wrong with the files of a folder; what is right in them is said all the same.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Says whether this language itself has a message.
    pub fn has(&self, name: &str) -> bool {
        self.pattern(name).is_some()
    }

    /// Says a message with its parameters.
    pub fn text<const N: usize>(&self, name: &str, parameters: [(&'static str, Value); N]) -> String {
        self.say(name, &parameters.into_iter().collect())
    }

    /// Says a message whose parameters are known only when it is said, as those of a refusal are.
    pub fn text_of(&self, name: &str, parameters: impl IntoIterator<Item = (String, Value)>) -> String {
        self.say(name, &parameters.into_iter().collect())
    }

    fn say(&self, name: &str, parameters: &FluentArgs<'_>) -> String {
        let said = self.try_text(name, parameters);
        said.or_else(|| Words::english().try_text(name, parameters)).unwrap_or_else(|| name.to_owned())
    }

    /// Returns nothing where the message is missing or asks for a parameter that is not there: the next language may do better.
    fn try_text(&self, name: &str, parameters: &FluentArgs<'_>) -> Option<String> {
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(self.pattern(name)?, Some(parameters), &mut errors);
        errors.is_empty().then(|| text.into_owned())
    }

    fn pattern(&self, name: &str) -> Option<&Pattern<&str>> {
        self.bundle.get_message(name).and_then(|message| message.value())
    }
}
