//! A source that is pushed to, by LMTP or HTTPS: its senders hold the only copy that counts.

use futures_util::future::BoxFuture;

use super::{TransportFacts, TransportFault};
use crate::admission::lender::Lender;

/// A source that is pushed to: it listens, lends each mail to the admission, and answers its sender by the mail's fate.
pub trait Pushed: Send + Sync + 'static {
    /// Says what it is.
    fn facts(&self) -> TransportFacts;

    /// Listens and takes mail for as long as it is let; ends only by a fault. A sender is told that its mail is done with only where
    /// [`Lender::lend`] says `Settled`, or `Left`; and to come again in every other case.
    fn listen(&self, lender: Lender) -> BoxFuture<'_, TransportFault>;
}
