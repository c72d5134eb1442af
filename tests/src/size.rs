//! The size of a scenario: small in the test suite, otherwise as large as an environment variable says.

/// Returns the number in an environment variable, or `usual` if the variable is not set.
///
/// # Panics
/// The variable does not contain a number.
#[expect(clippy::disallowed_methods, clippy::panic, reason = "sizes are no configuration; a wrong one ends the test")]
pub fn asked_for(variable: &str, usual: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}: expected a number, found {text:?}")),
        Err(_) => usual,
    }
}
