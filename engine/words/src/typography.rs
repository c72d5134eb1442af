//! The blanks and quotation marks that French is written with.
//!
//! Catalogues are written with ordinary blanks. What is said has, before `: ; ! ?` and within « », blanks at which no line is broken: a
//! line that began with a colon would be read as belonging to nothing.

use std::borrow::Cow;

/// Stands before a colon and within quotation marks.
const NO_BREAK: char = '\u{A0}';
/// Stands before the other marks.
const NARROW_NO_BREAK: char = '\u{202F}';

/// Puts blanks at which no line is broken where French has them.
pub(crate) fn french(text: &str) -> Cow<'_, str> {
    let mut said = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut before = None;
    while let Some(letter) = letters.next() {
        said.push(match (before, letter, letters.peek().copied()) {
            (_, ' ', Some(':' | '»')) | (Some('«'), ' ', _) => NO_BREAK,
            (_, ' ', Some(';' | '!' | '?')) => NARROW_NO_BREAK,
            _ => letter,
        });
        before = Some(letter);
    }
    Cow::Owned(said)
}

/// Quotes as French does what the code quotes as Rust does: `"abc"` is « abc ». What a shell or a file would read otherwise stays.
pub(crate) fn french_quotes(text: &str) -> Cow<'_, str> {
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match quoted.filter(|inner| !inner.is_empty() && !inner.contains(['"', '\\'])) {
        Some(inner) => Cow::Owned(format!("«{NO_BREAK}{inner}{NO_BREAK}»")),
        None => Cow::Borrowed(text),
    }
}

/// Returns a text with ordinary blanks, as a test writes it.
#[cfg(test)]
pub(crate) fn plain_blanks(text: &str) -> String {
    text.replace([NO_BREAK, NARROW_NO_BREAK], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_begins_with_a_mark() {
        assert_eq!(french("ensuite : a ; b ! c ?"), "ensuite\u{A0}: a\u{202F}; b\u{202F}! c\u{202F}?");
        assert_eq!(french(" : "), "\u{A0}: ", "what follows a parameter");
        assert_eq!(french("l'opération « création » sur"), "l'opération «\u{A0}création\u{A0}» sur");
        assert_eq!(french("12:34, a;b"), "12:34, a;b");
        assert_eq!(plain_blanks(&french("a : « b »")), "a : « b »");
    }

    #[test]
    fn quotes_are_those_of_the_language() {
        assert_eq!(french_quotes("\"abc\""), "«\u{A0}abc\u{A0}»");
        for kept in ["\"a\\\"b\"", "\"\"", "\"", "abc", "\"a\" et \"b\""] {
            assert_eq!(french_quotes(kept), kept);
        }
    }
}
