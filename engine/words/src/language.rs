//! The language of the program's texts: the language that the user chose, else that of the environment.

use std::fmt;
use std::str::FromStr;

use unic_langid::{CharacterDirection, LanguageIdentifier};

/// Variables of POSIX (XBD 8.2) that name the language of messages, the strongest first.
const VARIABLES: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];

/// A language, with or without a region: `fr`, `pt-BR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Language(LanguageIdentifier);

/// Error: the text is no language tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoLanguage;

impl Language {
    /// Returns English, the language of the sentences in the code.
    pub fn english() -> Language {
        Language("en".parse().unwrap_or_default())
    }

    /// Reads the environment as POSIX does: the first variable that is set and not empty decides. The locales `C` and `POSIX`, and a text
    /// that is no locale, count as English.
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Language {
        let locale = VARIABLES.into_iter().filter_map(variable).find(|value| !value.is_empty());
        locale.and_then(|locale| Language::of_locale(&locale)).unwrap_or_else(Language::english)
    }

    /// Reads a locale's name, `language[_territory][.codeset][@modifier]`.
    fn of_locale(locale: &str) -> Option<Language> {
        let name = locale.split(['.', '@']).next().unwrap_or_default();
        if matches!(name, "C" | "POSIX") { None } else { name.parse().ok() }
    }

    /// Returns the names of folders that may have words of the language, the most general first: `pt`, `pt-BR`.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = vec![self.0.language.as_str().to_owned(), self.0.to_string()];
        names.dedup();
        names
    }

    pub(crate) fn identifier(&self) -> &LanguageIdentifier {
        &self.0
    }

    /// Says whether the language is French, of any region.
    pub(crate) fn is_french(&self) -> bool {
        self.0.language.as_str() == "fr"
    }

    /// Says whether the language is written from right to left.
    pub fn is_right_to_left(&self) -> bool {
        self.0.character_direction() == CharacterDirection::RTL
    }
}

impl FromStr for Language {
    type Err = NoLanguage;

    fn from_str(text: &str) -> Result<Language, NoLanguage> {
        text.parse().map(Language).map_err(|_malformed: unic_langid::LanguageIdentifierError| NoLanguage)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> String {
        let variable =
            |name: &str| variables.iter().find(|(one, _)| *one == name).map(|(_, value)| (*value).to_owned());
        Language::of_environment(variable).to_string()
    }

    #[test]
    fn the_environment_is_read_in_the_order_of_posix() {
        assert_eq!(of(&[]), "en");
        assert_eq!(of(&[("LANG", "fr_CM.UTF-8")]), "fr-CM");
        assert_eq!(of(&[("LANG", "fr_FR"), ("LC_MESSAGES", "en_GB.UTF-8")]), "en-GB");
        assert_eq!(of(&[("LANG", "en_GB"), ("LC_MESSAGES", "en_GB"), ("LC_ALL", "fr_FR@euro")]), "fr-FR");
        assert_eq!(of(&[("LANG", "fr_FR"), ("LC_ALL", "")]), "fr-FR", "an empty variable is none");
        for english in ["C", "POSIX", "C.UTF-8", "français", "%", "en"] {
            assert_eq!(of(&[("LANG", "fr_FR"), ("LC_ALL", english)]), "en", "{english}");
        }
    }

    #[test]
    fn a_region_speaks_its_language_and_arabic_goes_from_right_to_left() {
        let read = |text: &str| text.parse::<Language>().unwrap();
        assert_eq!(read("pt_BR").names(), ["pt", "pt-BR"]);
        assert_eq!(read("fr").names(), ["fr"]);
        assert_eq!(["ar", "ar-EG", "fr"].map(|text| read(text).is_right_to_left()), [true, true, false]);
        assert_eq!("une langue".parse::<Language>(), Err(NoLanguage));
    }
}
