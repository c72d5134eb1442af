//! Sources of the catalogues: compiled files, and files of a folder. A message of the folder replaces the compiled message of the same
//! name.

use std::fs;
use std::path::{Path, PathBuf};

use fluent_bundle::FluentResource;
use fluent_bundle::concurrent::FluentBundle;

use crate::{Language, Words, pseudo, typography, value};

/// Makes an entry of [`BUILT_IN`] out of a language's tag and the names of its files.
macro_rules! compiled_in {
    ($language:literal: $($file:literal),* $(,)?) => {
        ($language, &[$(($file, include_str!(concat!("../catalogues/", $language, "/", $file, ".ftl")))),*])
    };
}

/// Name and text of a compiled file.
type Source = (&'static str, &'static str);

/// Compiled languages by tag, each with its files.
pub const BUILT_IN: &[(&str, &[Source])] = &[
    compiled_in!(
        "en": "refusal", "receipt", "expected", "error", "administration", "usage", "help", "command", "check", "demo", "sample",
        "office",
    ),
    compiled_in!(
        "fr": "refusal", "receipt", "expected", "error", "administration", "usage", "help", "command", "check", "demo", "sample",
        "office",
    ),
];

/// A mistake in a file `*.ftl` with translations, which an operator has put into the folder of [`Catalogues::with_folder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the file.
    pub file: PathBuf,
    /// Number of the wrong line; none where the whole file cannot be read.
    pub line: Option<usize>,
    /// Reason, in the words of the Fluent parser.
    pub reason: String,
}

/// All languages that the program can speak: the compiled ones, and those of a folder.
#[derive(Clone, Debug, Default)]
pub struct Catalogues {
    folder: Option<PathBuf>,
}

impl Catalogues {
    /// Returns the compiled catalogues.
    pub fn built_in() -> Catalogues {
        Catalogues::default()
    }

    /// Returns the compiled catalogues together with those of a folder. In the folder each language has a subfolder with files `*.ftl`,
    /// such as `pt` or `pt-BR`. A subfolder `fr` may replace single messages of French. A missing folder adds nothing.
    pub fn with_folder(folder: &Path) -> Catalogues {
        Catalogues { folder: Some(folder.to_path_buf()) }
    }

    /// Returns the tags of the languages, sorted.
    pub fn languages(&self) -> Vec<String> {
        let mut tags: Vec<String> = BUILT_IN.iter().map(|(tag, _)| (*tag).to_owned()).collect();
        let below = self.folder.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let named =
            below.filter(|entry| entry.path().is_dir()).filter_map(|entry| entry.file_name().into_string().ok());
        tags.extend(named.filter_map(|name| name.parse::<Language>().ok()).map(|language| language.to_string()));
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// Returns the words of a language. A region without words of its own gets the words of its language. Returns none where neither has
    /// words.
    pub fn words(&self, language: &Language) -> Option<Words> {
        let mut layers = Layers::default();
        for name in language.names() {
            layers.add_built_in(&name);
            if let Some(folder) = &self.folder {
                layers.add_folder(&folder.join(&name));
                // A subfolder may have the name of a locale, `pt_BR`.
                let locale = name.replace('-', "_");
                if locale != name {
                    layers.add_folder(&folder.join(locale));
                }
            }
        }
        let is_pseudo = language.to_string() == pseudo::TAG;
        if is_pseudo {
            layers.add_built_in("en");
        }
        if layers.resources.is_empty() && layers.problems.is_empty() {
            return None;
        }
        let mut bundle = FluentBundle::new_concurrent(vec![language.identifier().clone()]);
        // Fluent can put invisible marks around the parameters of a message. The marks help only where directions of writing mix, and
        // terminals show them as boxes.
        bundle.set_use_isolating(language.is_right_to_left());
        if is_pseudo {
            bundle.set_transform(Some(pseudo::accented));
        }
        if language.is_french() {
            bundle.set_formatter(Some(value::french));
            bundle.set_transform(Some(typography::french));
        }
        layers.resources.into_iter().for_each(|resource| bundle.add_resource_overriding(resource));
        let is_plain_english =
            !is_pseudo && !layers.is_of_folder && language.names().first().is_some_and(|name| name == "en");
        Some(Words { language: language.clone(), is_plain_english, bundle, problems: layers.problems })
    }
}

#[derive(Default)]
struct Layers {
    resources: Vec<FluentResource>,
    /// Whether at least one resource comes from a folder.
    is_of_folder: bool,
    problems: Vec<Problem>,
}

impl Layers {
    fn add_built_in(&mut self, name: &str) {
        let files = BUILT_IN.iter().filter(|(tag, _)| *tag == name).flat_map(|(_, files)| files.iter());
        for (file, text) in files {
            self.add(Path::new(file), (*text).to_owned());
        }
    }

