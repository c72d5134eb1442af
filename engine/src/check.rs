//! `xmserver check`: checks everything that the centre needs. Each line says ok, warn or fail, and what to do.

use std::process::ExitCode;

use clap::Args;
use cluster::Cluster;
use words::Problem;

use crate::clock::Clock;
use crate::configuration::{Configuration, Role};
use crate::database::{OpenDatabase, Purpose, connect_reader};
use crate::reach::reach;
use crate::show;
use crate::speech::{self, said};

mod database;
mod findings;
mod machine;
mod reading;

use findings::{Finding, Findings, Verdict};

/// How to check.
#[derive(Args, Clone, Debug)]
pub struct CheckArguments {
    /// Also reach out to every mailbox and the relay
    #[arg(long)]
    online: bool,
}

/// Checks everything and prints the findings, as JSON where `json` is set and as text otherwise. The exit code is 1 if any finding is a
/// failure.
///
/// # Errors
/// Standard output cannot be written.
pub async fn check(configuration: &Configuration, arguments: &CheckArguments, json: bool) -> anyhow::Result<ExitCode> {
    let mut findings = Findings::default();
    machine::configured(configuration, &mut findings);
    folder_of_words(&mut findings);
    machine::libraries(&mut findings);
    // A process that only takes pushed letters has neither keys nor a database.
    if configuration.server.role != Role::Intake {
        centre(configuration, &mut findings).await;
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

/// Checks the centre's keys and its database.
async fn centre(configuration: &Configuration, findings: &mut Findings) {
    let opened = OpenDatabase::open(configuration, Purpose::Command).await;
    let clock = match &opened {
        Ok(open) => database::clock(open).await,
        Err(_) => Clock::UTC,
    };
    let keys = machine::secrets(configuration, clock, findings);
    match opened {
        Ok(open) => {
            let folder = configuration.is_embedded().then(|| configuration.cluster_folder());
            let shared_user = folder.and_then(|folder| Cluster::shared_user(&folder));
            let reader = connect_reader(configuration, None).unwrap_or_else(|error| {
                findings.add(Verdict::Fail, "reading", format!("{error:#}"));
                None
            });
            database::database(&open, (shared_user, reader), keys.as_ref(), clock, findings).await;
            open.close().await;
        }
        Err(error) => findings.add(Verdict::Fail, "database", format!("{error:#}")),
    }
}

fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Ok => said!("verdict-ok"),
        Verdict::Warn => said!("verdict-warn"),
        Verdict::Fail => said!("verdict-fail"),
    }
}

/// Reports mistakes in the operator's own translations. These are files `*.ftl` in the folder given by `--words` or, without this option,
/// in `/etc/xmserver/words`. Where the folder does not exist, nothing is reported.
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
