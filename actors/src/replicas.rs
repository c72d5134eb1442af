//! Finds out which leases fall to this process, one of the centre's replicas. A task reports regularly to the database that this process
//! lives, frees the leases of dead replicas, and keeps this knowledge up to date. Each report is one round.

use std::time::{Duration, Instant};

use store::database::Database;
use store::database::fault::Fault;
use store::replicas::{self, Assignment, DEAD_AFTER, Entry, LiveReplica, Replica, SEEN_EVERY, Twin, assigned};
use tokio::sync::watch;
use uuid::Uuid;

use crate::stop::Stop;

/// Pause after a round in which the database did not answer. It is short, because the other replicas soon take a replica for dead that does
/// not report.
const RETRY: Duration = Duration::from_secs(1);

/// Longest time between two answered rounds without an interruption of the database.
const BREAK: Duration = Duration::from_secs(2 * SEEN_EVERY.as_secs());

/// The time in which the database has answered this process without interruption. After an interruption, the last reports of other replicas
/// are old even if these replicas live. So none of them is taken for dead before it had the time to report again.
#[derive(Debug, Default)]
struct Touch {
    /// The first and the last answered round since the last interruption.
    rounds: Option<(Instant, Instant)>,
}

impl Touch {
    /// Notes a round in which the database answered.
    fn answered(&mut self, now: Instant) {
        let first = self.rounds.filter(|(_, last)| now - *last <= BREAK).map_or(now, |(first, _)| first);
        self.rounds = Some((first, now));
    }

    /// Notes a round in which the database did not answer.
    fn failed(&mut self) {
        self.rounds = None;
    }

    /// Says whether the other replicas had the time to report that they live.
    fn may_judge(&self) -> bool {
        self.rounds.is_some_and(|(first, last)| last - first >= DEAD_AFTER)
    }
}

/// The leases that fall to this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Replicas {
    process: Uuid,
    /// `None` until the first round has ended.
    assignment: watch::Sender<Option<Assignment>>,
}

impl Replicas {
    /// Makes a value without knowledge of the leases; [`Replicas::keep`] finds it out.
    pub fn unknown(process: Uuid) -> Replicas {
        Replicas { process, assignment: watch::Sender::new(None) }
    }

    /// Makes the value for a process that is the only replica.
    pub fn alone(process: Uuid) -> Replicas {
        Replicas { process, assignment: watch::Sender::new(Some(Assignment::default())) }
    }

    /// Waits until it is known which leases fall to this process.
    pub async fn known(&self) {
        // The wait cannot fail, because `self` owns the sender.
        drop(self.assignment.subscribe().wait_for(Option::is_some).await);
    }

    /// Says whether a lease falls to this process. A lease that falls to no live replica counts as falling to every replica, so that one of
    /// them takes it.
    pub fn falls_here(&self, lease: &str) -> bool {
        let assignment = self.assignment.borrow();
        assignment
            .as_ref()
            .and_then(|assignment| assignment.replica_of(lease))
            .is_none_or(|falls| falls == self.process)
    }

    /// Reports that this process lives, every [`SEEN_EVERY`] and as soon as it drains, until `ending` is told. Returns early if another
    /// program reports under this process's identity: this process must then end.
    pub async fn keep(&self, database: &Database, replica: &Replica, draining: &Stop, ending: &Stop) -> Option<Twin> {
        let mut drains = false;
        let (mut touch, mut live) = (Touch::default(), Vec::new());
        while !ending.is_told() {
            let pause = match self.round(database, replica, drains, (&mut touch, &mut live)).await {
                Ok(Entry::Twin(twin)) => return Some(twin),
                Ok(Entry::Entered) => SEEN_EVERY,
                Err(fault) => {
                    touch.failed();
                    tracing::debug!(%fault, "the other replicas could not be told that this one lives; trying again");
                    RETRY
                }
            };
            tokio::select! {
                () = ending.told() => {}
                () = draining.told(), if !drains => drains = true,
                () = tokio::time::sleep(pause) => {}
            }
        }
        None
    }

    async fn round(
        &self,
        database: &Database,
        replica: &Replica,
        drains: bool,
        (touch, live): (&mut Touch, &mut Vec<LiveReplica>),
    ) -> Result<Entry, Fault> {
        let mut connection = database.get().await?;
        let entry = replicas::beat(&mut connection, replica, drains).await?;
        if entry != Entry::Entered {
            return Ok(entry);
        }
        touch.answered(Instant::now());
        if touch.may_judge() {
            for process in replicas::bury(&mut connection).await? {
                let seconds = DEAD_AFTER.as_secs();
                tracing::warn!(%process, "a replica is silent for {seconds} s: what it had leased is free for the others");
            }
        }
        let found = replicas::live(&mut connection).await?;
        // A replica that is not found may be alive, and may only have had no time to report since the database was away. So it stays in the
        // list, and its leases stay assigned to it, until every live replica has had the time.
        let kept = if touch.may_judge() { Vec::new() } else { std::mem::take(live) };
        let missing = kept.into_iter().filter(|known| !found.iter().any(|found| found.process == known.process));
        *live = missing.chain(found.iter().cloned()).collect();
        self.assignment.send_replace(Some(assigned(live)));
        Ok(Entry::Entered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_taken_for_dead_before_all_had_the_time_to_tell_that_they_live() {
        let began = Instant::now();
        let mut touch = Touch::default();
        let mut round = |second| {
            touch.answered(began + Duration::from_secs(second));
            touch.may_judge()
        };
        assert_eq!([0, 5, 10, 14, 15, 20].map(&mut round), [false, false, false, false, true, true]);
        assert_eq!([31, 36, 41].map(&mut round), [false; 3], "the process was frozen");
        assert!(round(46));
        touch.failed();
        let mut round = |second| {
            touch.answered(began + Duration::from_secs(second));
            touch.may_judge()
        };
        assert_eq!([47, 52, 57].map(&mut round), [false; 3], "the database was away");
        assert!(round(62));
    }
}
