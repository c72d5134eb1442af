//! The gate of all sources: mail may be fetched while the gate is open. The gate is closed while the database cannot be reached, so that
//! mail waits in its source and not in memory.

use std::time::Duration;

use store::database::Database;
use store::database::fault::Fault;
use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::stop::Stop;

/// First pause between two probes of a database that cannot be reached. Each pause is twice as long as the one before.
const PROBE_MIN: Duration = Duration::from_millis(200);
/// Longest pause between two probes of a database that cannot be reached.
const PROBE_MAX: Duration = Duration::from_secs(5);

/// The gate of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Gate {
        Gate(watch::Sender::new(true))
    }
}

impl Gate {
    /// Closes the gate if the fault means that the database cannot be reached. Logs each closing once.
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
        // `wait_for` fails only if the channel's `watch::Sender` is gone. It cannot be gone, since `self` owns it.
        drop(self.0.subscribe().wait_for(|open| *open).await);
    }

    /// Watches the gate. While the gate is closed, probes the database after growing pauses, and opens the gate when the database answers.
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
            // The probe writes into the database. If it only read, the gate would open although the database's disk is full, and all mail
            // that is then fetched would have to be returned.
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
