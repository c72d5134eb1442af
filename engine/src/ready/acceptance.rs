//! Whether balancers should send mail to this program, as `/accept/smtp` tells them.
//!
//! This is not the same as whether the program is ready ([`super::Readiness`]). While the database fails over, no replica is ready. A
//! balancer that checked readiness would take all replicas out at once, and senders could not reach the centre. So the shallow answer stays
//! positive, and the senders' mail is held until the database answers again. The deep answer is negative for a replica that has lost the
//! database; a balancer uses the deep answer while at least one replica gives a positive one.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time without room for one more mail after which mail should go elsewhere.
const FULL_MAX: Duration = Duration::from_secs(5);
/// Time without the database after which the deep answer is negative.
const AWAY_MAX: Duration = Duration::from_secs(10);

/// How much a balancer asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Whether this program runs, has room, and is not stopping.
    Shallow,
    /// All that `Shallow` asks, and whether this program reaches the database.
    Deep,
}

/// Why no mail should be sent to this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// Nothing takes pushed letters by this protocol.
    NotConfigured,
    /// The program is starting, or cannot listen at the address of an intake.
    Starting,
    /// The program is stopping, or about to stop.
    Stopping,
    /// The program has as much mail in hand as it may have.
    Full,
    /// The program does not reach the database or, where it has none, the carrier.
    DatabaseAway,
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Elsewhere::NotConfigured => "it is not configured: this needs an [[intake]], or [https]",
            Elsewhere::Starting => "the program does not listen yet: its log says why",
            Elsewhere::Stopping => "the program is stopping",
            Elsewhere::Full => "the program has as much mail in hand as it may",
            Elsewhere::DatabaseAway => "the database does not answer, or the carrier where there is no database",
        })
    }
}

/// What the program has reported about itself.
#[derive(Debug, Default)]
struct Seen {
    listens: bool,
    is_leaving: bool,
    full_since: Option<Instant>,
    away_since: Option<Instant>,
}

/// Whether mail should be sent to this program.
#[derive(Debug)]
pub struct Acceptance {
    is_configured: bool,
    seen: Mutex<Seen>,
}

impl Acceptance {
    /// Makes the state of a program that is starting.
    pub fn new(is_configured: bool) -> Acceptance {
        Acceptance { is_configured, seen: Mutex::default() }
    }

    /// Notes whether the program listens at every address of the protocol, whether the database answers, and whether there is room for one
    /// more mail.
    pub fn note(&self, listens: bool, database_answers: bool, has_room: bool, now: Instant) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.listens = listens;
        let since = |is_so: bool, since: Option<Instant>| is_so.then(|| since.unwrap_or(now));
        seen.full_since = since(!has_room, seen.full_since);
        seen.away_since = since(!database_answers, seen.away_since);
    }

    /// Notes that the program is about to stop. It still takes mail that is sent to it.
    pub fn leave(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).is_leaving = true;
    }

    /// Says whether mail should be sent to this program.
    ///
    /// # Errors
    /// Why mail should be sent elsewhere.
    pub fn look(&self, depth: Depth, now: Instant) -> Result<(), Elsewhere> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let lasts =
            |since: Option<Instant>, most| since.is_some_and(|since| now.saturating_duration_since(since) >= most);
        match () {
            () if !self.is_configured => Err(Elsewhere::NotConfigured),
            () if seen.is_leaving => Err(Elsewhere::Stopping),
            () if !seen.listens => Err(Elsewhere::Starting),
            () if lasts(seen.full_since, FULL_MAX) => Err(Elsewhere::Full),
            () if depth == Depth::Deep && lasts(seen.away_since, AWAY_MAX) => Err(Elsewhere::DatabaseAway),
            () => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failover_takes_no_replica_out_and_a_stop_does_at_once() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let acceptance = Acceptance::new(true);
        let look = |seconds| [Depth::Shallow, Depth::Deep].map(|depth| acceptance.look(depth, at(seconds)));
        assert_eq!(look(0), [Err(Elsewhere::Starting); 2]);
        acceptance.note(false, true, true, at(1));
        assert_eq!(look(1), [Err(Elsewhere::Starting); 2]);
        acceptance.note(true, true, true, at(2));
        assert_eq!(look(2), [Ok(()); 2]);

        (3..=12).for_each(|second| acceptance.note(true, false, true, at(second)));
        assert_eq!(look(12), [Ok(()); 2]);
        assert_eq!(look(13), [Ok(()), Err(Elsewhere::DatabaseAway)]);
        acceptance.note(true, true, true, at(14));
        assert_eq!(look(14), [Ok(()); 2]);

        (15..=19).for_each(|second| acceptance.note(true, true, false, at(second)));
        assert_eq!(look(19), [Ok(()); 2]);
        assert_eq!(look(20), [Err(Elsewhere::Full); 2]);
        acceptance.note(true, true, true, at(21));
        assert_eq!(look(21), [Ok(()); 2]);

        acceptance.leave();
        assert_eq!(look(21), [Err(Elsewhere::Stopping); 2]);
        assert_eq!(Acceptance::new(false).look(Depth::Shallow, began), Err(Elsewhere::NotConfigured));
    }
}
