//! Texts of a server, such as a reply or a name in its certificate, are made safe to show as soon as they are received.
//!
//! The texts reach logs, terminals and tables. They must not hold characters that control a terminal ([`sdc::printable`]) or that are
//! invisible. So every text of a server passes [`printable`] before it becomes part of an error or of anything else that is shown.

use sdc::printable::steers;

/// Largest number of characters that are kept of a server's text.
pub const WORDS_CHARS_MAX: usize = 300;

/// Makes a server's octets safe to show: valid UTF-8 on one line, without characters that control a terminal or the writing direction, of
/// at most `WORDS_CHARS_MAX` characters.
pub fn printable(octets: &[u8]) -> String {
    // A character has at most four octets, so octets beyond this length cannot be shown.
    let octets = octets.get(..4 * WORDS_CHARS_MAX).unwrap_or(octets);
    let shown = |c: char| match c {
        '\t' => ' ',
        c if steers(c) || is_unseen(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    String::from_utf8_lossy(octets).chars().take(WORDS_CHARS_MAX).map(shown).collect()
}

/// Says whether a character is invisible: zero width, a mark of direction, or the byte order mark.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal_and_the_rest_stays() {
        for (octets, shown) in [
            (&b"Boite pleine"[..], "Boite pleine"),
            ("Boîte №5 – pleine".as_bytes(), "Boîte №5 – pleine"),
            (b"\x1b[2J\x1b]0;evil\x07", "\u{FFFD}[2J\u{FFFD}]0;evil\u{FFFD}"),
            ("a\u{9b}2Jb".as_bytes(), "a\u{FFFD}2Jb"),
            (b"one\r\ntwo\tthree\x7f", "one\u{FFFD}\u{FFFD}two three\u{FFFD}"),
            (
                "\u{202E}fdp.exe\u{2066}\u{200B}\u{FEFF}\u{2028}".as_bytes(),
                "\u{FFFD}fdp.exe\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
            ),
            (b"Bo\xEEte", "Bo\u{FFFD}te"),
        ] {
            assert_eq!(printable(octets), shown, "{octets:?}");
        }
        assert_eq!(printable("é".repeat(100_000).as_bytes()).chars().count(), WORDS_CHARS_MAX);
    }
}
