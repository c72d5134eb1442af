//! Runs the demo's operators while its agencies send. They use the database as operators' commands do. While a kill has made the database
//! unreachable, they try again.

use std::time::Duration;

use store::database::Database;
use tokio::task::JoinHandle;

use crate::configuration::Configuration;
use crate::database;
use crate::operators::KeysAtHand;

/// The pause between two queries for work that waits for operators.
const LOOK: Duration = Duration::from_millis(200);
/// The longest wait until the database is reachable again after a kill, as a number of these pauses.
const LOOKS_MAX: u32 = 300;

/// The operators of the demo's centre.
#[derive(Clone)]
pub struct Operators {
    database: Database,
    keys: KeysAtHand,
}

/// The operators' running task. Dropping it ends their work.
pub struct AtWork(JoinHandle<()>);

impl Operators {
    /// Makes the operators, and loads the centre's keys, with which they open held letters.
    ///
    /// # Errors
    /// The keys cannot be read.
    pub fn new(configuration: &Configuration) -> anyhow::Result<Operators> {
        let database = database::connect(configuration, None)?;
        let keys = KeysAtHand::load(configuration, database.clone())?;
        Ok(Operators { database, keys })
    }

    /// Starts the operators' work. It ends when the returned value is dropped.
    pub fn begin(&self) -> AtWork {
        let operators = self.clone();
        AtWork(tokio::spawn(async move {
            loop {
                if let Err(error) = simulation::operators::work(&operators.database, &operators.keys).await {
                    tracing::debug!(%error, "the operators could not go on; they try again");
                }
                tokio::time::sleep(LOOK).await;
            }
        }))
    }

    /// Writes a text to every agency that has written before.
    ///
    /// # Errors
    /// The database is not reachable again in time.
    pub async fn tell_all(&self, text: &str) -> anyhow::Result<()> {
        let mut looks = 0;
        loop {
            let told = simulation::operators::broadcast(&self.database, text).await;
            looks += 1;
            if told.is_ok() || looks == LOOKS_MAX {
                return told;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.abort();
    }
}
