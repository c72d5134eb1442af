//! `xmserver quarantine`: an operator looks at containers that the centre did not accept, and tries them again or drops them.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use diesel_async::AsyncPgConnection;
use reader::{ReadLimits, Reader};
use sdc::letter::Matricule;
use sdc::refusal::RefusalCode;
use serde_json::{Value, json};
use store::certificates::issuer::CertificateIssuer;
use store::error::AdministrationError;
use store::ledger::voucher_keys::VoucherKeys;
use store::letters::quarantine::{self, QuarantineContent, QuarantineEntry, QuarantineFilter, retry};
use store::settle::{Arrival, Settler, SettlingSettings, Tried};

use super::desk::{Desk, read_matricule};
use super::listing::{self, Extent, Listing};
use super::terms;
use crate::configuration::Configuration;
use crate::database::connect_reader;
use crate::folder::DataFolder;
use crate::issuer::Authority;
use crate::speech::{self, said};
use crate::{keys, reopen, show};

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
    /// Try an entry again, once what was wrong is mended: the letter gets another attempt
    Retry {
        /// Its number
        id: i64,
        /// What was mended
        #[arg(long)]
        reason: String,
    },
    /// Drop an entry: its bytes go, its line stays
    Drop {
        /// Its number
        id: i64,
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
        QuarantineCommand::Retry { id, reason } => try_again(desk, configuration, id, &reason).await,
        QuarantineCommand::Drop { id, reason } => {
            quarantine::drop(desk.connection(), &operator, id, &reason).await?;
            let words = said!("quarantine-dropped", entry = id.to_string());
            desk.tell_line(&json!({ "id": id, "state": "dropped" }), &words)
        }
    }
}

async fn try_again(desk: &mut Desk, configuration: &Configuration, id: i64, reason: &str) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    let folder = DataFolder::of(configuration)?;
    let keys = keys::load(&folder.keys())?;
    let voucher_keys = VoucherKeys::of(&keys.centre)?;
    let issuer =
        Authority::load(&folder.keys())?.map(|authority| -> Arc<dyn CertificateIssuer> { Arc::new(authority) });
    let settling = SettlingSettings { voucher_keys, issuer, ..configuration.limits.of_settling() };
    let settler = Arc::new(Settler::new(desk.database.clone(), settling));
    let taken_up = retry::take_up(desk.connection(), &operator, id).await?;
    let mut arrivals = reopen::arrivals(desk.connection(), &keys.centre, &configuration.limits, &taken_up).await?;
    read_again(desk, configuration, &settler, &mut arrivals).await?;
    let tried = retry::retry(&settler, desk.connection(), &operator, &taken_up, arrivals, reason).await?;
    let told = |tried: &Tried| match tried {
        Tried::Stranger(refusal) if refusal.code == RefusalCode::UnknownSigner => {
            said!("quarantine-no-certificate", entry = id.to_string())
        }
        other => tried_words(other),
    };
    let words: Vec<String> = tried.iter().map(told).collect();
    let is_tried =
        tried.iter().any(|tried| matches!(tried, Tried::Accepted { .. } | Tried::Refused { .. } | Tried::Held { .. }));
    if !is_tried {
        bail!("quarantine entry {id} stays as it is: {}", words.join("; "));
    }
    let result = json!({ "id": id, "tried": tried.iter().map(retry::as_json).collect::<Vec<Value>>() });
    desk.tell(&result, &words.iter().map(|line| format!("{line}\n")).collect::<String>())
}

/// Reads records again for those letters of a quarantine entry that ask for records. If the centre has no login that reads, nothing is
/// read.
async fn read_again(
    desk: &Desk,
    configuration: &Configuration,
    settler: &Arc<Settler>,
    arrivals: &mut [Arrival],
) -> anyhow::Result<()> {
    let asking = arrivals.iter_mut().filter(|arrival| arrival.asks_to_read());
    let Some(login) = connect_reader(configuration, None)? else { return Ok(()) };
    let reader = Reader::new(desk.database.clone(), Some(login), Arc::clone(settler), ReadLimits::default());
    for arrival in asking {
        arrival.read = reader.read_again(arrival).await?;
    }
    Ok(())
}

pub(super) fn tried_words(tried: &Tried) -> String {
    match tried {
        Tried::Accepted { letter_id, attempt } => {
            said!("quarantine-accepted", letter = letter_id.to_string(), attempt = attempt.to_string())
        }
        Tried::Refused { letter_id, attempt, refusal } => said!(
            "quarantine-refused-again",
            letter = letter_id.to_string(),
            attempt = attempt.to_string(),
            refusal = speech::sentences(&refusal.to_string())
        ),
        Tried::Held { letter_id, attempt, checks } => said!(
            "quarantine-held",
            letter = letter_id.to_string(),
            attempt = attempt.to_string(),
            checks = checks.join(", ")
        ),
        Tried::Stranger(refusal) => {
            said!("quarantine-no-attempt", refusal = speech::sentences(&refusal.to_string()))
        }
        Tried::AcceptedBefore { letter_id } => said!("quarantine-accepted-before", letter = letter_id.to_string()),
        Tried::Waits => said!("quarantine-waits"),
    }
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
