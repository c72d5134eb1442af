//! `xmserver quarantine`: an operator looks at containers that the centre did not accept, and tries them again or drops them.

mod retrying;
mod selection;

use std::path::PathBuf;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use diesel_async::AsyncPgConnection;
use sdc::letter::Matricule;
use sdc::refusal::RefusalCode;
use serde_json::{Value, json};
use store::error::AdministrationError;
use store::letters::quarantine::{self, QuarantineContent, QuarantineEntry, QuarantineFilter};

use super::desk::{Desk, read_matricule};
use super::listing::{self, Extent, Listing};
use super::terms;
use crate::configuration::Configuration;
use crate::show;
use crate::speech::{self, said};
use retrying::Retrier;
pub(super) use retrying::tried_words;
use selection::{Outcome, SelectArguments, ShowArguments, Target};

/// What to do with the quarantine.
#[derive(Subcommand, Debug)]
pub enum QuarantineCommand {
    /// List entries, newest first
    List(ListArguments),
    /// Show one entry; that is put on record
    Show {
        /// Its number
        id: i64,
        /// Also write the original bytes into this file
        #[arg(long, value_name = "FILE")]
        container: Option<PathBuf>,
    },
    /// Count the open entries by reason, table and sender's domain
    Groups,
    /// Choose entries, to retry or drop them together; nothing happens to them yet
    Select(SelectArguments),
    /// List selections, newest first
    Selections {
        /// Older than this one
        #[arg(long)]
        before: Option<i64>,
        #[command(flatten)]
        extent: Extent,
    },
    /// Show the entries of a selection, and what became of each
    Selection(ShowArguments),
    /// Try entries again, once what was wrong is mended: each letter gets another attempt
    Retry {
        #[command(flatten)]
        target: Target,
        /// How many entries the selection has left; needed above 100
        #[arg(long, value_name = "ENTRIES", requires = "selection")]
        count: Option<i64>,
        /// What was mended
        #[arg(long)]
        reason: String,
    },
    /// Drop entries: their bytes go, their lines stay
    Drop {
        #[command(flatten)]
        target: Target,
        /// How many entries the selection has left; needed above 100
        #[arg(long, value_name = "ENTRIES", requires = "selection")]
        count: Option<i64>,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// Which entries to list.
#[derive(Args, Debug)]
pub struct ListArguments {
    /// With this reason: the code of a refusal
    #[arg(long, value_parser = codes(), hide_possible_values = true)]
    reason: Option<String>,
    /// Of this agency
    #[arg(long, value_parser = read_matricule)]
    agency: Option<Matricule>,
    /// Those that wait for a decision
    #[arg(long)]
    held: bool,
    /// Those decided already, too
    #[arg(long)]
    with_decided: bool,
    /// Older than this entry
    #[arg(long)]
    before: Option<i64>,
    #[command(flatten)]
    extent: Extent,
}

fn codes() -> PossibleValuesParser {
    PossibleValuesParser::new(RefusalCode::ALL.iter().map(|code| code.as_str()))
}

pub(super) async fn run(
    desk: &mut Desk,
    configuration: &Configuration,
    command: QuarantineCommand,
) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    match command {
        QuarantineCommand::List(arguments) => {
            let ListArguments { reason, agency, held, with_decided, before, extent } = arguments;
            let filter = QuarantineFilter { reason, agency, held, with_decided, before: None, limit: None };
            listing::tell(desk, &filter, before, extent).await
        }
        QuarantineCommand::Show { id, container } => {
            let content = quarantine::show(desk.connection(), &operator, id).await?;
            if let Some(file) = container {
                std::fs::write(&file, &content.original).with_context(|| format!("cannot write {}", file.display()))?;
            }
            show_one(desk, content).await
        }
        QuarantineCommand::Groups => selection::groups(desk).await,
        QuarantineCommand::Select(arguments) => selection::select(desk, arguments).await,
        QuarantineCommand::Selections { before, extent } => selection::list(desk, before, extent).await,
        QuarantineCommand::Selection(arguments) => selection::show_one(desk, arguments).await,
        QuarantineCommand::Retry { target, count, reason } => {
            retry_target(desk, configuration, target, count, &reason).await
        }
        QuarantineCommand::Drop { target, count, reason } => drop_target(desk, target, count, &reason).await,
    }
}

async fn retry_target(
    desk: &mut Desk,
    configuration: &Configuration,
    target: Target,
    count: Option<i64>,
    reason: &str,
) -> anyhow::Result<()> {
    let retrier = Retrier::new(desk, configuration)?;
    if let Some(selection) = target.selection {
        return selection::run_job(desk, selection, count, async |desk, entry| {
            match retrier.retry(desk, entry, reason).await {
                Ok(tried) => Ok(retrying::outcome(entry, &tried)),
                Err(error) => selection::passed_over(error),
            }
        })
        .await;
    }
    match target.id {
        Some(id) => retrying::retry_one(&retrier, desk, id, reason).await,
        None => Ok(()),
    }
}

async fn drop_target(desk: &mut Desk, target: Target, count: Option<i64>, reason: &str) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    if let Some(selection) = target.selection {
        return selection::run_job(desk, selection, count, async |desk, entry| {
            match quarantine::drop(desk.connection(), &operator, entry, reason).await {
                Ok(()) => {
                    Ok(Outcome { code: "dropped".to_owned(), words: said!("quarantine-state-dropped"), is_final: true })
                }
                Err(error) => selection::passed_over(error.into()),
            }
        })
        .await;
    }
    let Some(id) = target.id else { return Ok(()) };
    quarantine::drop(desk.connection(), &operator, id, reason).await?;
    let words = said!("quarantine-dropped", entry = id.to_string());
    desk.tell_line(&json!({ "id": id, "state": "dropped" }), &words)
}

