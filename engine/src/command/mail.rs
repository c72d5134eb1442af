//! `xmserver mail test`: which step of reaching a mailbox, the transfer folder or the relay fails.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;

use crate::configuration::Configuration;
use crate::failure::NotConfigured;
use crate::reach::{PassedStep, Reached, reach};
use crate::show::{self, Labels};
use crate::speech;

/// What to do with mail.
#[derive(Subcommand, Debug)]
pub enum MailCommand {
    /// Try every mailbox, the transfer folder and the relay, step by step; exit code 1 where one fails
    Test {
        /// This mailbox or folder only
        #[arg(long)]
        mailbox: Option<String>,
    },
}

pub(super) async fn run(configuration: &Configuration, command: MailCommand, json: bool) -> anyhow::Result<ExitCode> {
    let MailCommand::Test { mailbox } = command;
    let mailboxes = configuration.mailboxes.iter().map(|one| one.name.as_str());
    let names: Vec<&str> = mailboxes.chain(configuration.folder.iter().map(|folder| folder.name.as_str())).collect();
    if let Some(name) = &mailbox
        && !names.contains(&name.as_str())
    {
        let words = format!("mailbox {name} is not configured: expected one of {}", names.join(", "));
        return Err(NotConfigured { words }.into());
    }
    let all = reach(configuration, mailbox.as_deref()).await;
    if all.is_empty() {
        bail!(
            "neither mailbox nor folder nor relay is configured: add [[mailbox]] and [relay], or [folder], to the configuration file"
        );
    }
    if json {
        show::json(&all)?;
    } else {
        show::text(&all.iter().map(lines).collect::<String>())?;
    }
    Ok(if all.iter().any(|one| one.failure.is_some()) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn lines(reached: &Reached) -> String {
    let labels = Labels::new(&["verdict-ok", "verdict-fail"]);
    let mut text = format!("{}\n", speech::sentences(&reached.subject));
    for PassedStep { step, milliseconds } in &reached.passed {
        let step = format!("{} ({milliseconds} ms)", speech::sentences(step));
        text.push_str(&format!("  {}\n", labels.line("verdict-ok", 2, &step)));
    }
    if let Some(failure) = &reached.failure {
        text.push_str(&format!("  {}\n", labels.line("verdict-fail", 2, &speech::sentences(&failure.message))));
    }
    text
}
