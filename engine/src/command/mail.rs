//! `xmserver mail test`: which step of reaching a mailbox or the relay fails.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use mail::TestReport;
use serde_json::json;

use crate::check::reach;
use crate::configuration::Configuration;
use crate::show;

/// What to do with mail.
#[derive(Subcommand, Debug)]
pub enum MailCommand {
    /// Try every mailbox and the relay, step by step; exit code 1 where one fails
    Test {
        /// This mailbox only
        #[arg(long)]
        mailbox: Option<String>,
        /// For programs
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(configuration: &Configuration, command: MailCommand) -> anyhow::Result<ExitCode> {
    let MailCommand::Test { mailbox, json } = command;
    if let Some(name) = &mailbox
        && !configuration.mailboxes.iter().any(|one| one.name == *name)
    {
        let names: Vec<&str> = configuration.mailboxes.iter().map(|one| one.name.as_str()).collect();
        bail!("mailbox {name} is not configured: expected one of {}", names.join(", "));
    }
    let reports = reach(configuration, mailbox.as_deref()).await;
    if reports.is_empty() {
        bail!("no mailbox and no relay is configured: add [[mailbox]] and [relay] to the configuration file");
    }
    let failed = reports.iter().any(|(_, report)| report.failure.is_some());
    if json {
        show::json(&reports.iter().map(|(subject, report)| as_json(subject, report)).collect::<Vec<_>>())?;
    } else {
        for (subject, report) in &reports {
            tell(subject, report)?;
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(subject: &str, report: &TestReport) -> anyhow::Result<()> {
    let mut text = format!("{subject}\n");
    for (step, time) in &report.passed {
        text.push_str(&format!("  ok    {step} ({} ms)\n", time.as_millis()));
    }
    if let Some(failure) = &report.failure {
        text.push_str(&format!("  fail  {failure}\n"));
    }
    show::text(&text)
}

fn as_json(subject: &str, report: &TestReport) -> serde_json::Value {
    let passed: Vec<_> = report
        .passed
        .iter()
        .map(|(step, time)| json!({ "step": step.as_str(), "milliseconds": u64::try_from(time.as_millis()).unwrap_or(u64::MAX) }))
        .collect();
    let failure =
        report.failure.as_ref().map(|failure| json!({ "step": failure.step.as_str(), "message": failure.to_string() }));
    json!({ "subject": subject, "passed": passed, "failure": failure })
}