async fn show_one(desk: &mut Desk, content: QuarantineContent) -> anyhow::Result<()> {
    let QuarantineContent { entry, original, held_version } = content;
    let lines = quarantine::lines_of(desk.connection(), &entry).await?;
    let lines: Vec<i64> = lines.iter().map(|line| line.id).collect();
    if desk.json {
        let mut all = json!(entry);
        if let Value::Object(members) = &mut all {
            members.insert("held_version".to_owned(), json!(held_version));
            members.insert("journal_lines".to_owned(), json!(lines));
        }
        return show::json(&all);
    }
    let (clock, advice) = (desk.clock, advice(&entry));
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let mut facts = vec![
        ("id", entry.id.to_string()),
        ("journal lines", show::joined_or_dash(&lines)),
        ("received", clock.time(entry.received_at)),
        ("reason", terms::reason(&entry.reason)),
        ("detail", speech::sentences(&entry.detail)),
        ("state", state(&entry)),
        ("waits for a decision", if entry.held { said!("word-true") } else { said!("word-false") }),
        ("agency", show::or_dash(entry.agency.map(|agency| agency.to_string()))),
        ("installation", show::or_dash(entry.installation)),
        ("letter id", show::or_dash(entry.letter_id)),
    ];
    if entry.agency.is_none() {
        facts.push(("claimed agency", claimed(entry.claimed_agency.map(|agency| agency.to_string()))));
        facts.push(("claimed signer", claimed(entry.signer.map(|signer| speech::sentences(&signer)))));
    } else {
        facts.push(("signer", show::or_dash(entry.signer.map(|signer| speech::sentences(&signer)))));
    }
    facts.extend([
        ("sender", claimed(entry.sender.filter(|sender| !sender.is_empty()))),
        ("sender domain", entry.sender_domain),
        ("subject", show::or_dash(entry.subject)),
        ("transport", terms::transport(&entry.transport)),
        ("mailbox", entry.mailbox),
        ("container SHA-256", hex::encode(entry.digest)),
        ("original", said!("quarantine-original", bytes = entry.original_bytes, kept = original.len())),
        ("held version", show::or_dash(held_version)),
    ]);
    show::facts(&facts)?;
    advice.map_or(Ok(()), |advice| show::text(&format!("{advice}\n")))
}

/// Returns advice for an open entry whose signer has no registered certificate; none for other entries.
fn advice(entry: &QuarantineEntry) -> Option<String> {
    let waits = entry.state == "open" && entry.reason == RefusalCode::UnknownSigner.as_str();
    let number = entry.id.to_string();
    waits.then(|| match entry.claimed_agency {
        Some(agency) => {
            let (agency, again) = (agency.to_string(), u32::from(agency).to_string());
            said!("quarantine-stranger-of", agency = agency, again = again, entry = number)
        }
        None => said!("quarantine-stranger", entry = number),
    })
}

/// Returns the words of an entry's state.
pub(super) fn state(entry: &QuarantineEntry) -> String {
    match entry.state.as_str() {
        "open" if entry.held => said!("quarantine-state-held"),
        "open" => said!("quarantine-state-open"),
        "dropped" => said!("quarantine-state-dropped"),
        "retried" => said!("quarantine-state-retried"),
        other => other.to_owned(),
    }
}

/// Returns a value that a container or a mail says of itself, marked as claimed and not proven.
fn claimed(value: Option<String>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| said!("claimed", value = value))
}

impl Listing for QuarantineFilter {
    type Line = QuarantineEntry;
    type Cursor = i64;
    const HEADINGS: &'static [&'static str] =
        &["id", "received", "agency", "sender domain", "bytes", "state", "reason"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<i64>,
        limit: i64,
    ) -> Result<Vec<QuarantineEntry>, AdministrationError> {
        quarantine::list(connection, &QuarantineFilter { before: behind, limit: Some(limit), ..self.clone() }).await
    }

    fn cursor(entry: &QuarantineEntry) -> i64 {
        entry.id
    }

    fn cells(entry: QuarantineEntry, desk: &Desk) -> Vec<String> {
        // The agency is in brackets, because the container claims it and no signature proves it.
        let claimed = || entry.claimed_agency.map(|agency| format!("({agency})"));
        let state = state(&entry);
        vec![
            entry.id.to_string(),
            desk.clock.short(entry.received_at),
            show::or_dash(entry.agency.map(|agency| agency.to_string()).or_else(claimed)),
            entry.sender_domain,
            entry.original_bytes.to_string(),
            state,
            entry.reason,
        ]
    }

    async fn nothing(&self, connection: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        let everything = QuarantineFilter { with_decided: true, limit: Some(1), ..QuarantineFilter::default() };
        if quarantine::list(connection, &everything).await?.is_empty() {
            return Ok(said!("quarantine-empty"));
        }
        Ok(if self.with_decided { said!("quarantine-none-such") } else { said!("quarantine-none-such-hint") })
    }
}
