//! An address at which other mail servers push mail, by LMTP or SMTP. A mail's fate decides its sender's answer.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mail::intake::{Content, Listener, Outcome, Recipient};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::pushed::Pushed;
use super::{Form, TransportFacts, TransportFault};
use crate::admission::lender::{Expected, Lender, PushedMail};
use crate::answer_desk::AnswerDesk;
use crate::custody::Fate;
use crate::metrics::IntakeMetrics;

/// An address at which mail is pushed.
pub struct MailIntake {
    /// Name of the source, as configured.
    pub name: String,
    /// Listens, and speaks the protocol.
    pub listener: Listener,
    /// Runtime of the connections.
    pub runtime: Handle,
}

impl Pushed for MailIntake {
    fn facts(&self) -> TransportFacts {
        TransportFacts { answers_by: "mail", noun: "intake", form: Form::Mail }
    }

    fn listen(&self, lender: Lender, _desk: AnswerDesk) -> BoxFuture<'_, TransportFault> {
        async move {
            let metrics = lender.metrics().intake(&self.name);
            let (listener, counts) = (self.listener.clone(), metrics.clone());
            // The listener and its connections run in a `JoinSet`, so that they end when the future that `listen` returns is dropped.
            let mut listening = JoinSet::new();
            let lending = Lending { lender: lender.clone(), metrics };
            let work = async move {
                let count = |connections| {
                    lender.listens();
                    counts.connections(connections);
                };
                listener.run(lending, count).await
            };
            listening.spawn_on(work, &self.runtime);
            let words = match listening.join_next().await {
                Some(Ok(words)) => words,
                _ => "the listener has panicked".to_owned(),
            };
            TransportFault { step: "tcp", words: format!("{}: {words}", self.name) }
        }
        .boxed()
    }
}

/// Lends the mails of all connections.
#[derive(Clone)]
struct Lending {
    lender: Lender,
    metrics: IntakeMetrics,
}

impl Recipient for Lending {
    type Expected = Expected;

    fn expect(&self) -> Expected {
        self.lender.expect()
    }

    async fn take(&self, content: Content) -> Outcome {
        let _held = self.metrics.hold();
        let Content { mail, over_size_bytes } = content;
        let fate = self.lender.lend(PushedMail { mail, over_size_bytes, answer: None, origin: None }).await;
        let outcome = match fate {
            Fate::Settled | Fate::Left => Outcome::Taken,
            _ if self.lender.is_draining() => Outcome::Leaving,
            Fate::Deferred | Fate::Withheld | Fate::Returned | Fate::Suspect => Outcome::Later,
        };
        self.metrics.answered(outcome);
        outcome
    }

    async fn leaving(&self) {
        self.lender.draining().await;
    }
}

#[cfg(test)]
mod tests;
