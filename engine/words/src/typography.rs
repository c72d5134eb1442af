//! Spaces and quotation marks of French typography.
//!
//! Catalogues are written with ordinary spaces. This module replaces the spaces before `: ; ! ?` and within « » by no-break spaces, so
//! that no line begins with one of these marks.

use std::borrow::Cow;

/// No-break space, used before a colon and within quotation marks.
const NO_BREAK: char = '\u{A0}';
/// Narrow no-break space, used before `;`, `!` and `?`.
const NARROW_NO_BREAK: char = '\u{202F}';

/// Replaces the spaces before French marks by no-break spaces.
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

/// Replaces Rust's quotation marks around a text by French ones: `"abc"` becomes « abc ». A text that contains quotation marks or
/// backslashes stays as it is, because a shell or a file must read it literally.
pub(crate) fn french_quotes(text: &str) -> Cow<'_, str> {
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match quoted.filter(|inner| !inner.is_empty() && !inner.contains(['"', '\\'])) {
        Some(inner) => Cow::Owned(format!("«{NO_BREAK}{inner}{NO_BREAK}»")),
        None => Cow::Borrowed(text),
    }
}

/// Replaces no-break spaces by ordinary ones, so that tests can write ordinary spaces.
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
