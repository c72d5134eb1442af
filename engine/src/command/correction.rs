//! `xmserver correction`: corrections of records that wait for the centre's approval.

use clap::Subcommand;
use sdc::answer::receipt::HoldCode;

use super::desk::Desk;
use super::held::{Which, decide, list, show_one};
use crate::configuration::Configuration;

/// What to do with corrections that wait.
#[derive(Subcommand, Debug)]
pub enum CorrectionCommand {
    /// List the letters of corrections that wait, oldest first
    List(Which),
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

pub(super) async fn run(
    desk: &mut Desk,
    configuration: &Configuration,
    command: CorrectionCommand,
) -> anyhow::Result<()> {
    match command {
        CorrectionCommand::List(which) => list(desk, Some(HoldCode::Approval.as_str().to_owned()), which).await,
        CorrectionCommand::Show { id } => show_one(desk, id).await,
        CorrectionCommand::Confirm { id, reason } => decide(desk, configuration, id, Some(&[]), &reason).await,
        CorrectionCommand::Refuse { id, reason } => decide(desk, configuration, id, None, &reason).await,
    }
}
