//! Tests of what the reader promises. The tests of rows use a real PostgreSQL.

mod dice;
mod grammar;
mod hostile;
mod ledger;
mod login;
mod meaning;
mod plans;
mod reading;
mod world;

/// Returns the number in an environment variable, or `usual` where it is not set. A long run of a test sets the variable to get more cases.
#[expect(clippy::disallowed_methods, reason = "how long a test runs is no configuration")]
fn told<N: std::str::FromStr>(variable: &str, usual: N) -> N {
    std::env::var(variable).ok().and_then(|count| count.parse().ok()).unwrap_or(usual)
}
