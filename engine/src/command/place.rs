//! Where a command works: the configuration, and a desk, which is a connection to the database with the operator signed in.

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

/// The options that every command has: where its configuration is, and whether its result is JSON.
pub(super) struct Place {
    pub(super) sources: Sources,
    pub(super) json: bool,
}

impl Place {
    /// Loads the configuration, and starts a log of warnings and errors only, because a command prints its result itself.
    pub(super) fn configuration(&self) -> anyhow::Result<Configuration> {
        let configuration = Configuration::load(&self.sources)?;
        let mut server = configuration.server.clone();
        if server.log_level == "info" {
            "warn".clone_into(&mut server.log_level);
        }
        logging::start(&server)?;
        Ok(configuration)
    }

    /// Opens the database, signs in the user to whom the system account is mapped, and runs `work` with that desk.
    pub(super) fn at_desk<T: Termination>(
        &self,
        work: impl AsyncFnOnce(&mut Desk) -> anyhow::Result<T>,
    ) -> anyhow::Result<ExitCode> {
        self.at_desk_by(&Entrance::Account, work)
    }

    /// Like [`Place::at_desk`], but also gives `work` the configuration, which has the keys and limits for opening letters.
    pub(super) fn at_desk_with_letters<T: Termination>(
        &self,
        work: impl AsyncFnOnce(&mut Desk, &Configuration) -> anyhow::Result<T>,
    ) -> anyhow::Result<ExitCode> {
        let configuration = Configuration::load(&self.sources)?;
        self.at_desk(async |desk| work(desk, &configuration).await)
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

/// Makes the tokio runtime for one command.
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
        // A command whose act needs a second person ends with this error, and the act is written down as an approval instead.
        Ok(AdministrationError::ApprovalNeeded(act)) => {
            approval::asked(&mut desk, &act).await.map_err(|error| in_zone(error, clock))?;
            Ok(Exit::Asked.into())
        }
        Ok(error) => Err(in_zone(error.into(), clock)),
        Err(error) => Err(error),
    }
}

/// Replaces an error of the operators' database calls by its sentence, with times in the centre's zone.
fn in_zone(error: anyhow::Error, clock: Clock) -> anyhow::Error {
    match error.downcast::<AdministrationError>() {
        Ok(error) => Worded { words: words_of_errors::sentence(&error, |time| clock.time(time)), error }.into(),
        Err(error) => error,
    }
}
