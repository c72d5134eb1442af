//! How large a scenario is: small in the suite, as large as the environment asks for otherwise.

/// Returns the number that an environment variable asks for, or the suite's own.
///
/// # Panics
/// The variable holds no number.
#[expect(clippy::disallowed_methods, clippy::panic, reason = "sizes are no configuration; a wrong one ends the test")]
pub fn asked_for(variable: &str, usual: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}: expected a number, found {text:?}")),
        Err(_) => usual,
    }
}
