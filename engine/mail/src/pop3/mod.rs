//! The POP3 client (RFC 1939, 2449, 2595, 5034): a parser without I/O, and a session over it.

pub mod listing;
pub mod reply;
mod session;

pub use listing::Listed;
pub use session::{Mailbox, MailboxSize, Outcome, Retrieval, Retrieved, Session};
