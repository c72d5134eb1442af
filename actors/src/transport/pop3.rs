//! A mailbox accessed by POP3. DELE marks a mail, and the mail is deleted when the server has answered QUIT.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mail::pop3::{self, Listed, Mailbox, Retrieval};

use super::{
    Candidate, FetchOutcome, FetchOutcomes, Fetching, Form, Listing, Session, Transport, TransportFacts, TransportFault,
};

impl Transport for Mailbox {
    fn facts(&self) -> TransportFacts {
        TransportFacts { answers_by: "mail", noun: "mailbox", form: Form::Mail }
    }

    fn open(&self) -> BoxFuture<'_, Result<Box<dyn Session>, TransportFault>> {
        async move {
            let session: Box<dyn Session> = Box::new(Pop3Session { session: self.open().await?, wanted: Vec::new() });
            Ok(session)
        }
        .boxed()
    }
}

struct Pop3Session {
    session: pop3::Session,
    /// The mails that are being fetched, as the POP3 client lists them.
    wanted: Vec<Listed>,
}

impl Session for Pop3Session {
    fn list(&mut self) -> BoxFuture<'_, Result<Listing, TransportFault>> {
        async move {
            let pop3::Listing { mails, odd_lines, first_odd_line } = self.session.listing().await?;
            let candidates = mails.into_iter().map(Candidate::from).collect();
            Ok(Listing { candidates, odd_lines, first_odd_line, left_out: 0 })
        }
        .boxed()
    }

    fn fetch<'s>(
        &'s mut self,
        wanted: &'s [Candidate],
        bytes_max: u64,
    ) -> BoxFuture<'s, Result<Fetching<'s>, TransportFault>> {
        async move {
            self.wanted = wanted.iter().map(Listed::from).collect();
            let retrieval = self.session.retrieve(&self.wanted, bytes_max).await?;
            Ok(Fetching::of(wanted, Retrieving(retrieval)))
        }
        .boxed()
    }

    fn delete<'s>(&'s mut self, numbers: &'s [u32]) -> BoxFuture<'s, Result<Vec<u32>, TransportFault>> {
        async move { Ok(self.session.delete(numbers).await?) }.boxed()
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), TransportFault>> {
        async move { Ok(self.session.quit().await?) }.boxed()
    }
}

struct Retrieving<'s>(Retrieval<'s>);

impl FetchOutcomes for Retrieving<'_> {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<FetchOutcome>, TransportFault>> {
        async move { Ok(self.0.next().await?.map(|retrieved| retrieved.outcome.into())) }.boxed()
    }
}

impl From<Listed> for Candidate {
    fn from(listed: Listed) -> Candidate {
        Candidate { number: listed.number, token: listed.uidl, size_bytes: listed.size_bytes }
    }
}

impl From<&Candidate> for Listed {
    fn from(candidate: &Candidate) -> Listed {
        Listed { number: candidate.number, uidl: candidate.token.clone(), size_bytes: candidate.size_bytes }
    }
}

impl From<pop3::Outcome> for FetchOutcome {
    fn from(outcome: pop3::Outcome) -> FetchOutcome {
        match outcome {
            pop3::Outcome::Mail(octets) => FetchOutcome::Mail(octets),
            pop3::Outcome::OverSize { head, size_bytes } => FetchOutcome::OverSize { head, size_bytes },
            pop3::Outcome::Refused(words) => FetchOutcome::Refused(words),
        }
    }
}
