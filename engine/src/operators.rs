//! Lets the simulated operators of the demo and of nemesis (a test program) try held letters again. For this, the module loads the centre's
//! keys, with which held letters are opened.

use std::sync::Arc;

use actors::pipeline::Limits;
use anyhow::Context;
use diesel_async::AsyncPgConnection;
use sdc::keys::CentreKeys;
use simulation::operators::Opener;
use store::database::Database;
use store::letters::quarantine::retry::TakenUp;
use store::settle::{Arrival, Settler};

use crate::configuration::Configuration;
use crate::folder::DataFolder;
use crate::{keys, reopen};

/// The centre's keys, with which held letters are opened, and the settler, which processes the letters again.
#[derive(Clone)]
pub struct KeysAtHand {
    centre: Arc<CentreKeys>,
    limits: Limits,
    settler: Arc<Settler>,
}

impl KeysAtHand {
    /// Loads the keys of a centre, and makes the settler.
    ///
    /// # Errors
    /// The keys cannot be read.
    pub fn load(configuration: &Configuration, database: Database) -> anyhow::Result<KeysAtHand> {
        let keys = keys::load(&DataFolder::of(configuration)?.keys())?;
        let settler = Arc::new(Settler::new(database, configuration.limits.of_settling()));
        Ok(KeysAtHand { centre: keys.centre, limits: configuration.limits.clone(), settler })
    }
}

impl Opener for KeysAtHand {
    fn settler(&self) -> &Settler {
        &self.settler
    }

    async fn open(&self, connection: &mut AsyncPgConnection, taken_up: &TakenUp) -> anyhow::Result<Arrival> {
        let arrivals = reopen::arrivals(connection, &self.centre, &self.limits, taken_up).await?;
        arrivals.into_iter().next().context("a held letter is one container")
    }
}
