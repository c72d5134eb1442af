//! Names of tables, columns and scopes, compared without regard to case in all of Unicode.
//!
//! Every comparison goes through this file: what a letter names, what a table is adopted with, what is granted, and whether a name stands
//! once. With two rules, a letter could name a column twice, or miss one that was adopted. A database's own `lower()` does not serve, since
//! it depends on the locale that the database was made with.

use unicode_normalization::UnicodeNormalization;

/// Returns what names that differ in case alone have in common. It is for comparing, never to be shown.
///
/// Each character is decomposed (NFD), then made small, capital and small again. So letters with one capital become the same (`ß` and `ẞ`,
/// `σ` and `ς`, `k` and the Kelvin sign, and also `i` and `ı`).
pub fn folded(name: &str) -> String {
    if name.is_ascii() { name.to_ascii_lowercase() } else { fold(name).collect() }
}

/// Says whether two names differ in case at most.
pub fn same(one: &str, other: &str) -> bool {
    // Nearly every name is of this kind, and a letter compares hundreds.
    if one.is_ascii() && other.is_ascii() { one.eq_ignore_ascii_case(other) } else { fold(one).eq(fold(other)) }
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
