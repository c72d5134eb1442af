//! Tries to reach mailboxes and the relay, step by step: DNS, TCP, TLS, sign-in, mailbox.

use std::time::Instant;

use mail::TestReport;
use mail::pop3::Mailbox;
use mail::smtp::Relay;
use serde::Serialize;

use crate::configuration::{Configuration, RelayConfiguration};

/// How one server was reached.
#[derive(Clone, Debug, Serialize)]
pub struct Reached {
    /// Such as `mailbox main`, or `relay`.
    pub subject: String,
    /// Steps that went well, in order.
    pub passed: Vec<PassedStep>,
    /// What ended the test, if anything did.
    pub failure: Option<FailedStep>,
}

/// A step that went well.
#[derive(Clone, Debug, Serialize)]
pub struct PassedStep {
    /// Its name.
    pub step: &'static str,
    /// How long it took.
    pub milliseconds: u64,
}

/// The step that did not.
#[derive(Clone, Debug, Serialize)]
pub struct FailedStep {
    /// Its name, where it is known.
    pub step: Option<&'static str>,
    /// What happened.
    pub message: String,
}

/// Tries the mailboxes and the relay, or the one mailbox that is named.
pub async fn reach(configuration: &Configuration, only: Option<&str>) -> Vec<Reached> {
    let mut all = Vec::new();
    for mailbox in configuration.mailboxes.iter().filter(|mailbox| only.is_none_or(|name| mailbox.name == name)) {
        let report = match Mailbox::new(mailbox.pop3.clone()) {
            Ok(open) => open.test().await,
            Err(error) => TestReport { passed: Vec::new(), failure: Some(error) },
        };
        all.push(told(format!("mailbox {}", mailbox.name), report));
    }
    if let (Some(relay), None) = (&configuration.relay, only) {
        all.push(relay_reached(relay).await);
    }
    all
}

fn told(subject: String, report: TestReport) -> Reached {
    let passed = report
        .passed
        .into_iter()
        .map(|(step, time)| PassedStep { step: step.as_str(), milliseconds: milliseconds(time) })
        .collect();
    let failure =
        report.failure.map(|error| FailedStep { step: Some(error.step.as_str()), message: error.to_string() });
    Reached { subject, passed, failure }
}

async fn relay_reached(relay: &RelayConfiguration) -> Reached {
    let mut reached = Reached { subject: "relay".to_owned(), passed: Vec::new(), failure: None };
    let open = match Relay::new(&relay.smtp) {
        Ok(open) => open,
        Err(error) => {
            reached.failure = Some(FailedStep { step: Some(error.step.as_str()), message: error.to_string() });
            return reached;
        }
    };
    let started = Instant::now();
    match open.test().await {
        Ok(()) => {
            let step = if relay.smtp.username.is_some() { "sign-in" } else { "greeting" };
            reached.passed.push(PassedStep { step, milliseconds: milliseconds(started.elapsed()) });
        }
        Err(failure) => {
            let step = failure.step.map(|step| step.as_str());
            let told = step.map(|step| format!("{step}: ")).unwrap_or_default();
            let message = format!("{}:{}: {told}{}", relay.smtp.host, relay.smtp.port(), failure.reply);
            reached.failure = Some(FailedStep { step, message });
        }
    }
    reached
}

fn milliseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
