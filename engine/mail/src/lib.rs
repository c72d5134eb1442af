//! Mail, at both ends of the star: fetching by POP3, sending by SMTP, finding containers in MIME.
//!
//! Mail is only a carrier. Nothing in it is believed, every size is limited before memory is spent on it, and every
//! failure tells the step that failed ([`MailError`]). The crate knows neither actors nor PostgreSQL, so that the
//! office's program can use it too.

mod connect;
pub mod extract;
pub mod letterhead;
pub mod pop3;
mod replies;
pub mod settings;
pub mod smtp;
mod words;

pub use connect::{Cause, MailError, Step, TestReport, TlsTrouble};
pub use settings::{Credential, MailboxSettings, RelaySettings, Secret, Security, SettingsError};
pub use words::printable;
