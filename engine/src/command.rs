//! The commands of operators, one file per noun. Each opens the database, does one thing, and tells what it did.

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Parser, Subcommand};
use diesel_async::AsyncPgConnection;
use sdc::letter::Matricule;
use store::administration::server::{self, Server};
use store::database::Connection;

use crate::configuration::{Configuration, Sources};
use crate::database::{OpenDatabase, Purpose};
use crate::init::InitArguments;
use crate::operator;
use crate::show::Clock;

mod agency;
mod answer;
mod cert;
mod journal;
mod mail;
mod quarantine;
mod sample;
mod table;
mod tariff;

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
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
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
    Demo(crate::demo::DemoArguments),
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
    /// Answers not sent yet
    #[command(subcommand)]
    Answer(answer::AnswerCommand),
    /// Containers not accepted
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// Mailboxes and relay
    #[command(subcommand)]
    Mail(mail::MailCommand),
    /// Sample databases and a sample configuration
    #[command(subcommand)]
    Sample(sample::SampleCommand),
}

impl CommandLine {
    /// Returns what the command line says about configuration.
    pub fn sources(&self) -> Sources {
        Sources { file: self.config.clone(), data_folder: self.data_folder.clone() }
    }
}

/// Does what an operator asks.
///
/// # Errors
/// One sentence that names the subject, what was expected and what to do.
pub async fn operate(configuration: &Configuration, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Mail(command) => return mail::run(configuration, command).await,
        Command::Sample(sample::SampleCommand::Configuration) => return sample::configuration(),
        _ => {}
    }
    let open = OpenDatabase::open(configuration, Purpose::Command).await?;
    let done = with_desk(&open, command).await;
    open.close().await;
    done
}

async fn with_desk(open: &OpenDatabase, command: Command) -> anyhow::Result<ExitCode> {
    let mut connection = open.database.get().await?;
    let server = server::show(&mut connection).await.map_err(before_migration)?;
    let clock = Clock::of(&server.zone)?;
    let mut desk = Desk { connection, operator: operator::name(), server, clock };
    match command {
        Command::Agency(command) => agency::run(&mut desk, command).await?,
        Command::Cert(command) => cert::run(&mut desk, command).await?,
        Command::Table(command) => return table::run(&mut desk, command).await,
        Command::Tariff(command) => tariff::run(&mut desk, command).await?,
        Command::Journal(command) => journal::run(&mut desk, command).await?,
        Command::Answer(command) => answer::run(&mut desk, command).await?,
        Command::Quarantine(command) => quarantine::run(&mut desk, command).await?,
        Command::Sample(command) => sample::run(&mut desk, command).await?,
        Command::Init(_) | Command::Run | Command::Demo(_) | Command::Check(_) | Command::Mail(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// A database without our schema answers "undefined table", which tells an operator nothing.
fn before_migration(error: store::administration::AdministrationError) -> anyhow::Error {
    use store::administration::AdministrationError::{Fault, ServerMissing};
    match error {
        Fault(store::fault::Fault::Bug(_)) => ServerMissing.into(),
        error => error.into(),
    }
}

/// What an operator works with.
struct Desk {
    connection: Connection,
    operator: String,
    server: Server,
    clock: Clock,
}

impl Desk {
    fn connection(&mut self) -> &mut AsyncPgConnection {
        &mut self.connection
    }
}

/// Reads a matricule as people write it: with or without leading zeros.
fn read_matricule(text: &str) -> Result<Matricule, String> {
    let expected = || format!("expected a matricule of 1 to 999999, such as 000042, found {text:?}");
    let number: u32 = text.parse().map_err(|_not_a_number: std::num::ParseIntError| expected())?;
    Matricule::try_from(number).map_err(|_out_of_range| expected())
}

/// Reads a time: a day, or a day and a time of UTC.
fn read_time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    text.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0)).map(|time| time.and_utc()).ok_or_else(
        || format!("expected a day such as 2026-11-30, or a time such as 2026-11-30T18:00:00Z, found {text:?}"),
    )
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
    fn matricules_and_times_are_read_as_people_write_them() {
        assert_eq!(read_matricule("000042").unwrap().to_string(), "000042");
        assert_eq!(read_matricule("42").unwrap().to_string(), "000042");
        for wrong in ["0", "1000000", "-1", "abc", ""] {
            assert!(read_matricule(wrong).unwrap_err().contains("such as 000042"));
        }
        assert_eq!(read_time("2026-11-30").unwrap(), read_time("2026-11-30T01:00:00+01:00").unwrap());
        assert!(read_time("30/11/2026").is_err());
    }
}
