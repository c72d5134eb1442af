//! Polls one source, a mailbox or the transfer folder. It fetches mail in windows, lends each mail to a decoder, and deletes mail whose
//! letters are committed.
//!
//! The source holds the only copy that counts until the letters' transaction is committed. The server deletes the mail marked as deleted
//! only when it has answered the close of the session. If a session ends in any other way (a cut, a panic, a kill), the mail stays in its
//! source, and settling recognises the letter when it is fetched again.

mod parts;
mod session;

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::admission::lending::Lending;
use crate::admission::memory::Memory;
use crate::admission::polled::{NextPoll, PollError, Polled};
use crate::admission::records::LEASE_HOLD;
use crate::admission::source::{Admission, Turns};
use crate::lifelong::{LifeWork, Lifelong};
use crate::outage::Outage;
use crate::supervision::Guard;
pub use parts::MailboxPollerParts;

/// Largest number of sessions in a row that may each find another breaker (a mail over which sessions break). After more such sessions, the
/// fault is attributed to the server itself.
const BREAKS_IN_A_ROW_MAX: u32 = 1000;
/// Shortest pause between polls of a mailbox that fails.
const BACKOFF_MIN: Duration = Duration::from_millis(200);
/// Longest pause between polls of a mailbox that fails.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// Pause between two polls that ask another replica for the lease.
const ASKING: Duration = Duration::from_secs(1);

/// Longest wait for the database to give the lease back.
const RELEASE_WAIT_MAX: Duration = Duration::from_secs(2);

/// The poller of one source; see the module.
pub type MailboxPoller = Lifelong<MailboxPollerParts>;

impl LifeWork for MailboxPollerParts {
    /// Polls until the process drains, and then gives the lease back.
    async fn work(self, guard: Guard) {
        let _polling = self.polling.read().await;
        poll_until_drained(&self, &guard).await;
        self.give_lease_back().await;
    }
}

/// Returns the time until a source's next turn. Each source has one turn in every interval, at its own offset: if all sources were polled
/// at the same moment, they would delay each other.
fn until_turn(elapsed: Duration, interval: Duration, phase: Duration) -> Duration {
    let passed = (elapsed + interval).saturating_sub(phase).as_nanos() % interval.as_nanos().max(1);
    interval.saturating_sub(Duration::from_nanos(u64::try_from(passed).unwrap_or(u64::MAX)))
}

impl MailboxPollerParts {
    /// Gives the source's lease back. Otherwise another process could poll the source only after the lease has expired.
    async fn give_lease_back(&self) {
        let source = &self.source;
        if !source.gate.is_open() {
            return;
        }
        match tokio::time::timeout(RELEASE_WAIT_MAX, source.release_lease()).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => tracing::debug!(mailbox = &*source.name, %fault, "the lease ends by itself"),
            Err(_elapsed) => tracing::debug!(mailbox = &*source.name, "the lease ends by itself"),
        }
    }
}

async fn poll_until_drained(parts: &MailboxPollerParts, guard: &Guard) {
    let source = &parts.source;
    // Each life of this actor has its own identifier. It distinguishes mail that an earlier life did not finish from mail of this life.
    let life = Uuid::now_v7();
    let (mut memory, mut lending) = (Memory::default(), Lending::default());
    let mut rhythm = Rhythm::begin(parts);
    loop {
        tokio::select! {
            () = source.drain.told() => break,
            () = async {
                tokio::time::sleep(rhythm.pause).await;
                source.claims.known().await;
                source.replicas.known().await;
                source.gate.open().await;
            } => {}
        }
        if source.drain.is_told() {
            break;
        }
        let breakers_before = memory.breakers.len();
        let outcome = guard.metrics.timed(session::poll(parts, &guard.metrics, life, &mut memory, &mut lending)).await;
        if let Err(PollError::Database(_)) = outcome {
            guard.metrics.fault();
        }
        let found_breaker = memory.breakers.len() > breakers_before;
        rhythm.tell(&outcome, found_breaker);
        rhythm.next(&outcome, found_breaker);
        if source.gives_up() && lending.is_empty() && lending.settled_mails() == 0 {
            parts.give_lease_back().await;
            tracing::info!(mailbox = &*source.name, "another replica takes the {} over", source.facts.noun);
        }
        // The next poll must be early enough to renew the lease: a process that took the lease over would make suspects of the lent mail.
        if !lending.is_empty() {
            rhythm.pause = rhythm.pause.min(LEASE_HOLD / 3);
        }
    }
    if let Err(error) = session::end(parts, &guard.metrics, life, &mut memory, &mut lending).await {
        tracing::debug!(mailbox = &*source.name, %error, "mail that is settled stays in the {} and comes again", source.facts.noun);
    }
}

