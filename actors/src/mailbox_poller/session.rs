//! One poll: a session with the source for its mail and, where sessions broke over a mail, another for that mail alone. In a session:
//! list, try the suspects alone, fetch the rest in windows, delete what is settled, close. What is not settled soon is carried over
//! (`admission::lending`).

use std::time::Instant;

use store::planted::point;
use uuid::Uuid;

use super::MailboxPollerParts;
use crate::admission::lending::Lending;
use crate::admission::memory::{Memory, hint};
use crate::admission::poll::{NextPoll, Poll, PollError, Polled, Turn};
use crate::admission::{CARRIED_AFTER, SETTLE_WAIT_MAX};
use crate::metrics::ActorMetrics;
use crate::transport::Candidate;

/// Polls once.
pub async fn poll(
    parts: &MailboxPollerParts,
    metrics: &ActorMetrics,
    life: Uuid,
    memory: &mut Memory,
    lending: &mut Lending,
) -> Result<Polled, PollError> {
    let source = &parts.source;
    if !source.take_lease().await? {
        return Ok(Polled { next: NextPoll::InTurn, is_elsewhere: true });
    }
    memory.take_attempts_back(source).await?;
    let polled = hold_session(parts, parts.begin(metrics, life, lending), memory, Turn::Others).await?;
    if memory.breakers.has_due(Instant::now()) && source.may_fetch() {
        match hold_session(parts, parts.begin(metrics, life, lending), memory, Turn::Breaker).await {
            Ok(_) => {}
            // What breaks again has been told of, and the poll has done its work.
            Err(PollError::Source(fault)) => {
                tracing::debug!(mailbox = &*source.name, %fault, "it was for one mail alone");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(polled)
}

/// Waits, when the process drains, for what earlier sessions have lent, and deletes it: first what comes back soon, since the process
/// may not be given the time for the rest.
pub async fn end(
    parts: &MailboxPollerParts,
    metrics: &ActorMetrics,
    life: Uuid,
    memory: &mut Memory,
    lending: &mut Lending,
) -> Result<(), PollError> {
    for wait_max in [CARRIED_AFTER, SETTLE_WAIT_MAX] {
        let mut poll = parts.begin(metrics, life, lending);
        poll.wait_for_lent(wait_max).await;
        poll.finish(memory).await?;
        if lending.has_settled() {
            self::poll(parts, metrics, life, memory, lending).await?;
        }
        if lending.is_empty() {
            break;
        }
    }
    Ok(())
}

impl MailboxPollerParts {
    fn begin<'a>(&'a self, metrics: &'a ActorMetrics, life: Uuid, lending: &'a mut Lending) -> Poll<'a> {
        Poll::new((&self.source, self.turns), metrics, life, lending)
    }
}

async fn hold_session(
    parts: &MailboxPollerParts,
    mut poll: Poll<'_>,
    memory: &mut Memory,
    turn: Turn,
) -> Result<Polled, PollError> {
    let source = &parts.source;
    let mut suspects = source.suspects(poll.life).await?;
    let mut session = parts.transport.open().await?;
    let listing = session.list().await?;
    let gauge = source.metrics.mailbox_mails.with_label_values(&[&*source.name]);
    gauge.set(i64::try_from(listing.candidates.len()).unwrap_or(i64::MAX));
    point("mailbox_poller::listed");
    poll.is_listed_whole = listing.left_out == 0;
    memory.forget_all_but(&listing.candidates, poll.is_listed_whole);
    // Before it is decided what to fetch: what has come back may have to stay.
    poll.take_back(memory);
    if poll.is_listed_whole {
        poll.lending.forget_all_but(&listing.candidates);
    }
    let mails: Vec<Candidate> = match turn {
        Turn::Others => listing.candidates.into_iter().filter(|listed| !memory.breakers.has_mail(listed)).collect(),
        Turn::Breaker => memory.breakers.pick(&listing.candidates, Instant::now()).cloned().into_iter().collect(),
    };
    // A suspect is tried before all others, so one over which the session breaks waits for that mail's own session.
    suspects.retain(|suspect| match turn {
        Turn::Others => !memory.breakers.has(&suspect.token),
        Turn::Breaker => mails.iter().any(|listed| *hint(listed) == *suspect.token),
    });
    (poll.complaints.odd_lines, poll.complaints.odd_line) = (listing.odd_lines, listing.first_odd_line);
    let fetched = poll.fetch(&mut *session, mails, suspects, turn, memory).await;
    // Whatever became of the session, what was handed on comes back first, or is carried over; only then is its line struck out.
    let unsettled = poll.wait_for_lent(CARRIED_AFTER).await;
    let ended = match fetched {
        Ok(()) => poll.delete_and_close(session).await,
        Err(error) => Err(error),
    };
    poll.tell(memory, turn);
    poll.finish(memory).await?;
    ended?;
    if unsettled > 0 {
        return Err(PollError::Unsettled(unsettled));
    }
    Ok(Polled { next: poll.next_poll(), is_elsewhere: false })
}
