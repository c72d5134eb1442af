//! Takes mail that other mail servers push, by LMTP (RFC 2033) or SMTP (RFC 5321).
//!
//! The server that pushes keeps its copy of a mail until it gets a positive answer. So this module answers a mail only after its
//! [`Recipient`] has told the mail's [`Outcome`], which may take as long as a database needs to fail over.
//!
//! [`session`] knows the protocols and does no input or output: it turns octets into replies, and is fuzzed. `connection` runs one
//! session over a socket, with deadlines; `listener` accepts connections, and `places` bounds their number.

mod connection;
mod content;
mod listener;
pub mod places;
pub mod session;
mod settings;
pub mod tls;

use std::future::Future;

pub use content::Content;
pub use listener::Listener;
pub use settings::{IntakeSettings, Protocol};

/// What the sender of a mail is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The mail is settled, and the sender may forget it: 250.
    Taken,
    /// The sender keeps the mail and sends it again later: 451.
    Later,
    /// The program is stopping. The sender keeps the mail and sends it again, to another program if it can: 421.
    Leaving,
}

/// Takes the mails that a [`Listener`] receives.
pub trait Recipient: Clone + Send + Sync + 'static {
    /// Value that keeps the program from ending. It is dropped once the mail that is being received has been answered.
    type Expected: Send;

    /// Notes that a mail is being received. The program does not end before the returned value is dropped.
    fn expect(&self) -> Self::Expected;

    /// Waits until the mail's outcome is known. The wait must be shorter than the sender's patience. Postfix waits 600 s for the answer to
    /// a queued mail, and 100 s where it asks before it queues the mail.
    fn take(&self, content: Content) -> impl Future<Output = Outcome> + Send;

    /// Waits until the program begins to stop. Connections then end as soon as no mail is under way on them.
    fn leaving(&self) -> impl Future<Output = ()> + Send;
}
