//! The POP3 client (RFC 1939, 2449, 2595, 5034): a parser without I/O, and sessions that use the parser.

pub mod listing;
mod mailbox;
pub mod reply;
mod retrieval;
mod session;
mod sign_in;
mod wire;

pub use listing::{Listed, Listing};
pub use mailbox::Mailbox;
pub use retrieval::{Outcome, Retrieval, Retrieved};
pub use session::{MailboxSize, Session};

#[cfg(test)]
mod tests;
