//! Where a command works, and for whom: the configuration, and a desk at the database.

use std::process::{ExitCode, Termination};

use store::centre::server;
use store::error::AdministrationError;
use store::people::{mapping, sign_in_as_system_account};
use tokio::runtime::Runtime;

use super::approval;
use super::desk::{Desk, Entrance};
use crate::clock::Clock;
use crate::configuration::{Configuration, Sources};
use crate::database::{OpenDatabase, Purpose};
use crate::failure::{Exit, Worded};
use crate::{logging, operator, words_of_errors};

/// Where a command works, and for whom.
pub(super) struct Place {
    pub(super) sources: Sources,
    pub(super) json: bool,
}

impl Place {
    /// Loads the configuration, and starts a log of warnings and errors only: a command tells its result itself.
    pub(super) fn configuration(&self) -> anyhow::Result<Configuration> {
        let configuration = Configuration::load(&self.sources)?;
        let mut server = configuration.server.clone();
        if server.log_level == "info" {
            "warn".clone_into(&mut server.log_level);
        }
        logging::start(&server)?;
        Ok(configuration)
    }

    /// Opens the database and does one thing there, for the user to whom this account is mapped.
    pub(super) fn at_desk<T: Termination>(
        &self,
        work: impl AsyncFnOnce(&mut Desk) -> anyhow::Result<T>,
    ) -> anyhow::Result<ExitCode> {
        self.at_desk_by(&Entrance::Account, work)
    }

    pub(super) fn at_desk_by<T: Termination>(
        &self,
        entrance: &Entrance,
        work: impl AsyncFnOnce(&mut Desk) -> anyhow::Result<T>,
    ) -> anyhow::Result<ExitCode> {
        let configuration = self.configuration()?;
        runtime()?.block_on(async {
            let open = OpenDatabase::open(&configuration, Purpose::Command).await?;
            let done = match open.database.require_current_schema().await {
                Ok(()) => with_desk(&open, &configuration, self.json, entrance, work).await,
                Err(error) => Err(error.into()),
            };
            open.close().await;
            done
        })
    }
}

/// Makes the runtime of one command.
pub(super) fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

async fn with_desk<T: Termination>(
    open: &OpenDatabase,
    configuration: &Configuration,
    json: bool,
    entrance: &Entrance,
    work: impl AsyncFnOnce(&mut Desk) -> anyhow::Result<T>,
) -> anyhow::Result<ExitCode> {
    let mut connection = open.database.get().await?;
    let server = server::show(&mut connection).await?;
    let clock = Clock::of(&server.zone)?;
    let own_addresses = configuration.own_addresses();
    let account = operator::account(&configuration.server.data_folder);
    let operator = match (sign_in_as_system_account(&mut connection, &account).await, entrance) {
        (Err(AdministrationError::NobodyMapped { .. }), Entrance::FirstOf(user)) => {
            mapping::map_first(&mut connection, &account, user).await?
        }
        (signed_in, _) => signed_in?,
    };
    let database = open.database.clone();
    let mut desk = Desk { database, connection, operator, server, clock, json, own_addresses };
    let done = match work(&mut desk).await {
        Ok(done) => return Ok(done.report()),
        Err(error) => error,
    };
    match done.downcast() {
        // Where an act needs a second person's approval, the approval is asked for instead, whatever the command is.
        Ok(AdministrationError::ApprovalNeeded(act)) => {
            approval::asked(&mut desk, &act).await.map_err(|error| in_zone(error, clock))?;
            Ok(Exit::Asked.into())
        }
        Ok(error) => Err(in_zone(error.into(), clock)),
        Err(error) => Err(error),
    }
}

/// Words the times of an error in the centre's zone.
fn in_zone(error: anyhow::Error, clock: Clock) -> anyhow::Error {
    match error.downcast::<AdministrationError>() {
        Ok(error) => Worded { words: words_of_errors::sentence(&error, |time| clock.time(time)), error }.into(),
        Err(error) => error,
    }
}
