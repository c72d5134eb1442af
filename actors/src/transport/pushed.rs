//! A source that is pushed to, by LMTP or HTTPS: its senders hold the only copy that counts.

use futures_util::future::BoxFuture;

use super::{TransportFacts, TransportFault};
use crate::admission::lender::Lender;

/// A source that is pushed to: it listens, lends each mail to the admission, and answers its sender by the mail's fate.
pub trait Pushed: Send + Sync + 'static {
    /// Says what it is.
    fn facts(&self) -> TransportFacts;

    /// Listens and takes mail until the future is dropped; returns only after a fault. A sender is told that its mail is done with only
    /// where [`Lender::lend`] returns `Settled` or `Left`. In every other case it is told to come again.
    fn listen(&self, lender: Lender) -> BoxFuture<'_, TransportFault>;
}
