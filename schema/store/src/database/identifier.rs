//! SQL identifiers that come from outside: which may stand in a statement, and how.
//!
//! Whoever puts a name into a statement takes it from an adopted table, where [`is_plain`] admitted it, and quotes it here. The name
//! of a column in a letter is never put into a statement: it is looked up, and the table's own spelling is used.

/// PostgreSQL cuts longer identifiers off, silently.
const NAME_BYTES_MAX: usize = 63;

/// Says whether a name may stand in statements and letters. Quoting marks may not, nor question marks: [`crate::database::statement`] puts
/// its binds where those stand.
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
