//! Makes texts from outside (a name in a certificate, a mail's subject, a value of a record) safe to show to a person.
//!
//! This module alone decides which characters are replaced before a text is written to a terminal, a log or a table. Control characters can
//! move a terminal's cursor or forge a second line. Characters that set the direction of writing can show another text than the real one
//! (Trojan Source, CVE-2021-42574). All other characters remain.

/// Says whether a character controls the display instead of being shown: control characters (C0, C1), line separators, and embeddings,
/// overrides and isolates of direction.
pub fn steers(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Replaces each character that [`steers`] with U+FFFD.
pub fn printable(text: &str) -> String {
    text.replace(steers, "\u{FFFD}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_replaced_and_every_other_letter_stays() {
        let controls = ('\0'..=' ').chain('\u{7F}'..='\u{A0}').filter(|c| !matches!(c, ' ' | '\u{A0}'));
        for steering in controls.chain('\u{2028}'..='\u{202E}').chain('\u{2066}'..='\u{2069}') {
            assert_eq!(printable(&format!("a{steering}b")), "a\u{FFFD}b", "{steering:?}");
        }
        for plain in ["", "Mairie d'Édéa – №5", "العربية\u{200F}", "می\u{200C}خواهم", "\u{A0}"] {
            assert_eq!(printable(plain), plain);
        }
    }
}
