//! The command line, and the one place where a command is chosen. The commands have one file for each noun; each command does one thing and
//! prints its result.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::configuration::{Configuration, Sources};
use crate::failure::NotForPrograms;
use crate::init::InitArguments;
use crate::{check, init, logging, run, speech};
#[cfg(feature = "demo")]
use crate::{configuration::ServerConfiguration, demo};
use place::Place;
#[cfg(feature = "demo")]
use place::runtime;
use sample::SampleCommand;

mod agency;
mod agency_areas;
mod agency_import;
mod agency_list;
mod agency_status;
mod answer;
mod approval;
mod audit;
mod carrier;
mod cert;
mod cert_list;
mod correction;
mod desk;
mod election;
mod enrolment;
mod enrolment_kit;
mod flag;
mod held;
mod journal;
mod letter;
mod listing;
mod mail;
mod manual;
mod message;
mod place;
mod plan;
mod profile;
mod quarantine;
mod record;
mod replica;
mod sample;
mod sign_in;
mod statement;
mod table;
mod tariff;
mod terms;
mod user;
mod voucher;

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
    /// Records of these tables
    #[command(subcommand)]
    Record(record::RecordCommand),
    /// Plans: rights and quotas that many agencies share
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// Prices
    #[command(subcommand)]
    Tariff(tariff::TariffCommand),
    /// Messages: what offices and operators write to each other
    #[command(subcommand)]
    Message(message::MessageCommand),
    /// Profiles: what offices asked to have changed of their own data
    #[command(subcommand)]
    Profile(profile::ProfileCommand),
    /// Vouchers: codes that offices recharge with
    #[command(subcommand)]
    Voucher(voucher::VoucherCommand),
    /// Enrolment: one-time codes by which new installations come
    #[command(subcommand)]
    Enrolment(enrolment::EnrolmentCommand),
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
    /// Letters that are held until two people decide
    #[command(subcommand)]
    Held(held::HeldCommand),
    /// Corrections of records that wait for the centre's approval
    #[command(subcommand)]
    Correction(correction::CorrectionCommand),
    /// Flags: what was accepted and wants an explanation
    #[command(subcommand)]
    Flag(flag::FlagCommand),
    /// Elections: stations by state, sums, and who is missing
    #[command(subcommand)]
    Election(election::ElectionCommand),
    /// What one person asked and another one decides
    #[command(subcommand)]
    Approval(approval::ApprovalCommand),
    /// The audit log: what operators did and looked at
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// People: who may do what, and by which account of this machine
    #[command(subcommand)]
    User(user::UserCommand),
    /// Sign in at this terminal by a password, where no account of this machine is yours
    Login(sign_in::LoginArguments),
    /// Sign out at this terminal
    Logout,
    /// Change your password
    Passwd,
    /// Replicas: the processes that serve this centre together
    #[command(subcommand)]
    Replica(replica::ReplicaCommand),
    /// Carrier: NATS JetStream between the processes that receive letters and those that settle them
    #[command(subcommand)]
    Carrier(carrier::CarrierCommand),
    /// Mailboxes and relay
    #[command(subcommand)]
    Mail(mail::MailCommand),
    /// Sample databases and configurations; a mail server and an office for a trial
    #[command(subcommand)]
    Sample(sample::SampleCommand),
    /// Print what a shell needs to complete command lines
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual into a folder, a page for each command
    Manual {
        /// The folder, such as /usr/local/share/man/man1
        folder: PathBuf,
    },
}

impl CommandLine {
    /// Says whether the result is printed as JSON, for programs.
    pub fn is_for_programs(&self) -> bool {
        self.json
    }

