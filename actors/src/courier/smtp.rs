//! Sends answers in mails through one relay. Only the relay's positive reply after the final dot proves that a mail is taken.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mail::smtp::{FailureKind, Outgoing, Relay, SendFailure};
use sdc::digest::Digest;

use super::{Again, Courier, NotTaken, Sealed};

/// Largest number of answers in one mail (SPEC 4: answers that wait together share a mail).
const ANSWERS_PER_MAIL_MAX: usize = 8;

/// Sends answers to the registered addresses of their agencies.
pub struct SmtpCourier {
    /// The relay that takes the mails.
    pub relay: Arc<Relay>,
    /// The centre's own address.
    pub address: String,
    /// The server's name, for Message-IDs.
    pub server_name: String,
}

impl SmtpCourier {
    fn outgoing(&self, sealed: &[Sealed]) -> Outgoing {
        let names: Vec<String> =
            sealed.iter().map(|Sealed { answer, .. }| format!("{}.{:06}", answer.name(), answer.agency)).collect();
        // The Message-ID is derived from the answers, because a gateway may discard a mail whose Message-ID it has seen. The same answers
        // get the same Message-ID, and other answers get another.
        let identity = match names.as_slice() {
            [alone] => alone.clone(),
            together => Digest::of(together.join(" ").as_bytes()).to_string(),
        };
        Outgoing {
            message_id: format!("{identity}@{}", self.server_name),
            from: self.address.clone(),
            to: sealed.first().map(|Sealed { answer, .. }| answer.email.clone()).unwrap_or_default(),
            subject: "SDC 1".to_owned(),
            documents: sealed
                .iter()
                .map(|Sealed { answer, document }| (format!("{}.sdc", answer.name()), document.clone()))
                .collect(),
            is_automatic: true,
        }
    }
}

impl Courier for SmtpCourier {
    fn transport(&self) -> &'static str {
        "mail"
    }

    fn noun(&self) -> &'static str {
        "relay"
    }

    fn needs_address(&self) -> bool {
        true
    }

    fn together_max(&self) -> usize {
        ANSWERS_PER_MAIL_MAX
    }

    fn carry<'c>(&'c self, answers: &'c [Sealed]) -> BoxFuture<'c, Result<(), NotTaken>> {
        async move { Ok(self.relay.send(&self.outgoing(answers)).await?) }.boxed()
    }
}

impl From<SendFailure> for NotTaken {
    fn from(failure: SendFailure) -> NotTaken {
        let again = match failure.kind {
            _ if failure.is_before_mail => Again::OnceBack,
            FailureKind::Transient => Again::Later,
            FailureKind::Permanent => Again::Never,
        };
        NotTaken { again, words: failure.to_string() }
    }
}
