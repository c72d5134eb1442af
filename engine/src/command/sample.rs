//! `xmserver sample`: sample databases, a sample configuration, and a sample definition file.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use store::administration::tables;
use store::samples;

use super::{Desk, table};
use crate::configuration::SAMPLE;
use crate::show;

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
    Configuration,
    /// Print a definition file for `table adopt`, with every key explained
    Tables,
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
        SampleCommand::Configuration => show::text(SAMPLE),
        SampleCommand::Tables => show::text(samples::DEFINITION_FILE),
    }
}

pub(super) fn configuration() -> anyhow::Result<ExitCode> {
    show::text(SAMPLE)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn definition_file() -> anyhow::Result<ExitCode> {
    show::text(samples::DEFINITION_FILE)?;
    Ok(ExitCode::SUCCESS)
}
