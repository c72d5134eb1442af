//! One poll consists of a session for the mail of the source and, where a breaker is due, another session for that breaker alone. A session
//! lists the mail, tries suspects alone, fetches the other mail in windows, deletes settled mail, and closes. Mail that is not settled soon
//! is carried over to the next session (`admission::lending`).

use std::time::{Duration, Instant};

use store::letters::in_hand::Suspect;
use store::letters::leases::Lease;
use store::planted::{self, Bug, point};
use uuid::Uuid;

use super::parts::MailboxPollerParts;
use crate::admission::lending::Lending;
use crate::admission::memory::Memory;
use crate::admission::poll::{Poll, Turn};
use crate::admission::polled::{CARRIED_AFTER, NextPoll, PollError, Polled, SETTLE_WAIT_MAX};
use crate::metrics::ActorMetrics;
use crate::transport::{Candidate, Session};

/// Polls once.
pub async fn poll(
    parts: &MailboxPollerParts,
    metrics: &ActorMetrics,
    life: Uuid,
    memory: &mut Memory,
    lending: &mut Lending,
) -> Result<Polled, PollError> {
    let source = &parts.source;
    if source.take_lease().await? == Lease::Elsewhere {
        let next = if source.falls_here() { NextPoll::Asking } else { NextPoll::InTurn };
        return Ok(Polled { next, is_elsewhere: true });
    }
    memory.take_attempts_back(source).await?;
    let polled = hold_session(parts, parts.begin(metrics, life, lending), memory, Turn::Others).await?;
    if memory.breakers.has_due(Instant::now()) && source.may_fetch() {
        match hold_session(parts, parts.begin(metrics, life, lending), memory, Turn::Breaker).await {
            Ok(_) => {}
            // This session was for the breaker alone, and has broken again. The breaker has already been logged, and the other mail was
            // fetched in the session before. So the poll has not failed.
            Err(PollError::Source(fault)) => {
                tracing::debug!(mailbox = &*source.name, %fault, "it was for one mail alone");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(polled)
}

/// Waits, when the process drains, for the mail that earlier sessions have lent, and deletes it in two rounds. The first round is short, as
/// the process may not be given the time for the second. Mail whose letter is settled and that is not deleted would be fetched again as a
/// duplicate.
///
/// # Errors
/// The errors of the last round.
pub async fn end(
    parts: &MailboxPollerParts,
    metrics: &ActorMetrics,
    life: Uuid,
    memory: &mut Memory,
    lending: &mut Lending,
) -> Result<(), PollError> {
    point("mailbox_poller::drains");
    let mut ended = Ok(());
    for wait_max in [CARRIED_AFTER, SETTLE_WAIT_MAX] {
        ended = end_round(parts, metrics, life, (&mut *memory, &mut *lending), wait_max).await;
        if lending.is_empty() && lending.settled_mails() == 0 {
            break;
        }
    }
    ended
}

/// Waits for lent mail for `wait_max` at most, then holds sessions until all settled mail is deleted. A session deletes what was settled
/// before it began, and a bounded number of mails, so one session may not be enough. A session that deletes none is the last.
async fn end_round(
    parts: &MailboxPollerParts,
    metrics: &ActorMetrics,
    life: Uuid,
    (memory, lending): (&mut Memory, &mut Lending),
    wait_max: Duration,
) -> Result<(), PollError> {
    let mut poll = parts.begin(metrics, life, lending);
    poll.wait_for_lent(wait_max).await;
    poll.finish(memory).await?;
    let mut settled = lending.settled_mails();
    while settled > 0 {
        let lent = lending.lent_mails();
        self::poll(parts, metrics, life, memory, lending).await?;
        // Mail that was settled while this session ran could not be deleted by it, and is among `settled_mails` from now on. `before`
        // counts that mail too, so that the comparison shows only whether the session has deleted any.
        let before = settled + lent - lending.lent_mails();
        settled = lending.settled_mails();
        if settled >= before {
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
    // Reports are handled before the mails to fetch are chosen, because a mail that was just reported may have to stay in the source.
    poll.take_back(memory);
    if poll.is_listed_whole {
        poll.lending.forget_all_but(&listing.candidates);
    }
    let mut mails: Vec<Candidate> = match turn {
        Turn::Others => listing.candidates.into_iter().filter(|listed| !memory.breakers.has_mail(listed)).collect(),
        Turn::Breaker => memory.breakers.pick(&listing.candidates, Instant::now()).cloned().into_iter().collect(),
    };
    if planted::has(Bug::LeaseTakenForProof) {
        let is_in_hand = |listed: &Candidate| suspects.iter().any(|suspect| *listed.hint() == *suspect.token);
        poll.to_delete.extend(mails.iter().filter(|listed| is_in_hand(listed)).map(|listed| listed.number));
        mails.retain(|listed| !is_in_hand(listed));
        suspects.clear();
    }
    // A suspect is tried before all other mail, so a suspect that is a breaker waits for its own session.
    suspects.retain(|suspect| match turn {
        Turn::Others => !memory.breakers.has(&suspect.token),
        Turn::Breaker => mails.iter().any(|listed| *listed.hint() == *suspect.token),
    });
    (poll.complaints.odd_lines, poll.complaints.odd_line) = (listing.odd_lines, listing.first_odd_line);
    let fetched = fetch(&mut poll, &mut *session, mails, suspects, turn, memory).await;
    // These steps follow even if the fetch failed. First, the lent mail is reported or carried over. Only then are those rows of
    // `xm.in_hand` deleted whose mails have all been reported.
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

/// Fetches the mail that this session may fetch. Settled mail of earlier sessions is deleted first, even if the fetch then fails.
async fn fetch(
    poll: &mut Poll<'_>,
    session: &mut dyn Session,
    mut mails: Vec<Candidate>,
    suspects: Vec<Suspect>,
    turn: Turn,
    memory: &mut Memory,
) -> Result<(), PollError> {
    memory.withheld.begin();
    let gone = poll.delete_carried(session, &mails, memory).await?;
    mails.retain(|listed| !gone.contains(&listed.number));
    poll.try_suspects(session, &mails, suspects, memory).await?;
    poll.fetch_rest(session, &mails, memory).await?;
    if turn == Turn::Others {
        poll.try_withheld(session, &mails, memory).await?;
    }
    Ok(())
}
