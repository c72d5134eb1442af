//! The command line of the office, and the one place where a command is chosen. The commands have one file for each noun.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use face::speech;

use crate::place;

mod ask;
mod carry;
mod init;
mod letter;
mod mail;
mod read;
mod record;
mod sign_in;
mod speak;
mod status;
mod table;
mod user;

use sign_in::Entrance;

/// The program of an office: keeps its records, sends them to the centre, and shows what the centre answered.
#[derive(Parser, Debug)]
#[command(name = "xmagency", version, max_term_width = 100)]
pub struct CommandLine {
    /// Office folder; by default xmagency in the folder of one's own data
    #[arg(long, global = true, value_name = "FOLDER", env = place::OFFICE_VARIABLE)]
    office: Option<PathBuf>,
    /// Who works with the program; needed where the office has several users
    #[arg(long, global = true, value_name = "USER", env = place::USER_VARIABLE)]
    user: Option<String>,
    /// File whose first line is the pass-phrase; without it the program asks
    #[arg(long, global = true, value_name = "FILE", env = place::PASSPHRASE_FILE_VARIABLE)]
    passphrase_file: Option<PathBuf>,
    /// For programs: the result, or why there is none, as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Language that people are spoken to in, such as fr; by default that of the locale (LC_ALL, LC_MESSAGES, LANG), else English
    #[arg(long, global = true, value_name = "LANGUAGE", value_parser = speech::read_language)]
    lang: Option<String>,
    /// Folder of further languages; by default words in the office folder
    #[arg(long, global = true, value_name = "FOLDER")]
    words: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Set the office up with the kit of the centre: database, key, first officer
    Init(init::InitArguments),
    /// Ask the centre to admit this office, with the one-time code that it has told you
    Enrol(init::EnrolArguments),
    /// What waits, since when, what was refused and why, and what to do
    Status,
    /// Records of the office
    #[command(subcommand)]
    Record(record::RecordCommand),
    /// Tables of the centre
    #[command(subcommand)]
    Table(table::TableCommand),
    /// Pack validated records into letters
    Export(carry::ExportArguments),
    /// Carry letters to the centre and answers home, by mail or on a stick
    Transmit(carry::TransmitArguments),
    /// Correct or cancel a record that the centre has
    Correct(speak::CorrectArguments),
    /// Read records back from the centre
    Import(read::ImportArguments),
    /// Have papers certified: does the centre have the record, and does it say the same?
    Certify(read::CertifyArguments),
    /// Letters of the office, and their receipts
    #[command(subcommand)]
    Letter(letter::LetterCommand),
    /// Ask the centre for the statement of the office's account
    Account(ask::AccountArguments),
    /// Recharge the account with the code of a voucher
    Recharge(ask::RechargeArguments),
    /// Write to the operators of the centre, and read what they write
    Message(ask::MessageArguments),
    /// Ask what the centre knows of the agency, or for a change of it
    Profile(speak::ProfileArguments),
    /// Ask for a new certificate, from 60 days before the present one ends; `transmit` does it by itself
    Renew,
    /// Mailbox and relay
    #[command(subcommand)]
    Mail(mail::MailCommand),
    /// Local users: clerks and officers
    #[command(subcommand)]
    User(user::UserCommand),
}

impl CommandLine {
    /// Runs the command.
    ///
    /// # Errors
    /// One sentence that names the subject, what was expected and what to do.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        // `lang` and `words` are not used here: the language is chosen before the command line is parsed.
        let CommandLine { office, user, passphrase_file, json, lang: _, words: _, command } = self;
        let entrance = Entrance { folder: sign_in::folder(office)?, user, passphrase_file, json };
        match command {
            Command::Init(arguments) => init::init(&entrance, &arguments),
            Command::User(command) => user::run(&entrance, command),
            Command::Enrol(arguments) => init::enrol(&entrance.desk()?, &arguments),
            Command::Status => status::run(&entrance.desk()?),
            Command::Record(command) => record::run(&entrance.desk()?, command),
            Command::Table(command) => table::run(&entrance.desk()?, command),
            Command::Export(arguments) => carry::export(&entrance.desk()?, &arguments),
            Command::Transmit(arguments) => carry::transmit(&entrance.desk()?, &arguments),
            Command::Correct(arguments) => speak::correct(&entrance.desk()?, arguments),
            Command::Import(arguments) => read::import(&entrance.desk()?, arguments),
            Command::Certify(arguments) => read::certify(&entrance.desk()?, &arguments),
            Command::Profile(arguments) => speak::profile(&entrance.desk()?, arguments),
            Command::Renew => speak::renew(&entrance.desk()?),
            Command::Letter(command) => letter::run(&entrance.desk()?, command),
            Command::Account(arguments) => ask::account(&entrance.desk()?, &arguments),
            Command::Recharge(arguments) => ask::recharge(&entrance.desk()?, &arguments),
            Command::Message(arguments) => ask::message(&entrance.desk()?, arguments),
            Command::Mail(command) => mail::run(&entrance.desk()?, command),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests;
