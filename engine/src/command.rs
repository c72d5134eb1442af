//! The commands of operators, one file per noun. Each does one thing, and tells what it did.

use std::path::PathBuf;
use std::process::{ExitCode, Termination};

use clap::{Parser, Subcommand};
use diesel_async::AsyncPgConnection;
use sdc::letter::Matricule;
use serde::Serialize;
use store::centre;
use store::centre::server::{self, Server};
use store::database::{Connection, Database};
use store::error::AdministrationError;
use store::people::{Operator, mapping, sign_in_as_system_account};
use tokio::runtime::Runtime;

use crate::clock::Clock;
use crate::configuration::{Configuration, Sources};
use crate::database::{OpenDatabase, Purpose};
use crate::failure::{Exit, NotForPrograms, Worded};
use crate::init::InitArguments;
use crate::{check, init, logging, operator, run, show, speech, words_of_errors};
#[cfg(feature = "demo")]
use crate::{configuration::ServerConfiguration, demo};
use sample::SampleCommand;

mod agency;
mod answer;
mod approval;
mod cert;
mod cert_list;
mod journal;
mod letter;
mod listing;
mod mail;
mod quarantine;
mod receipt_words;
mod sample;
mod statement;
mod table;
mod tariff;
mod user;

/// Collects signed and encrypted records of remote agencies from mailboxes into PostgreSQL.
#[derive(Parser, Debug)]
#[command(name = "xmserver", version, max_term_width = 100)]
pub struct CommandLine {
    /// Configuration file; by default xmserver.toml in the data folder, else in /etc/xmserver
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data folder; by default what the configuration says, else /var/lib/xmserver
    #[arg(long, global = true, value_name = "FOLDER")]
    data_folder: Option<PathBuf>,
    /// For programs: the result, or why there is none, as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Language that people are spoken to in, such as fr; by default that of the locale (LC_ALL, LC_MESSAGES, LANG), else English
    #[arg(long, global = true, value_name = "LANGUAGE", value_parser = speech::read_language)]
    lang: Option<String>,
    /// Folder of further languages; by default /etc/xmserver/words
    #[arg(long, global = true, value_name = "FOLDER")]
    words: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Make a new centre: database, authority, keys, first Superviseur
    Init(InitArguments),
    /// Run the centre until it is told to stop
    Run,
    /// Look at everything that the centre needs, and say what to do where it is not well
    Check(crate::check::CheckArguments),
    /// See it work, with nothing configured: agencies send good and bad letters, and everything is checked
    #[cfg(feature = "demo")]
    Demo(demo::DemoArguments),
    /// Agencies: the registered remote offices
    #[command(subcommand)]
    Agency(agency::AgencyCommand),
    /// Certificates of agencies
    #[command(subcommand)]
    Cert(cert::CertCommand),
    /// Tables that agencies may write to
    #[command(subcommand)]
    Table(table::TableCommand),
    /// Prices
    #[command(subcommand)]
    Tariff(tariff::TariffCommand),
    /// Letters received
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// One letter: all that the centre knows of it
    #[command(subcommand)]
    Letter(letter::LetterCommand),
    /// Answers: what a letter was told, and those not sent yet
    #[command(subcommand)]
    Answer(answer::AnswerCommand),
    /// Containers not accepted
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// What one person asked and another one decides
    #[command(subcommand)]
    Approval(approval::ApprovalCommand),
    /// People: who may do what, and by which account of this machine
    #[command(subcommand)]
    User(user::UserCommand),
    /// Mailboxes and relay
    #[command(subcommand)]
    Mail(mail::MailCommand),
    /// Sample databases and configurations; a mail server and an office for a trial
    #[command(subcommand)]
    Sample(sample::SampleCommand),
}

impl CommandLine {
    /// Says whether the result is for programs.
    pub fn is_for_programs(&self) -> bool {
        self.json
    }

    /// Does what is asked. What a command needs stands in its arm: nothing, the configuration, or a desk at the database.
    ///
    /// # Errors
    /// One sentence that names the subject, what was expected and what to do.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        // The language was chosen before the line was read.
        let CommandLine { config: file, data_folder, json, lang: _, words: _, command } = self;
        let place = Place { sources: Sources { file, data_folder }, json };
        if json {
            command.require_result_for_programs()?;
        }
        match command {
            #[cfg(feature = "demo")]
            Command::Demo(arguments) => {
                // It configures itself, whatever else this machine has.
                logging::start(&ServerConfiguration {
                    log_level: "warn".to_owned(),
                    ..ServerConfiguration::default()
                })?;
                runtime()?.block_on(demo::run(&arguments))
            }
            Command::Sample(SampleCommand::Tables) => sample::definition_file(),
            Command::Sample(SampleCommand::Configuration { trial: None }) => sample::configuration(),
            Command::Sample(SampleCommand::Configuration { trial: Some(ports) }) => {
                sample::trial_configuration(&place.configuration()?, &ports)
            }
            #[cfg(feature = "demo")]
            Command::Sample(SampleCommand::Post) => {
                let configuration = place.configuration()?;
                runtime()?.block_on(sample::serve_post(&configuration))
            }
            Command::Run => {
                let configuration = Configuration::load(&place.sources)?;
                logging::start(&configuration.server)?;
                run::run(&configuration)
            }
            Command::Init(arguments) => {
                let configuration = place.configuration()?;
                let done = runtime()?.block_on(init::init(&configuration, &arguments))?;
                if json {
                    init::report_json(&configuration, &arguments, &done)?;
                } else {
                    init::report(&configuration, &arguments, &done)?;
                }
                Ok(ExitCode::SUCCESS)
            }
            Command::Check(arguments) => {
                let configuration = place.configuration()?;
                runtime()?.block_on(check::check(&configuration, &arguments, json))
            }
            Command::Mail(command) => {
                let configuration = place.configuration()?;
                runtime()?.block_on(mail::run(&configuration, command, json))
            }
            Command::Agency(command) => place.at_desk(async |desk| agency::run(desk, command).await),
            Command::Answer(command) => place.at_desk(async |desk| answer::run(desk, command).await),
            Command::Cert(command) => place.at_desk(async |desk| cert::run(desk, command).await),
            Command::Journal(command) => place.at_desk(async |desk| journal::run(desk, command).await),
            Command::Letter(command) => place.at_desk(async |desk| letter::run(desk, command).await),
            Command::Quarantine(command) => {
                let configuration = Configuration::load(&place.sources)?;
                place.at_desk(async |desk| quarantine::run(desk, &configuration, command).await)
            }
            #[cfg(feature = "demo")]
            Command::Sample(SampleCommand::Office { matricule, folder }) => {
                let configuration = Configuration::load(&place.sources)?;
                place.at_desk(async |desk| sample::make_office(desk, &configuration, matricule, &folder).await)
            }
            Command::Sample(command) => place.at_desk(async |desk| sample::run(desk, command).await),
            Command::Table(command) => place.at_desk(async |desk| table::run(desk, command).await),
            Command::Tariff(command) => place.at_desk(async |desk| tariff::run(desk, command).await),
            Command::Approval(command) => place.at_desk(async |desk| approval::run(desk, command).await),
            Command::User(command) => {
                let entrance = command.entrance();
                place.at_desk_by(&entrance, async |desk| user::run(desk, command).await)
            }
        }
    }
}

