//! Mail for the centre and for the offices: fetching by POP3, taking what is pushed by LMTP or SMTP, sending by SMTP, finding containers
//! in MIME.
//!
//! Mail is only a carrier. Nothing in it is believed, every size is limited before memory is used for it, and every error says which step
//! failed ([`MailError`]). The crate depends neither on actors nor on PostgreSQL, so that the office's program can use it too.

mod connect;
pub mod extract;
pub mod intake;
pub mod letterhead;
pub mod pop3;
mod replies;
pub mod settings;
pub mod smtp;
mod words;

pub use connect::{Cause, MailError, Step, TestReport, TlsTrouble};
pub use intake::{IntakeSettings, Protocol};
pub use settings::{Credential, MailboxSettings, RelaySettings, Secret, Security, SettingsError};
pub use words::printable;
