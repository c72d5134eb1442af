//! `xmserver sample`: sample databases, sample configurations and a definition file, and the mail server and the office of a trial.

#[cfg(feature = "demo")]
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
#[cfg(feature = "demo")]
use sdc::letter::Matricule;
use store::samples;
use store::tables;

use super::desk::Desk;
#[cfg(feature = "demo")]
use super::desk::read_matricule;
use super::table;
use crate::configuration::{Configuration, SAMPLE};
use crate::{show, speech};

mod comments;
#[cfg(feature = "demo")]
mod office;
#[cfg(feature = "demo")]
mod post;
mod trial;

#[cfg(feature = "demo")]
pub(super) use {office::make as make_office, post::serve_post};

/// What to do with samples.
#[derive(Subcommand, Debug)]
pub enum SampleCommand {
    /// Make a sample's tables and adopt them
    Restore {
        /// Which sample
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(samples::names()))]
        name: String,
    },
    /// Print a sample configuration with every key
    Configuration {
        /// Print one for a trial instead, whose mail server is `xmserver sample post` on these ports of this machine
        #[arg(long, num_args = 2, value_names = ["POP3_PORT", "SMTP_PORT"])]
        trial: Option<Vec<u16>>,
    },
    /// Print a definition file for `table adopt`, with every key explained
    Tables,
    /// Run the mail server of a trial until told to stop: every address has a mailbox, any password opens it
    #[cfg(feature = "demo")]
    Post,
    /// Make an office of an agency for a trial: its key, its certificate and a letter that the centre will accept
    #[cfg(feature = "demo")]
    Office {
        /// The agency
        #[arg(value_parser = read_matricule)]
        matricule: Matricule,
        /// A folder that is not there yet
        folder: PathBuf,
    },
}

pub(super) async fn run(desk: &mut Desk, command: SampleCommand) -> anyhow::Result<()> {
    match command {
        SampleCommand::Restore { name } => {
            if tables::list(desk.connection()).await?.iter().any(|table| table.application == name) {
                bail!("sample {name} is restored already: `xmserver table list` shows its tables");
            }
            let operator = desk.operator.clone();
            let adoptions = samples::restore(desk.connection(), &operator, &name).await?;
            table::report(&adoptions, desk.json)
        }
        // `run_sample` of the parent module runs these commands: the first two need no database, and the other two need more than a desk.
        SampleCommand::Configuration { .. } | SampleCommand::Tables => Ok(()),
        #[cfg(feature = "demo")]
        SampleCommand::Post | SampleCommand::Office { .. } => Ok(()),
    }
}

pub(super) fn configuration() -> anyhow::Result<ExitCode> {
    show::text(&comments::said(SAMPLE, speech::words()))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn definition_file() -> anyhow::Result<ExitCode> {
    show::text(&comments::said(samples::DEFINITION_FILE, speech::words()))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the configuration of a trial whose mail server has these two ports, of POP3 and of SMTP.
pub(super) fn trial_configuration(configuration: &Configuration, ports: &[u16]) -> anyhow::Result<ExitCode> {
    let [pop3_port, smtp_port] = ports else { bail!("expected two ports, of POP3 and of SMTP, found {}", ports.len()) };
    let trial = trial::configuration(configuration, *pop3_port, *smtp_port);
    show::text(&comments::said(&trial, speech::words()))?;
    Ok(ExitCode::SUCCESS)
}