impl Command {
    /// Refuses what has no result for programs: it prints a file, or shows people something until they have seen it.
    fn require_result_for_programs(&self) -> Result<(), NotForPrograms> {
        let (command, instead) = match self {
            #[cfg(feature = "demo")]
            Command::Demo(_) => ("demo", "; --figures FILE writes its figures as JSON"),
            Command::Sample(SampleCommand::Configuration { .. }) => ("sample configuration", ""),
            Command::Sample(SampleCommand::Tables) => ("sample tables", ""),
            #[cfg(feature = "demo")]
            Command::Sample(SampleCommand::Post) => ("sample post", ""),
            _ => return Ok(()),
        };
        Err(NotForPrograms { command, instead })
    }
}

/// How somebody comes to the desk.
enum Entrance {
    /// By the account of the operating system.
    Account,
    /// Where no account is anybody's yet, as the first, who becomes this user.
    FirstOf(String),
}

/// Where a command works, and for whom.
struct Place {
    sources: Sources,
    json: bool,
}

impl Place {
    /// Loads the configuration, and starts a log that tells no more than warnings: a command tells its result itself.
    fn configuration(&self) -> anyhow::Result<Configuration> {
        let configuration = Configuration::load(&self.sources)?;
        let mut server = configuration.server.clone();
        if server.log_level == "info" {
            "warn".clone_into(&mut server.log_level);
        }
        logging::start(&server)?;
        Ok(configuration)
    }

    /// Opens the database and does one thing there, for the user whose account this is.
    fn at_desk<T: Termination>(
        &self,
        work: impl AsyncFnOnce(&mut Desk) -> anyhow::Result<T>,
    ) -> anyhow::Result<ExitCode> {
        self.at_desk_by(&Entrance::Account, work)
    }

    fn at_desk_by<T: Termination>(
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

fn runtime() -> std::io::Result<Runtime> {
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
            mapping::claim(&mut connection, &account, user).await?
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
        // Whatever command it was: what needs a second person is asked in its place.
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

/// What an operator works with.
struct Desk {
    database: Database,
    connection: Connection,
    operator: Operator,
    server: Server,
    clock: Clock,
    /// Whether the result is for programs.
    json: bool,
    own_addresses: Vec<String>,
}

impl Desk {
    /// Writes down the addresses that are configured as the centre's own, so that no agency gets one: also before the first
    /// `run`, which does so too.
    async fn record_own_addresses(&mut self) -> anyhow::Result<()> {
        Ok(centre::addresses::record(&mut self.connection, &self.own_addresses).await?)
    }

    fn connection(&mut self) -> &mut AsyncPgConnection {
        &mut self.connection
    }

    /// Tells a result: as JSON for programs, in words for people.
    fn tell(&self, result: &impl Serialize, words: &str) -> anyhow::Result<()> {
        if self.json { show::json(result) } else { show::text(words) }
    }

    /// Tells a result whose words are one line.
    fn tell_line(&self, result: &impl Serialize, words: &str) -> anyhow::Result<()> {
        self.tell(result, &format!("{words}\n"))
    }
}

/// Reads a matricule as people write it: with or without leading zeros.
fn read_matricule(text: &str) -> Result<Matricule, String> {
    let expected = || format!("expected a matricule of 1 to 999999, such as 000042, found {text:?}");
    let number: u32 = text.parse().map_err(|_not_a_number: std::num::ParseIntError| expected())?;
    Matricule::try_from(number).map_err(|_out_of_range| expected())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_fits_together() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn matricules_are_read_as_people_write_them() {
        assert_eq!(read_matricule("000042").unwrap().to_string(), "000042");
        assert_eq!(read_matricule("42").unwrap().to_string(), "000042");
        for wrong in ["0", "1000000", "-1", "abc", ""] {
            assert!(read_matricule(wrong).unwrap_err().contains("such as 000042"));
        }
    }
}
