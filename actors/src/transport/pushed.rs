//! A source to which mail is pushed, by LMTP, SMTP or HTTPS. Its senders hold the only copies that count.

use futures_util::future::BoxFuture;

use super::{TransportFacts, TransportFault};
use crate::admission::lender::Lender;
use crate::answer_desk::AnswerDesk;

/// A source to which mail is pushed. It listens, lends each mail to the admission, and answers the sender according to the mail's fate.
pub trait Pushed: Send + Sync + 'static {
    /// Returns the constant facts about this transport.
    fn facts(&self) -> TransportFacts;

    /// Listens and accepts mail until the future is dropped. Returns only after a fault. A sender gets a positive answer only if
    /// [`Lender::lend`] returns `Settled` or `Left`. In every other case the answer asks the sender to send the mail again later.
    ///
    /// `desk` hands out the answers to letters, for senders that wait for them.
    fn listen(&self, lender: Lender, desk: AnswerDesk) -> BoxFuture<'_, TransportFault>;
}
