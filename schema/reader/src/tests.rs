//! What the reader promises, against a real PostgreSQL where rows are meant.

mod dice;
mod grammar;
mod hostile;
mod login;
mod meaning;
mod reading;
mod world;

/// Returns how much a long run is told to do; else the usual.
#[expect(clippy::disallowed_methods, reason = "how long a test runs is no configuration")]
fn told<N: std::str::FromStr>(variable: &str, usual: N) -> N {
    std::env::var(variable).ok().and_then(|count| count.parse().ok()).unwrap_or(usual)
}
