//! How PostgreSQL makes what it logs small.

use std::path::Path;

use super::binaries::Binaries;
use super::postmaster;
use super::service_user::ServiceUser;

/// Returns the value of `wal_compression`. After each checkpoint every page is logged whole when it is first touched, and LZ4
/// makes it small in a fifth of the time that PostgreSQL's own method takes; but not every build has LZ4.
pub fn compression(binaries: &Binaries, user: Option<&ServiceUser>, data: &Path) -> &'static str {
    if takes(binaries, user, data, "wal_compression", "lz4") { "lz4" } else { "on" }
}

/// Says whether this build takes a value for a setting.
pub fn takes(binaries: &Binaries, user: Option<&ServiceUser>, data: &Path, name: &str, value: &str) -> bool {
    let mut question = postmaster::unprivileged(&binaries.program("postgres"), user);
    // It prints the setting instead of starting, or says what is wrong with the value.
    question.args(["-C", name, "-c", &format!("{name}={value}"), "-D"]).arg(data);
    match question.output() {
        Ok(answer) => {
            let complaint = String::from_utf8_lossy(&answer.stderr);
            tracing::debug!(name, value, taken = answer.status.success(), %complaint, "asked PostgreSQL about a setting");
            answer.status.success()
        }
        Err(error) => {
            tracing::debug!(name, value, %error, "could not ask PostgreSQL about a setting");
            false
        }
    }
}