    /// Runs the command. The arm of each command shows what the command needs: nothing, the configuration, or a desk (a connection to the
    /// database with the operator signed in).
    ///
    /// # Errors
    /// One sentence that names the subject, what was expected and what to do.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        // `lang` and `words` are not used here: the language is chosen before the command line is parsed.
        let CommandLine { config: file, data_folder, json, lang: _, words: _, command } = self;
        let place = Place { sources: Sources { file, data_folder }, json };
        if json {
            command.require_result_for_programs()?;
        }
        match command {
            #[cfg(feature = "demo")]
            Command::Demo(arguments) => {
                // The demo writes its own configuration and reads no other on this machine.
                let log_level = "warn".to_owned();
                logging::start(&ServerConfiguration { log_level, ..ServerConfiguration::default() })?;
                runtime()?.block_on(demo::run(&arguments))
            }
            Command::Sample(command) => run_sample(&place, command),
            Command::Completions { shell } => manual::completions(shell).map(|()| ExitCode::SUCCESS),
            Command::Manual { folder } => manual::pages(&folder, json).map(|()| ExitCode::SUCCESS),
            Command::Run => {
                let configuration = Configuration::load(&place.sources)?;
                logging::start(&configuration.server)?;
                run::run(&configuration)
            }
            Command::Init(arguments) => {
                place.beside_the_desk(async |configuration| init::run(configuration, &arguments, json).await)
            }
            Command::Check(arguments) => {
                place.beside_the_desk(async |configuration| check::check(configuration, &arguments, json).await)
            }
            Command::Carrier(command) => {
                place.beside_the_desk(async |configuration| carrier::run(configuration, command, json).await)
            }
            Command::Mail(command) => {
                place.beside_the_desk(async |configuration| mail::run(configuration, command, json).await)
            }
            Command::Agency(command) => place.at_desk(async |desk| agency::run(desk, command).await),
            Command::Answer(command) => place.at_desk(async |desk| answer::run(desk, command).await),
            Command::Cert(command) => place.at_desk(async |desk| cert::run(desk, command).await),
            Command::Journal(command) => place.at_desk(async |desk| journal::run(desk, command).await),
            Command::Letter(command) => place.at_desk(async |desk| letter::run(desk, command).await),
            Command::Quarantine(command) => place
                .at_desk_with_letters(async |desk, configuration| quarantine::run(desk, configuration, command).await),
            Command::Table(command) => place.at_desk(async |desk| table::run(desk, command).await),
            Command::Record(command) => place.at_desk(async |desk| record::run(desk, command).await),
            Command::Plan(command) => place.at_desk(async |desk| plan::run(desk, command).await),
            Command::Tariff(command) => place.at_desk(async |desk| tariff::run(desk, command).await),
            Command::Message(command) => place.at_desk(async |desk| message::run(desk, command).await),
            Command::Profile(command) => place.at_desk(async |desk| profile::run(desk, command).await),
            Command::Voucher(command) => {
                place.at_desk_with_letters(async |desk, configuration| voucher::run(desk, configuration, command).await)
            }
            Command::Enrolment(command) => place
                .at_desk_with_letters(async |desk, configuration| enrolment::run(desk, configuration, command).await),
            Command::Approval(command) => place
                .at_desk_with_letters(async |desk, configuration| approval::run(desk, configuration, command).await),
            Command::Audit(command) => place.at_desk(async |desk| audit::run(desk, command).await),
            Command::Held(command) => {
                place.at_desk_with_letters(async |desk, configuration| held::run(desk, configuration, command).await)
            }
            Command::Correction(command) => place
                .at_desk_with_letters(async |desk, configuration| correction::run(desk, configuration, command).await),
            Command::Election(command) => place.at_desk(async |desk| election::run(desk, command).await),
            Command::Flag(command) => place.at_desk(async |desk| flag::run(desk, command).await),
            Command::Replica(command) => place.at_desk(async |desk| replica::run(desk, &command).await),
            Command::Login(arguments) => place.at_door(async |door| sign_in::login(door, arguments).await),
            Command::Logout => place.at_door(async |door| sign_in::logout(door).await),
            Command::Passwd => place.at_desk_with_letters(async |desk, configuration| {
                sign_in::passwd(desk, &configuration.server.data_folder).await
            }),
            Command::User(command) => {
                place.at_desk_by(&command.entrance(), async |desk| user::run(desk, command).await)
            }
        }
    }
}

/// Runs a `sample` command that needs no desk at the database, or more than a desk.
fn run_sample(place: &Place, command: SampleCommand) -> anyhow::Result<ExitCode> {
    match command {
        SampleCommand::Tables => sample::definition_file(),
        SampleCommand::Configuration { trial: None } => sample::configuration(),
        SampleCommand::Configuration { trial: Some(ports) } => {
            sample::trial_configuration(&place.configuration()?, &ports)
        }
        #[cfg(feature = "demo")]
        SampleCommand::Post => {
            let configuration = place.configuration()?;
            runtime()?.block_on(sample::serve_post(&configuration))
        }
        #[cfg(feature = "demo")]
        SampleCommand::Office { matricule, folder } => {
            let configuration = Configuration::load(&place.sources)?;
            place.at_desk(async |desk| sample::make_office(desk, &configuration, matricule, &folder).await)
        }
        command => place.at_desk(async |desk| sample::run(desk, command).await),
    }
}

impl Command {
    /// Refuses `--json` for a command without a result for programs: the command prints a file, or shows people something until they end
    /// it.
    fn require_result_for_programs(&self) -> Result<(), NotForPrograms> {
        let (command, instead) = match self {
            #[cfg(feature = "demo")]
            Command::Demo(_) => ("demo", "; --figures FILE writes its figures as JSON"),
            Command::Completions { .. } => ("completions", ""),
            Command::Sample(SampleCommand::Configuration { .. }) => ("sample configuration", ""),
            Command::Sample(SampleCommand::Tables) => ("sample tables", ""),
            #[cfg(feature = "demo")]
            Command::Sample(SampleCommand::Post) => ("sample post", ""),
            _ => return Ok(()),
        };
        Err(NotForPrograms { command, instead })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_fits_together() {
        CommandLine::command().debug_assert();
    }
}
