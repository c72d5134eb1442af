//! Rules for SQL identifiers that come from outside: which of them may be part of a statement, and how they are quoted.
//!
//! Names in a statement come only from adopted tables, whose names [`is_plain`] checked at adoption, and are quoted here. A column name of
//! a letter is never put into a statement: the program looks it up, and uses the table's own spelling.

/// Largest number of octets of an identifier. PostgreSQL silently cuts off longer identifiers.
const NAME_BYTES_MAX: usize = 63;

/// Says whether a name may be part of statements and letters. A name may have only letters, digits and `_`, since a quotation mark or a
/// question mark could change a statement.
pub fn is_plain(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Quotes an identifier for a statement.
pub fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_letters_and_digits_are_plain_in_any_script() {
        let longest = "n".repeat(63);
        for name in ["Numero", "_a", "Prénoms", "اسم", "名前", "a1", longest.as_str()] {
            assert!(is_plain(name), "{name}");
        }
        let too_long = "n".repeat(64);
        for name in ["", "1a", "a b", "a\"b", "a'b", "a?b", "a;b", "a.b", "a\0", "a\u{202e}b", too_long.as_str()] {
            assert!(!is_plain(name), "{name:?}");
        }
    }

    #[test]
    fn whatever_is_quoted_stays_one_identifier() {
        assert_eq!(quoted("Numero"), "\"Numero\"");
        assert_eq!(quoted("a\"; DROP TABLE b; --"), "\"a\"\"; DROP TABLE b; --\"");
    }
}
