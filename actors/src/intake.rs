//! Whether mail may be fetched at all. Closed while the database is away: mail then waits in its mailbox, not in memory.

use std::time::Duration;

use store::database::Database;
use store::database::fault::Fault;
use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::stop::Stop;

/// First and longest pause between two looks at a database that is away.
const PROBE_MIN: Duration = Duration::from_millis(200);
const PROBE_MAX: Duration = Duration::from_secs(5);

/// The gate before every poller. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake(watch::Sender<bool>);

impl Default for Intake {
    fn default() -> Intake {
        Intake(watch::Sender::new(true))
    }
}

impl Intake {
    /// Closes the gate if the fault means that the database is away, and tells it, once for each time that it is.
    pub fn fault(&self, fault: &Fault) {
        if fault.is_away() && self.0.send_replace(false) {
            tracing::warn!(%fault, "no mail is fetched until the database answers");
        }
    }

    /// Says whether mail may be fetched.
    pub fn is_open(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until mail may be fetched.
    pub async fn open(&self) {
        // The sender lives in `self`, so this wait cannot fail.
        drop(self.0.subscribe().wait_for(|open| *open).await);
    }

    /// Looks after the gate: while it is closed, tries the database ever more slowly, and opens it when it answers.
    pub async fn keep(&self, database: &Database, metrics: &Metrics, stop: &Stop) {
        let mut closed = self.0.subscribe();
        while !stop.is_told() {
            metrics.database_answers(self.is_open());
            tokio::select! {
                () = stop.told() => return,
                waited = closed.wait_for(|open| !*open) => if waited.is_err() { return },
            }
            metrics.database_answers(false);
            let mut pause = PROBE_MIN;
            // One that answers, and has no room for what is written, would let mail in only to give it back, again and again.
            while let Err(fault) = database.probe().await {
                tracing::debug!(%fault, "the database is still away");
                tokio::select! {
                    () = stop.told() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(PROBE_MAX);
            }
            tracing::info!("the database answers again: mail flows");
            self.0.send_replace(true);
        }
    }
}
