//! Polls one source, a mailbox or the transfer folder: fetches mail in windows, lends each to a decoder, and deletes what has been
//! committed.
//!
//! The source holds the only copy that counts until the letter's transaction is committed; what is marked as deleted goes when the
//! session is closed, and one whose end was not seen has not happened. Every other end of a session (a cut, a panic, a kill)
//! leaves the mail where it is, and settling knows a letter that comes again.

mod session;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, Context, ContextFutureSpawner, Handler, WrapFuture};
use futures_util::FutureExt;
use tokio::sync::RwLock;
use uuid::Uuid;

use crate::admission::lending::Lending;
use crate::admission::memory::Memory;
use crate::admission::poll::{NextPoll, PollError, Polled};
use crate::admission::records::LEASE_HOLD;
use crate::admission::{Admission, Turns};
use crate::outage::Outage;
use crate::supervision::{Guard, Heartbeat};
use crate::transport::Transport;

/// Sessions that may each break over another mail before that is taken for trouble of the server itself.
const BREAKS_IN_A_ROW_MAX: u32 = 1000;
/// Shortest and longest pause between polls of a mailbox that fails.
const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Longest wait for a database that is to take a lease back.
const RELEASE_WAIT_MAX: Duration = Duration::from_secs(2);

/// What a poller is built with.
#[derive(Clone)]
pub struct MailboxPollerParts {
    /// What its mail passes.
    pub source: Admission,
    /// How the source is reached.
    pub transport: Arc<dyn Transport>,
    /// How much is taken at a time, and when.
    pub turns: Turns,
    /// Held for reading by every poller until it has ended its last session and given its lease back, so that draining
    /// can wait for that.
    pub polling: Arc<RwLock<()>>,
}

/// See the module.
pub struct MailboxPoller {
    parts: MailboxPollerParts,
    guard: Guard,
}

impl MailboxPoller {
    /// Makes a poller.
    pub fn new(parts: MailboxPollerParts, guard: Guard) -> MailboxPoller {
        MailboxPoller { parts, guard }
    }
}

impl Actor for MailboxPoller {
    type Context = Context<MailboxPoller>;

    fn started(&mut self, context: &mut Context<MailboxPoller>) {
        let polling = poll_for_ever(self.parts.clone(), self.guard.clone());
        std::panic::AssertUnwindSafe(polling)
            .catch_unwind()
            .into_actor(self)
            .map(|ended, actor, context| {
                if let Err(panic) = ended {
                    actor.guard.clone().end_after_panic(context, panic.as_ref());
                }
            })
            .spawn(context);
    }
}

impl Handler<Heartbeat> for MailboxPoller {
    type Result = ();

    fn handle(&mut self, _: Heartbeat, _: &mut Context<MailboxPoller>) {}
}

/// Returns how long it is until a mailbox's next turn: each has one in every interval, at its own moment of it. All at the same
/// moment, they would keep each other and the letters that they bring waiting.
fn until_turn(elapsed: Duration, interval: Duration, phase: Duration) -> Duration {
    let passed = (elapsed + interval).saturating_sub(phase).as_nanos() % interval.as_nanos().max(1);
    interval.saturating_sub(Duration::from_nanos(u64::try_from(passed).unwrap_or(u64::MAX)))
}

impl MailboxPollerParts {
    /// Gives the source to whoever wants it next: without that another program waits for the lease's end.
    async fn give_lease_back(&self) {
        let source = &self.source;
        if !source.intake.is_open() {
            return;
        }
        match tokio::time::timeout(RELEASE_WAIT_MAX, source.release_lease()).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => tracing::debug!(mailbox = &*source.name, %fault, "the lease ends by itself"),
            Err(_elapsed) => tracing::debug!(mailbox = &*source.name, "the lease ends by itself"),
        }
    }
}

/// Polls until the process drains, and gives the lease back then.
async fn poll_for_ever(parts: MailboxPollerParts, guard: Guard) {
    let _polling = parts.polling.read().await;
    poll_until_drained(&parts, &guard).await;
    parts.give_lease_back().await;
}

