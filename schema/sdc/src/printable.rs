//! Texts of others (a name in a certificate, a mail's subject, a value of a record) made fit to be shown to a person.
//!
//! The one rule for what never reaches a terminal, a log or a table as it is. Control characters move a terminal's cursor or
//! forge a second line; characters that set the direction of writing show one text where another stands (Trojan Source,
//! CVE-2021-42574). What a text is otherwise stays: it is shown, not judged.

/// Says whether a character steers what it is shown on: controls (C0, C1), separators of lines, embeddings, overrides and
/// isolates of direction.
pub fn steers(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Writes U+FFFD for each character that [`steers`].
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
