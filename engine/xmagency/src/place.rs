//! Where things are: the office folder, and the folder of further languages. The one file that reads the environment.

use std::path::PathBuf;

use agency::platform;

/// Environment variable that names the office folder.
pub const OFFICE_VARIABLE: &str = "XMAGENCY_OFFICE";
/// Environment variable that names the user.
pub const USER_VARIABLE: &str = "XMAGENCY_USER";
/// Environment variable that names the file whose first line is the pass-phrase.
pub const PASSPHRASE_FILE_VARIABLE: &str = "XMAGENCY_PASSPHRASE_FILE";

/// Returns the office folder that is meant where none is named: `xmagency` in the folder of the person's own data.
pub fn office_folder() -> Option<PathBuf> {
    platform::data_folder(variable).map(|folder| folder.join("xmagency"))
}

/// Returns the folder of further languages.
pub fn words_folder() -> PathBuf {
    office_folder().unwrap_or_default().join("words")
}

#[expect(clippy::disallowed_methods, reason = "the one place where the office's program reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