    fn add_folder(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "ftl"));
        files.sort_unstable();
        self.is_of_folder |= !files.is_empty();
        for file in files {
            match fs::read_to_string(&file) {
                Ok(text) => self.add(&file, text),
                Err(error) => self.problems.push(Problem { file, line: None, reason: error.to_string() }),
            }
        }
    }

    /// Adds the messages of a file that can be read, and records its mistakes as problems.
    fn add(&mut self, file: &Path, text: String) {
        let resource = match FluentResource::try_new(text) {
            Ok(resource) => resource,
            Err((resource, errors)) => {
                let line = |at: usize| resource.source().get(..at).map(|before| before.matches('\n').count() + 1);
                self.problems.extend(errors.iter().map(|error| Problem {
                    file: file.to_path_buf(),
                    line: line(error.pos.start),
                    reason: error.to_string(),
                }));
                resource
            }
        };
        self.resources.push(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(catalogues: &Catalogues, tag: &str) -> Option<Words> {
        catalogues.words(&tag.parse().unwrap())
    }

    #[test]
    fn a_folder_adds_a_language_and_says_single_messages_in_other_words() {
        let place = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let file = place.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("pt/refusal.ftl", "refusal-conflict = O mesmo registo existe com outro conteúdo.\n");
        write("fr_CM/ours.ftl", "remedy-wait = patienter\n");
        write("ar/refusal.ftl", "refusal-conflict = رمز { $x }\n");
        let catalogues = Catalogues::with_folder(place.path());
        assert_eq!(catalogues.languages(), ["ar", "en", "fr", "fr-CM", "pt"]);

        let portuguese = words(&catalogues, "pt-BR").unwrap();
        assert_eq!(portuguese.text("refusal-conflict", []), "O mesmo registo existe com outro conteúdo.");
        assert_eq!(portuguese.text("refusal-poison", []), "The letter made the centre fail three times, alone.");
        let cameroon = words(&catalogues, "fr-CM").unwrap();
        assert_eq!(cameroon.text("remedy-wait", []), "patienter");
        assert_eq!(cameroon.text("refusal-poison", []), words(&catalogues, "fr").unwrap().text("refusal-poison", []));
        let arabic = words(&catalogues, "ar").unwrap();
        assert_eq!(arabic.text("refusal-conflict", [("x", Value::from("C01"))]), "رمز \u{2068}C01\u{2069}");
        assert!(words(&catalogues, "de").is_none());
    }

    #[test]
    fn what_is_wrong_in_a_folder_is_told_and_the_rest_is_said() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("pt")).unwrap();
        let file = place.path().join("pt/words.ftl");
        fs::write(&file, "remedy-mend = corrigir\nbroken = { $\nremedy-wait = { $nobody-gives-this }\n").unwrap();
        let portuguese = words(&Catalogues::with_folder(place.path()), "pt").unwrap();
        let [problem] = portuguese.problems() else { panic!("{:?}", portuguese.problems()) };
        assert_eq!((&problem.file, problem.line), (&file, Some(2)));
        assert_eq!(portuguese.text("remedy-mend", []), "corrigir");
        // A message that is missing in Portuguese is said in English.
        assert_eq!(portuguese.text("remedy-wait", []), Words::english().text("remedy-wait", []));
        assert_eq!(portuguese.text("no-such-message", []), "no-such-message");
    }

    use crate::Value;
}
