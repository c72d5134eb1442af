//! Words of a peer (a server's reply, a name in its certificate), made fit to be shown where they come in.
//!
//! They reach logs, terminals and tables, and hold nothing that steers these (`sdc::printable`), nor what is not seen at all.
//! So every text of a peer passes [`printable`] before it becomes part of an error or of anything else that is shown.

use sdc::printable::steers;

/// Most characters kept of a peer's words.
pub const WORDS_CHARS_MAX: usize = 300;

/// Makes a peer's octets fit to be shown: valid UTF-8, one line, nothing that steers a terminal or the direction of
/// writing, at most `WORDS_CHARS_MAX` characters.
pub fn printable(octets: &[u8]) -> String {
    // Four octets at most make a character; what is beyond need not be looked at.
    let octets = octets.get(..4 * WORDS_CHARS_MAX).unwrap_or(octets);
    let shown = |c: char| match c {
        '\t' => ' ',
        c if steers(c) || is_unseen(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    String::from_utf8_lossy(octets).chars().take(WORDS_CHARS_MAX).map(shown).collect()
}

/// Zero-width characters, marks of direction, the byte order mark: a server's words need none of them.
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
