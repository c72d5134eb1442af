//! How a failed command ends: with an exit code, a code for programs and a sentence for people.

use std::process::ExitCode;

use face::{said, speech};
use serde_json::json;

use crate::database::DatabaseError;
use crate::not_found::NotFound;
use crate::people::NotAnOfficer;
use crate::transmit::Away;
use crate::vault::VaultError;

/// Exit codes of commands that did not succeed; a command that succeeded ends with 0. They are those of `xmserver` where both have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The command was refused: a value is not valid, or the state of the office forbids it.
    Refused = 1,
    /// The command line is not understood.
    Usage = 2,
    /// What the command names is not there.
    NotFound = 3,
    /// A mail server, a stick or the centre cannot be reached, or another program uses the office. The same command may succeed later.
    Away = 4,
}

/// The failure of a command, as it is reported.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    code: &'static str,
    /// The message in English, for programs.
    message: String,
    /// The message in the user's language.
    words: String,
}

impl Failure {
    /// Makes the failure from a command's error.
    pub fn of(error: &anyhow::Error) -> Failure {
        let (exit, code) = error.chain().find_map(kind).unwrap_or((Exit::Refused, "refused"));
        let causes = causes(error);
        let sentences = causes.iter().map(|cause| speech::sentences(cause));
        let join = |first: String, cause: String| said!("sentence-and-cause", sentence = first, cause = cause);
        let words = sentences.reduce(join).unwrap_or_default();
        Failure { exit, code, message: causes.join(": "), words }
    }

    /// Makes the failure of a command line that is not understood. Where the user asked for help, the help is printed and the program
    /// ends.
    pub fn of_command_line(error: clap::Error) -> Failure {
        if !error.use_stderr() {
            error.exit();
        }
        let message = error.render().to_string();
        let is_help = error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        let words = if is_help { message.clone() } else { speech::sentences(&message) };
        let words = speech::with_options_named(&words, speech::words());
        Failure { exit: Exit::Usage, code: "command_line", words, message }
    }

    /// Writes the failure to standard error, for programs as one JSON object, and returns the exit code.
    pub fn tell(&self, is_for_programs: bool) -> ExitCode {
        let Failure { exit, code, message, words } = self;
        let number = *exit as u8;
        if is_for_programs {
            eprintln!("{}", json!({ "error": { "code": code, "exit_code": number, "message": message } }));
        } else if *exit == Exit::Usage {
            // clap's own text already contains the name of the program.
            eprint!("{words}");
        } else {
            eprintln!("xmagency: {}", words.trim_end().replace('\n', "\n  "));
        }
        ExitCode::from(number)
    }
}

/// Lists the texts of an error and its causes. A cause is left out where the texts before it contain it.
fn causes(error: &anyhow::Error) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if !causes.join(": ").contains(&cause) {
            causes.push(cause);
        }
    }
    causes
}

fn kind(cause: &(dyn std::error::Error + 'static)) -> Option<(Exit, &'static str)> {
    if let Some(error) = cause.downcast_ref::<VaultError>() {
        return Some(match error {
            VaultError::Missing(_) => (Exit::NotFound, "no_office"),
            VaultError::WrongPassphrase(_) => (Exit::Refused, "passphrase_wrong"),
            _ => (Exit::Refused, "vault"),
        });
    }
    if let Some(error) = cause.downcast_ref::<DatabaseError>() {
        return Some(match error {
            DatabaseError::InUse(_) => (Exit::Away, "office_in_use"),
            DatabaseError::Full => (Exit::Away, "disk_full"),
            _ => (Exit::Refused, "database"),
        });
    }
    if cause.is::<NotFound>() {
        return Some((Exit::NotFound, "not_found"));
    }
    if cause.is::<NotAnOfficer>() {
        return Some((Exit::Refused, "officer_needed"));
    }
    cause.is::<Away>().then_some((Exit::Away, "away"))
}