async fn poll_until_drained(parts: &MailboxPollerParts, guard: &Guard) {
    let MailboxPollerParts { source, turns, .. } = parts;
    // One name per life of this actor: what an earlier life left in hand is told from what this one holds.
    let life = Uuid::now_v7();
    let (mut memory, mut lending) = (Memory::default(), Lending::default());
    let mut pause = Duration::ZERO;
    let mut breaks_in_a_row = 0;
    let mut outage = Outage::default();
    let began = Instant::now();
    loop {
        tokio::select! {
            () = source.drain.told() => break,
            () = async {
                tokio::time::sleep(pause).await;
                source.claims.known().await;
                source.intake.open().await;
            } => {}
        }
        if source.drain.is_told() {
            break;
        }
        let breakers_before = memory.breakers.len();
        let outcome = guard.metrics.timed(session::poll(parts, &guard.metrics, life, &mut memory, &mut lending)).await;
        // A session that broke over one more mail has reached the mailbox and found something out: the mail behind it is next.
        let found_breaker = memory.breakers.len() > breakers_before;
        breaks_in_a_row = if found_breaker { breaks_in_a_row + 1 } else { 0 };
        let word = outcome
            .as_ref()
            .map_or_else(PollError::step, |polled| if polled.is_elsewhere { "elsewhere" } else { "ok" });
        source.metrics.polls.with_label_values(&[&*source.name, word]).inc();
        match &outcome {
            // It was not tried here: the program with its lease tells how it is.
            Ok(polled) if polled.is_elsewhere => source.metrics.polled_elsewhere(&source.name),
            Ok(_) => {
                source.metrics.reached(&source.name, true);
                if let Some(polls) = outage.end() {
                    tracing::info!(mailbox = &*source.name, polls, "the {} is polled again", source.facts.noun);
                }
            }
            Err(PollError::Source(_)) if found_breaker => source.metrics.reached(&source.name, true),
            Err(PollError::Source(_)) => source.metrics.reached(&source.name, false),
            // Neither says anything of the mailbox.
            Err(PollError::Database(_) | PollError::Unsettled(_)) => {}
        }
        pause = match outcome {
            Ok(Polled { next: NextPoll::AtOnce, .. }) => Duration::ZERO,
            // Providers lock out whoever signs in all the time.
            Ok(Polled { next: NextPoll::Soon, .. }) => {
                (pause * 2).clamp(BACKOFF_MIN.min(turns.interval), turns.interval)
            }
            Ok(Polled { next: NextPoll::InTurn, .. }) => until_turn(began.elapsed(), turns.interval, turns.phase),
            Err(error) => {
                if let PollError::Database(_) = error {
                    guard.metrics.fault();
                }
                // A mail over which the session broke has been told of by its name.
                let polls = if found_breaker { None } else { outage.failed(&error.to_string(), Instant::now()) };
                if let Some(polls) = polls {
                    tracing::warn!(mailbox = &*source.name, step = error.step(), polls, %error, "a poll failed; the mail stays where it is");
                }
                let least = BACKOFF_MIN.min(turns.interval);
                if found_breaker && breaks_in_a_row <= BREAKS_IN_A_ROW_MAX {
                    least
                } else {
                    (pause * 2).clamp(least, BACKOFF_MAX.max(turns.interval))
                }
            }
        };
        // Nobody else is to take over the mailbox, and suspect what is in hand.
        if !lending.is_empty() {
            pause = pause.min(LEASE_HOLD / 3);
        }
    }
    if let Err(error) = session::end(parts, &guard.metrics, life, &mut memory, &mut lending).await {
        tracing::debug!(mailbox = &*source.name, %error, "mail that is settled stays in the {} and comes again", source.facts.noun);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mailbox_has_a_turn_in_every_interval_at_its_own_moment() {
        let turn = |elapsed, phase| {
            let ms = Duration::from_millis;
            until_turn(ms(elapsed), ms(1000), ms(phase)).as_millis()
        };
        assert_eq!([turn(0, 0), turn(100, 0), turn(999, 0), turn(1000, 0), turn(5300, 0)], [1000, 900, 1, 1000, 700]);
        assert_eq!([turn(0, 250), turn(100, 250), turn(250, 250), turn(5300, 250)], [250, 150, 1000, 950]);
        assert_eq!(until_turn(Duration::from_secs(7), Duration::ZERO, Duration::ZERO), Duration::ZERO);
    }
}
