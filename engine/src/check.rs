//! `xmserver check`: looks at everything that the centre needs. Each line says ok, warn or fail, and what to do.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use words::Problem;

use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::database::{OpenDatabase, Purpose};
use crate::reach::reach;
use crate::show;
use crate::speech::{self, said};

mod database;
mod machine;

/// How to check.
#[derive(Args, Clone, Debug)]
pub struct CheckArguments {
    /// Also reach out to every mailbox and the relay
    #[arg(long)]
    online: bool,
}

/// How well a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All is well.
    Ok,
    /// Worth a change; the centre works.
    Warn,
    /// The centre does not work, or breaks a promise.
    Fail,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How well it is.
    pub verdict: Verdict,
    /// What was looked at.
    pub subject: String,
    /// What was found, and what to do.
    pub text: String,
}

/// Lines in the order in which they were found.
#[derive(Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, verdict: Verdict, subject: impl Into<String>, text: impl Into<String>) {
        self.0.push(Finding { verdict, subject: subject.into(), text: text.into() });
    }

    /// Adds a line of what failed, or one that all is well.
    fn judge(&mut self, subject: &str, verdict: Verdict, problems: Vec<String>, well: impl Into<String>) {
        if problems.is_empty() {
            self.add(Verdict::Ok, subject, well);
        }
        for problem in problems {
            self.add(verdict, subject, problem);
        }
    }

    fn has_failed(&self) -> bool {
        self.0.iter().any(|finding| finding.verdict == Verdict::Fail)
    }
}

/// Checks everything and tells it, as JSON for programs. The exit code is 1 where something fails.
///
/// # Errors
/// Standard output cannot be written.
pub async fn check(configuration: &Configuration, arguments: &CheckArguments, json: bool) -> anyhow::Result<ExitCode> {
    let mut findings = Findings::default();
    machine::configured(configuration, &mut findings);
    folder_of_words(&mut findings);
    machine::libraries(&mut findings);
    let opened = OpenDatabase::open(configuration, Purpose::Command).await;
    let clock = match &opened {
        Ok(open) => database::clock(open).await,
        Err(_) => Clock::UTC,
    };
    let keys = machine::secrets(configuration, clock, &mut findings);
    match opened {
        Ok(open) => {
            database::database(&open, keys.as_ref(), clock, &mut findings).await;
            open.close().await;
        }
        Err(error) => findings.add(Verdict::Fail, "database", format!("{error:#}")),
    }
    if arguments.online {
        for reached in reach(configuration, None).await {
            match reached.failure {
                None => findings.add(Verdict::Ok, format!("reach {}", reached.subject), "every step passed"),
                Some(failure) => findings.add(Verdict::Fail, format!("reach {}", reached.subject), failure.message),
            }
        }
    }
    tell(&findings, json)?;
    Ok(if findings.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Ok => said!("verdict-ok"),
        Verdict::Warn => said!("verdict-warn"),
        Verdict::Fail => said!("verdict-fail"),
    }
}

/// Looks at the folder of words, if there is one.
fn folder_of_words(findings: &mut Findings) {
    for Problem { file, line, reason } in speech::words().problems() {
        let file = file.display();
        let text = match line {
            Some(line) => format!("{file}, line {line}: {reason}; what is right in it is said all the same"),
            None => format!("{file} is not read: {reason}"),
        };
        findings.add(Verdict::Warn, "words", text);
    }
}

fn tell(findings: &Findings, json: bool) -> anyhow::Result<()> {
    if json {
        return show::json(&findings.0);
    }
    let columns = |text: &str| text.chars().count();
    let width = findings.0.iter().map(|finding| columns(&speech::sentences(&finding.subject))).max().unwrap_or(0);
    let verdicts = [Verdict::Ok, Verdict::Warn, Verdict::Fail];
    let verdict_width = verdicts.into_iter().map(|one| columns(&verdict(one))).max().unwrap_or(0);
    let line = |finding: &Finding| {
        let (word, subject) = (verdict(finding.verdict), speech::sentences(&finding.subject));
        format!("{word:<verdict_width$}  {subject:<width$}  {}\n", speech::sentences(&finding.text))
    };
    show::text(&findings.0.iter().map(line).collect::<String>())
}
