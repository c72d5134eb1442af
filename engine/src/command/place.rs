//! Where a command works: the configuration, and a desk, which is a connection to the database with the operator signed in.

use std::path::PathBuf;
use std::process::{ExitCode, Termination};

use serde::Serialize;
use store::centre::server;
use store::database::Connection;
use store::error::AdministrationError;
use store::people::sessions::{self, Channel};
use store::people::{Operator, mapping, sign_in_as_system_account};
use tokio::runtime::Runtime;

use super::approval;
use super::desk::{Desk, Entrance};
use crate::clock::Clock;
use crate::configuration::{Configuration, Sources};
use crate::database::{OpenDatabase, Purpose};
use crate::failure::{Exit, Worded};
use crate::session_file::SessionFile;
use crate::{logging, operator, show, words_of_errors};

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

    /// Runs `work` with the configuration alone: it opens the database itself, or needs none.
    pub(super) fn beside_the_desk(
        &self,
        work: impl AsyncFnOnce(&Configuration) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<ExitCode> {
        let configuration = self.configuration()?;
        runtime()?.block_on(work(&configuration))
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
        opened(&configuration, async |open| with_desk(open, &configuration, self.json, entrance, work).await)
    }

    /// Opens the database and runs `work` with nobody signed in.
    pub(super) fn at_door(&self, work: impl AsyncFnOnce(&mut Door) -> anyhow::Result<()>) -> anyhow::Result<ExitCode> {
        let configuration = self.configuration()?;
        opened(&configuration, async |open| {
            let connection = open.database.get().await?;
            let data_folder = configuration.server.data_folder.clone();
            work(&mut Door { connection, data_folder, json: self.json }).await?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// The door of the centre: a connection to the database, before anybody has signed in.
pub(super) struct Door {
    pub(super) connection: Connection,
    pub(super) data_folder: PathBuf,
    /// Whether the result is for programs.
    pub(super) json: bool,
}

impl Door {
    /// Prints a result: as JSON for programs, in one line of words for people.
    pub(super) fn tell_line(&self, result: &impl Serialize, words: &str) -> anyhow::Result<()> {
        if self.json { show::json(result) } else { show::text(&format!("{words}\n")) }
    }
}

/// Opens the database, runs `work`, and closes the database again.
fn opened(
    configuration: &Configuration,
    work: impl AsyncFnOnce(&OpenDatabase) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        let open = OpenDatabase::open(configuration, Purpose::Command).await?;
        let done = match open.database.require_current_schema().await {
            Ok(()) => work(&open).await,
            Err(error) => Err(error.into()),
        };
        open.close().await;
        done
    })
}

/// Signs the operator in: by the session at this terminal if there is one, else by the account that runs the command. A session that has
/// ended is told once: its user would otherwise go on as somebody else without knowing it.
async fn signed_in(
    connection: &mut Connection,
    configuration: &Configuration,
    entrance: &Entrance,
) -> anyhow::Result<Operator> {
    let data_folder = &configuration.server.data_folder;
    let file = SessionFile::of_this_terminal(data_folder);
    if let Some(file) = file
        && let Some(token) = file.read()?
    {
        let resumed = sessions::resume(connection, &token, Channel::Command).await;
        if matches!(resumed, Err(AdministrationError::SessionEnded)) {
            file.remove()?;
        }
        return Ok(resumed?);
    }
    let account = operator::account(data_folder);
    Ok(match (sign_in_as_system_account(connection, &account).await, entrance) {
        (Err(AdministrationError::NobodyMapped { .. }), Entrance::FirstOf(user)) => {
            mapping::map_first(connection, &account, user).await?
        }
        (signed_in, _) => signed_in?,
    })
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
    let operator = signed_in(&mut connection, configuration, entrance).await?;
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
