//! Comments of sample files, in the reader's language. Keys and values are never translated.

use words::Words;

/// Largest number of columns of a line of a comment.
const COLUMNS: usize = 128;
/// Prefixes of comment lines: the first one within a part of the file that is itself commented out, the second one everywhere else.
const PREFIXES: [&str; 2] = ["# # ", "# "];

/// Translates the comments of a sample file; in English the file stays as it is.
pub fn said(sample: &str, words: &Words) -> String {
    if words.is_plain_english() {
        return sample.to_owned();
    }
    let mut text = String::new();
    for part in parts(sample) {
        match part {
            Part::Line(line) => text.push_str(&format!("{line}\n")),
            Part::Comment { prefix, comment } => text.push_str(&broken(prefix, &words.short("sample-", &comment))),
        }
    }
    text
}

/// A part of a sample file.
enum Part<'s> {
    /// A line that is no comment.
    Line(&'s str),
    /// Lines of one comment, joined.
    Comment { prefix: &'static str, comment: String },
}

fn parts(sample: &str) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for line in sample.lines() {
        match (comment_of(line), parts.last_mut()) {
            (Some((prefix, text)), Some(Part::Comment { prefix: before, comment })) if *before == prefix => {
                comment.push_str(&format!(" {text}"));
            }
            (Some((prefix, text)), _) => parts.push(Part::Comment { prefix, comment: text.to_owned() }),
            (None, _) => parts.push(Part::Line(line)),
        }
    }
    parts
}

/// Returns the prefix and the text of a comment line. A table or key that is commented out does not count as a comment.
fn comment_of(line: &str) -> Option<(&'static str, &str)> {
    let is_key = |key: &str| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let is_toml = |text: &str| text.starts_with('[') || text.split_once(" = ").is_some_and(|(key, _)| is_key(key));
    PREFIXES
        .into_iter()
        .find_map(|prefix| Some((prefix, line.strip_prefix(prefix)?)))
        .filter(|(_, text)| !is_toml(text))
}

/// Breaks a comment into lines. No line begins with a bracket, because it would look like a TOML table that is commented out.
fn broken(prefix: &str, comment: &str) -> String {
    let mut text = String::new();
    let mut column = 0;
    let mut words = comment.split(' ').peekable();
    while let Some(word) = words.next() {
        let width = word.chars().count();
        let bracket = words.peek().filter(|next| next.starts_with('[')).map_or(0, |next| 1 + next.chars().count());
        if column > 0 && column + 1 + width + bracket > COLUMNS {
            text.push('\n');
            column = 0;
        }
        if column == 0 {
            text.push_str(prefix);
            column = prefix.len();
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += width;
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use store::samples::DEFINITION_FILE;
    use words::{Catalogues, pseudo};

    use super::*;
    use crate::configuration::{Configuration, SAMPLE};

    fn samples() -> [String; 3] {
        let trial = super::super::trial::configuration(&Configuration::default(), 2110, 2525);
        [SAMPLE.to_owned(), DEFINITION_FILE.to_owned(), trial]
    }

    fn words(language: &str) -> Words {
        Catalogues::built_in().words(&language.parse().unwrap()).unwrap()
    }

    #[test]
    fn every_comment_of_a_sample_file_is_in_the_catalogues() {
        let mut missing = Vec::new();
        for sample in &samples() {
            for part in parts(sample) {
                if let Part::Comment { comment, .. } = part
                    && !Words::is_known("sample-", &comment)
                {
                    missing.push(comment);
                }
            }
        }
        assert!(missing.is_empty(), "no words for {missing:#?}");
    }

    #[test]
    fn keys_and_values_are_the_same_in_every_language_and_comments_are_not() {
        for sample in &samples() {
            let of = |text: &str| -> Vec<String> {
                parts(text)
                    .into_iter()
                    .filter_map(|part| if let Part::Line(line) = part { Some(line.to_owned()) } else { None })
                    .collect()
            };
            for language in ["fr", pseudo::TAG] {
                let said = said(sample, &words(language));
                assert_eq!(of(&said), of(sample), "{language}");
                assert!(said.lines().all(|line| line.starts_with('#') || line.chars().count() <= COLUMNS));
            }
            let accented = said(sample, &words(pseudo::TAG));
            let plain = |text: &str| {
                text.split(['\n', ' ', '#']).filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
            };
            assert_eq!(plain(&pseudo::unaccented(&accented)), plain(sample), "without its accents it is English");
            assert_eq!(said(sample, &words("en")), *sample);
        }
    }

    #[test]
    fn a_comment_is_broken_between_words_behind_its_prefix() {
        let long = format!("{} {}", "a".repeat(100), "b".repeat(100));
        assert_eq!(broken("# # ", &long), format!("# # {}\n# # {}\n", "a".repeat(100), "b".repeat(100)));
        assert_eq!(broken("# ", "two words"), "# two words\n");
        let bracket = format!("{} of [table]", "a".repeat(120));
        assert_eq!(broken("# ", &bracket), format!("# {}\n# of [table]\n", "a".repeat(120)));
    }
}
