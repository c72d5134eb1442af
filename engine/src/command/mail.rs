//! `xmserver mail test`: which step of reaching a mailbox or the relay fails.

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
    /// Try every mailbox and the relay, step by step; exit code 1 where one fails
    Test {
        /// This mailbox only
        #[arg(long)]
        mailbox: Option<String>,
    },
}

pub(super) async fn run(configuration: &Configuration, command: MailCommand, json: bool) -> anyhow::Result<ExitCode> {
    let MailCommand::Test { mailbox } = command;
    if let Some(name) = &mailbox
        && !configuration.mailboxes.iter().any(|one| one.name == *name)
    {
        let names: Vec<&str> = configuration.mailboxes.iter().map(|one| one.name.as_str()).collect();
        let words = format!("mailbox {name} is not configured: expected one of {}", names.join(", "));
        return Err(NotConfigured { words }.into());
    }
    let all = reach(configuration, mailbox.as_deref()).await;
    if all.is_empty() {
        bail!("no mailbox and no relay is configured: add [[mailbox]] and [relay] to the configuration file");
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