/// Decides when a poller polls next, and logs the results of its polls.
struct Rhythm<'p> {
    source: &'p Admission,
    turns: Turns,
    began: Instant,
    /// Pause until the next poll.
    pause: Duration,
    breaks_in_a_row: u32,
    outage: Outage,
}

impl Rhythm<'_> {
    fn begin(parts: &MailboxPollerParts) -> Rhythm<'_> {
        let MailboxPollerParts { source, turns, .. } = parts;
        let (began, outage) = (Instant::now(), Outage::default());
        Rhythm { source, turns: *turns, began, pause: Duration::ZERO, breaks_in_a_row: 0, outage }
    }

    /// Counts and logs how a poll ended. A poll that found a breaker has reached the source.
    fn tell(&mut self, outcome: &Result<Polled, PollError>, found_breaker: bool) {
        let Admission { name, metrics, facts, .. } = self.source;
        let word = outcome
            .as_ref()
            .map_or_else(PollError::step, |polled| if polled.is_elsewhere { "elsewhere" } else { "ok" });
        metrics.polls.with_label_values(&[&**name, word]).inc();
        match outcome {
            // This poll did not try the source: another process has its lease and shows its state.
            Ok(polled) if polled.is_elsewhere => metrics.polled_elsewhere(name),
            Ok(_) => {
                metrics.reached(name, true);
                if let Some(polls) = self.outage.end() {
                    tracing::info!(mailbox = &**name, polls, "the {} is polled again", facts.noun);
                }
            }
            Err(PollError::Source(_)) => metrics.reached(name, found_breaker),
            // These errors say nothing about the source.
            Err(PollError::Database(_) | PollError::Unsettled(_)) => {}
        }
        // A breaker has already been logged under its own name.
        if let Err(error) = outcome
            && !found_breaker
            && let Some(polls) = self.outage.failed(&error.to_string(), Instant::now())
        {
            tracing::warn!(
                mailbox = &**name,
                step = error.step(),
                polls,
                %error,
                "a poll failed; the mail stays where it is, and `xmserver mail test` tries each step"
            );
        }
    }

    /// Sets the pause until the next poll.
    fn next(&mut self, outcome: &Result<Polled, PollError>, found_breaker: bool) {
        let interval = self.turns.interval;
        let least = BACKOFF_MIN.min(interval);
        // A session that found another breaker has made progress: the next session fetches the mail behind the breaker.
        self.breaks_in_a_row = if found_breaker { self.breaks_in_a_row + 1 } else { 0 };
        self.pause = match outcome.as_ref().map(|polled| polled.next) {
            Ok(NextPoll::AtOnce) => Duration::ZERO,
            // The pause grows, because some providers lock out a client that signs in too often.
            Ok(NextPoll::Soon) => (self.pause * 2).clamp(least, interval),
            Ok(NextPoll::Asking) => ASKING.min(interval),
            Ok(NextPoll::InTurn) => until_turn(self.began.elapsed(), interval, self.turns.phase),
            Err(_) if found_breaker && self.breaks_in_a_row <= BREAKS_IN_A_ROW_MAX => least,
            Err(_) => (self.pause * 2).clamp(least, BACKOFF_MAX.max(interval)),
        };
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
