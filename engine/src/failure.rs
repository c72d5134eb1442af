//! How a failed command ends: with an exit code, a code for programs and a sentence for people.
//!
//! Both codes are stable (OPERATIONS.md, Commands and programs). The sentences may change with every release.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;
use store::database::MigrateError;
use store::database::fault::Fault;
use store::error::{AdministrationError, ErrorKind};

use crate::clock::MomentError;
use crate::configuration::ConfigurationError;
use crate::database::OpenError;
use crate::folder::FolderError;
use crate::replica::TwinError;
use crate::speech::{self, said};
use crate::words_of_errors;

/// Exit codes of commands that did not succeed; a command that succeeded ends with 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The command was refused: the state of the centre forbids it, a value is not valid, or a check failed.
    Refused = 1,
    /// The command line is not understood.
    Usage = 2,
    /// The command refers to something that does not exist.
    NotFound = 3,
    /// The database cannot be reached, or another process uses what the command needs. The same command may succeed later.
    Away = 4,
    /// Nothing has been done yet, because another person has to confirm the act.
    Asked = 5,
    /// An actor fails again and again (`EX_SOFTWARE` of sysexits). The service manager starts the program again.
    Escalated = 70,
    /// Another program lives under this process's identity (`EX_CONFIG` of sysexits). Starting the program again does not help.
    Twin = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// An error of administration in a sentence whose times are in the centre's zone.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct Worded {
    /// The sentence.
    pub words: String,
    /// The error that the sentence describes.
    pub error: AdministrationError,
}

/// Error: the command refers to something that the configuration does not have.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct NotConfigured {
    /// The sentence: the name in the command, and the names that the configuration has.
    pub words: String,
}

/// Error: a command was given `--json`, but has no result for programs.
#[derive(Debug, thiserror::Error)]
#[error("{command} has no result for programs: leave out --json{instead}")]
pub struct NotForPrograms {
    /// Name of the command.
    pub command: &'static str,
    /// Advice after a semicolon; empty where there is none.
    pub instead: &'static str,
}

/// The failure of a command, as it is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    code: &'static str,
    parameters: Value,
    /// The message in English, for programs.
    message: String,
    /// The message in the user's language.
    words: String,
}

#[derive(Serialize)]
struct ForPrograms<'a> {
    error: Said<'a>,
}

#[derive(Serialize)]
struct Said<'a> {
    code: &'a str,
    exit_code: u8,
    message: &'a str,
    #[serde(skip_serializing_if = "Value::is_null")]
    parameters: &'a Value,
}

impl Failure {
    /// Makes the failure from a command's error.
    pub fn of(error: &anyhow::Error) -> Failure {
        let (exit, code) = error.chain().find_map(kind).unwrap_or((Exit::Refused, "refused"));
        let parameters = error.chain().find_map(administered).map_or(Value::Null, AdministrationError::parameters);
        let words = joined(causes(error).iter().map(|cause| speech::sentences(cause)));
        Failure { exit, code, parameters, message: sentence(error), words }
    }

    /// Makes the failure of a command line that is not understood. Where the user asked for help, the help is printed and the program
    /// ends.
    pub fn of_command_line(error: clap::Error) -> Failure {
        if !error.use_stderr() {
            error.exit();
        }
        let message = error.render().to_string();
        // The text of help was set in the user's language before parsing (`usage`), so it is not translated here.
        let is_help = error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        let words = if is_help { message.clone() } else { speech::sentences(&message) };
        let words = speech::with_options_named(&words, speech::words());
        Failure { exit: Exit::Usage, code: "command_line", parameters: Value::Null, words, message }
    }

    /// Writes the failure to standard error, for programs as one JSON object, and returns the exit code.
    pub fn tell(&self, is_for_programs: bool) -> ExitCode {
        let Failure { exit, code, parameters, message, words } = self;
        let said = Said { code, exit_code: *exit as u8, message, parameters };
        match serde_json::to_string(&ForPrograms { error: said }) {
            Ok(json) if is_for_programs => eprintln!("{json}"),
            // clap's own text already contains the name of the program.
            _ if *exit == Exit::Usage => eprint!("{words}"),
            _ => eprintln!("xmserver: {}", words.trim_end().replace('\n', "\n  ")),
        }
        ExitCode::from(*exit)
    }
}

/// Joins an error and its causes into one sentence. A cause is left out where the text before it contains it.
pub fn sentence(error: &anyhow::Error) -> String {
    causes(error).join(": ")
}

/// Lists the texts of an error and its causes. A cause is left out where the texts before it contain it.
fn causes(error: &anyhow::Error) -> Vec<String> {
    let words = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref() {
        Some(error) => words_of_errors::in_utc(error),
        None => cause.to_string(),
    };
    let mut causes: Vec<String> = Vec::new();
    for cause in error.chain().map(words) {
        if !causes.join(": ").contains(&cause) {
            causes.push(cause);
        }
    }
    causes
}

