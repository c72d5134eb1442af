//! Chooses the compression of pages in PostgreSQL's write-ahead log: LZ4 where the build has it.

use std::path::Path;

use crate::binaries::Binaries;
use crate::postmaster;
use crate::service_user::ServiceUser;

/// Returns the value of `wal_compression`: LZ4, or PostgreSQL's own method where the build has no LZ4. With the first change of a page
/// after each checkpoint, PostgreSQL writes the whole page to this log, so much is compressed. With its own method, an UPDATE of many pages
/// took five times as long as with LZ4.
pub fn compression(binaries: &Binaries, user: Option<&ServiceUser>, data: &Path) -> &'static str {
    if takes(binaries, user, data, "wal_compression", "lz4") { "lz4" } else { "on" }
}

/// Says whether this build of PostgreSQL accepts a value for a setting.
pub fn takes(binaries: &Binaries, user: Option<&ServiceUser>, data: &Path, name: &str, value: &str) -> bool {
    let mut question = postmaster::unprivileged(&binaries.program("postgres"), user);
    // With `-C`, `postgres` prints the setting instead of starting, or reports what is wrong with the value.
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
