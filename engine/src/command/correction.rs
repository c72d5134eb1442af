//! `xmserver correction`: corrections of records that wait for the centre's approval.

use clap::{Args, Subcommand};
use sdc::answer::receipt::HoldCode;
use sdc::letter::Matricule;
use store::letters::held::{self, HeldFilter};

use super::desk::{Desk, read_matricule};
use super::held::{decide, show_one};
use super::listing::{self, Extent};
use crate::configuration::Configuration;

/// What to do with corrections that wait.
#[derive(Subcommand, Debug)]
pub enum CorrectionCommand {
    /// List the letters of corrections that wait, oldest first
    List(ListArguments),
    /// Show one: each record as it is and as it would be, with reason and reference; that is put on record
    Show {
        /// Its number
        id: i64,
    },
    /// Approve one: it is done at once, or of results once another person confirms it
    Confirm {
        /// Its number
        id: i64,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Refuse one: at once, or of results once another person confirms it
    Refuse {
        /// Its number
        id: i64,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// Which letters to list.
#[derive(Args, Debug)]
pub struct ListArguments {
    /// Of this agency
    #[arg(long, value_parser = read_matricule)]
    agency: Option<Matricule>,
    /// Those decided already, too
    #[arg(long)]
    with_decided: bool,
    /// Behind this one
    #[arg(long)]
    after: Option<i64>,
    #[command(flatten)]
    extent: Extent,
}

pub(super) async fn run(
    desk: &mut Desk,
    configuration: &Configuration,
    command: CorrectionCommand,
) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    match command {
        CorrectionCommand::List(ListArguments { agency, with_decided, after, extent }) => {
            let code = Some(HoldCode::Approval.as_str().to_owned());
            let filter = HeldFilter { agency, code, with_decided, after: None, limit: None };
            listing::tell(desk, &filter, after, extent).await
        }
        CorrectionCommand::Show { id } => {
            let (letter, rows) = held::show(desk.connection(), &operator, id).await?;
            show_one(desk, &letter, &rows)
        }
        CorrectionCommand::Confirm { id, reason } => decide(desk, configuration, id, Some(&[]), &reason).await,
        CorrectionCommand::Refuse { id, reason } => decide(desk, configuration, id, None, &reason).await,
    }
}