/// Joins sentences into one: each cause comes after its effect.
fn joined(sentences: impl Iterator<Item = String>) -> String {
    sentences.reduce(|first, cause| said!("sentence-and-cause", sentence = first, cause = cause)).unwrap_or_default()
}

fn administered<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a AdministrationError> {
    cause.downcast_ref::<Worded>().map(|worded| &worded.error).or_else(|| cause.downcast_ref())
}

fn kind(cause: &(dyn std::error::Error + 'static)) -> Option<(Exit, &'static str)> {
    if let Some(AdministrationError::Fault(fault)) = administered(cause) {
        return Some(of_fault(fault));
    }
    if let Some(error) = administered(cause) {
        let exit = match error.kind() {
            ErrorKind::NotFound => Exit::NotFound,
            ErrorKind::Away => Exit::Away,
            ErrorKind::Refused => Exit::Refused,
        };
        return Some((exit, error.code()));
    }
    if let Some(MigrateError::Fault(fault)) = cause.downcast_ref() {
        return Some(of_fault(fault));
    }
    if let Some(fault) = cause.downcast_ref() {
        return Some(of_fault(fault));
    }
    if cause.is::<TwinError>() {
        return Some((Exit::Twin, "process_twin"));
    }
    if cause.is::<ConfigurationError>() {
        return Some((Exit::Refused, "configuration"));
    }
    if cause.is::<MomentError>() {
        return Some((Exit::Refused, "time_invalid"));
    }
    if cause.is::<NotConfigured>() {
        return Some((Exit::NotFound, "not_configured"));
    }
    if cause.is::<NotForPrograms>() {
        return Some((Exit::Usage, "command_line"));
    }
    match cause.downcast_ref() {
        Some(OpenError::NotAnswering { .. }) => return Some((Exit::Away, "database_away")),
        Some(OpenError::CommandRuns { .. }) => return Some((Exit::Away, "database_in_use")),
        _ => {}
    }
    match cause.downcast_ref() {
        Some(FolderError::InUse { .. }) => Some((Exit::Away, "data_folder_in_use")),
        _ => None,
    }
}

fn of_fault(fault: &Fault) -> (Exit, &'static str) {
    match fault {
        // Trying again does not help: the operator has to correct the credentials.
        Fault::NotAdmitted { .. } => (Exit::Refused, "database_not_admitted"),
        fault if fault.is_passing() => (Exit::Away, "database_away"),
        _ => (Exit::Refused, "database_refused"),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let denied = || std::io::Error::from_raw_os_error(13);
        let error = anyhow::Error::new(denied()).context(format!("cannot read /x ({})", denied()));
        assert_eq!(sentence(&error), format!("cannot read /x ({})", denied()));
        let error = anyhow!("inner").context("middle").context("outer");
        assert_eq!(sentence(&error), "outer: middle: inner");
    }

    fn not_admitted() -> Fault {
        Fault::NotAdmitted { sqlstate: "28P01".to_owned(), message: "x".to_owned() }
    }

    #[test]
    fn what_is_absent_away_and_refused_are_told_apart() {
        let of = |error: anyhow::Error| {
            let Failure { exit, code, .. } = Failure::of(&error);
            (exit, code)
        };
        let unknown = AdministrationError::AgencyUnknown(42.try_into().unwrap());
        assert_eq!(of(unknown.into()), (Exit::NotFound, "agency_unknown"));
        assert_eq!(of(Fault::Away("x".to_owned()).into()), (Exit::Away, "database_away"));
        let away = Err::<(), _>(AdministrationError::Fault(Fault::Away("x".to_owned()))).context("list").unwrap_err();
        assert_eq!(of(away), (Exit::Away, "database_away"));
        let folder = std::path::PathBuf::from("/x");
        let twin = TwinError { host: "h".to_owned(), data_folder: "/x".to_owned() };
        let cases: [(anyhow::Error, _); 7] = [
            (twin.into(), (Exit::Twin, "process_twin")),
            (OpenError::NotAnswering { folder: folder.clone(), seconds: 30 }.into(), (Exit::Away, "database_away")),
            (OpenError::CommandRuns { folder: folder.clone(), seconds: 120 }.into(), (Exit::Away, "database_in_use")),
            (FolderError::InUse { folder, process: "1".to_owned() }.into(), (Exit::Away, "data_folder_in_use")),
            (NotConfigured { words: "mailbox x".to_owned() }.into(), (Exit::NotFound, "not_configured")),
            (NotForPrograms { command: "demo", instead: "" }.into(), (Exit::Usage, "command_line")),
            (not_admitted().into(), (Exit::Refused, "database_not_admitted")),
        ];
        for (error, expected) in cases {
            assert_eq!(of(error), expected);
        }
        assert_eq!(of(AdministrationError::Fault(not_admitted()).into()), (Exit::Refused, "database_not_admitted"));
        let exists = AdministrationError::AgencyExists(42.try_into().unwrap());
        assert_eq!(of(exists.into()), (Exit::Refused, "agency_exists"));
        assert_eq!(of(anyhow!("x")), (Exit::Refused, "refused"));
    }
}
