//! `xmagency mail`: the password of the mailbox.

use std::path::PathBuf;

use clap::Subcommand;
use face::said;
use serde_json::json;

use super::sign_in;
use crate::desk::Desk;
use crate::settings::Setting;
use crate::transmit::NoWay;

/// What to do with the office's mail.
#[derive(Subcommand, Debug)]
pub enum MailCommand {
    /// Store the password of the mailbox, which the relay takes too; it is encrypted with everything else
    Password {
        /// File whose first line is the password; without it the program asks
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

pub(super) fn run(desk: &Desk, command: MailCommand) -> anyhow::Result<()> {
    let MailCommand::Password { file } = command;
    let mailbox = desk.database.kit()?.mail.ok_or(NoWay::Mail)?.pop3.user.unwrap_or_default();
    let password = match file {
        Some(file) => sign_in::first_line(&file)?,
        None => sign_in::hidden(&said!("office-ask-mail-password", mailbox = &mailbox))?,
    };
    desk.database.set(Setting::MailPassword, &password)?;
    desk.tell(&json!({ "mailbox": mailbox }), &said!("office-mail-password", mailbox = &mailbox))
}
