//! Names of tables, columns and scopes, compared without regard to case in all of Unicode.
//!
//! Every comparison of names uses this file: names in letters, in adopted tables and in grants, and the check that no name is repeated.
//! With two rules, a letter could use a column twice, or fail to match an adopted column. The database's own `lower()` is not used,
//! because it depends on the database's locale.

use unicode_normalization::UnicodeNormalization;

/// Returns a form that is the same for all names that differ only in case. It is for comparing, and is never shown.
///
/// Each character is decomposed (NFD), then made small, capital and small again. So letters with the same capital become the same (`ß` and
/// `ẞ`, `σ` and `ς`, `k` and the Kelvin sign, and also `i` and `ı`).
pub fn folded(name: &str) -> String {
    if name.is_ascii() { name.to_ascii_lowercase() } else { fold(name).collect() }
}

/// Says whether two names are the same apart from case.
pub fn same(one: &str, other: &str) -> bool {
    // Nearly every name is ASCII, and hundreds of names are compared for one letter.
    if one.is_ascii() && other.is_ascii() { one.eq_ignore_ascii_case(other) } else { fold(one).eq(fold(other)) }
}

/// Returns a text in Unicode NFC, the only form that letters have. What people type may be in another form.
pub fn composed(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { text.nfc().collect() }
}

fn fold(name: &str) -> impl Iterator<Item = char> {
    name.nfd().flat_map(char::to_lowercase).flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_unicode_is_the_same_in_capital_and_small_and_alone() {
        for character in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let forms = [
                character.to_string(),
                character.to_uppercase().collect(),
                character.to_lowercase().collect(),
                character.to_string().nfc().collect(),
                character.to_string().nfd().collect(),
            ];
            let wanted = folded(&forms[0]);
            for form in &forms {
                assert_eq!(folded(form), wanted, "{character:?} as {form:?}");
                assert!(same(form, &forms[0]), "{character:?} as {form:?}");
            }
            assert_eq!(folded(&wanted), wanted, "{character:?}");
        }
    }

    #[test]
    fn words_are_the_same_by_their_letters() {
        let pairs = [
            ("PRÉNOMS", "Prénoms"),
            ("état", "ÉTAT"),
            ("Straße", "STRASSE"),
            ("ΌΝΟΜΑΣ", "Όνομας"),
            ("ИМЯ", "имя"),
            ("DatÉ", "date\u{301}"),
            ("Numero", "NUMERO"),
        ];
        for (one, other) in pairs {
            assert!(same(one, other) && folded(one) == folded(other), "{one} {other}");
        }
        for (one, other) in [("Numéro", "Numero"), ("A", "B"), ("", "a"), ("Nom", "Noms"), ("Prénoms", "Prénom")] {
            assert!(!same(one, other) && folded(one) != folded(other), "{one} {other}");
        }
    }
}
