//! `xmserver journal`: letters received.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use diesel_async::AsyncPgConnection;
use sdc::letter::Matricule;
use sdc::refusal::RefusalCode;
use store::error::AdministrationError;
use store::letters::journal::{self, JournalFilter, JournalLine};
use store::letters::quarantine;
use uuid::Uuid;

use super::desk::{Desk, read_matricule};
use super::listing::{self, Extent, Listing};
use super::terms;
use crate::clock::Moment;
use crate::show;
use crate::speech::said;

/// What to do with the journal.
#[derive(Subcommand, Debug)]
pub enum JournalCommand {
    /// List letters, newest first
    List(ListArguments),
    /// Show one line; `xmserver letter show` tells all of its letter
    Show {
        /// Its number
        id: i64,
        /// Also write the container's original bytes into this file
        #[arg(long, value_name = "FILE")]
        container: Option<PathBuf>,
    },
}

/// Which lines to list.
#[derive(Args, Debug)]
pub struct ListArguments {
    /// Of this agency
    #[arg(long, value_parser = read_matricule)]
    agency: Option<Matricule>,
    /// accepted, duplicate, held, or the code of a refusal
    #[arg(long, value_parser = outcomes(), hide_possible_values = true)]
    outcome: Option<String>,
    /// Of this letter
    #[arg(long)]
    letter_id: Option<Uuid>,
    /// Of letters with flags only: accepted, and a check wants an explanation
    #[arg(long)]
    flagged: bool,
    /// From this day or time of the centre on
    #[arg(long)]
    since: Option<Moment>,
    /// Before this day or time of the centre
    #[arg(long)]
    until: Option<Moment>,
    /// Older than this line
    #[arg(long)]
    before: Option<i64>,
    #[command(flatten)]
    extent: Extent,
}

fn outcomes() -> PossibleValuesParser {
    PossibleValuesParser::new(
        ["accepted", "duplicate", "held"].into_iter().chain(RefusalCode::ALL.iter().map(|code| code.as_str())),
    )
}

pub(super) async fn run(desk: &mut Desk, command: JournalCommand) -> anyhow::Result<()> {
    match command {
        JournalCommand::List(arguments) => list(desk, arguments).await,
        JournalCommand::Show { id, container } => show_one(desk, id, container).await,
    }
}

async fn list(desk: &mut Desk, arguments: ListArguments) -> anyhow::Result<()> {
    let ListArguments { agency, outcome, letter_id, flagged, since, until, before, extent } = arguments;
    let clock = desk.clock;
    let filter = JournalFilter {
        agency,
        outcome,
        letter_id,
        flagged,
        since: since.map(|since| clock.read(&since)).transpose()?,
        until: until.map(|until| clock.read(&until)).transpose()?,
        before: None,
        limit: None,
    };
    listing::tell(desk, &filter, before, extent).await
}

async fn show_one(desk: &mut Desk, id: i64, container: Option<PathBuf>) -> anyhow::Result<()> {
    let (line, is_kept) = journal::show(desk.connection(), id).await?;
    let entries = quarantine::of_line(desk.connection(), &line).await?;
    let entries: Vec<i64> = entries.iter().map(|entry| entry.id).collect();
    if let Some(file) = container {
        let operator = desk.operator.clone();
        // Without the container there is nothing to look at, so no look is written down.
        let original = if is_kept { journal::original(desk.connection(), &operator, id).await? } else { None };
        let Some(original) = original else {
            match entries.first() {
                Some(entry) => bail!(
                    "what was not accepted is kept in quarantine: `xmserver quarantine show {entry} --container {}`",
                    file.display()
                ),
                None => bail!("the container of journal line {id} is not kept any more"),
            }
        };
        std::fs::write(&file, original).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let kept = match (is_kept, entries.as_slice()) {
        (true, _) => said!("journal-kept"),
        (false, [entry, ..]) => said!("journal-in-quarantine", entry = entry.to_string()),
        (false, []) => said!("journal-not-kept"),
    };
    if desk.json {
        return show::json(&line);
    }
    let clock = desk.clock;
    show::facts(&[
        ("id", line.id.to_string()),
        ("received", clock.time(line.received_at)),
        ("agency", show::or_dash(line.agency.map(|agency| agency.to_string()))),
        ("installation", show::or_dash(line.installation)),
        ("letter id", show::or_dash(line.letter_id)),
        ("sequence", show::or_dash(line.sequence)),
        ("payload SHA-256", show::or_dash(line.digest.map(hex::encode))),
        ("service", show::or_dash(line.service)),
        ("outcome", terms::outcome(&line.outcome)),
        ("attempt", show::or_dash(line.attempt)),
        ("transport", terms::transport(&line.transport)),
        ("mailbox", line.mailbox),
        ("sender domain", line.sender_domain),
        ("container", said!("journal-container", bytes = line.container_bytes, kept = kept)),
        ("rows", line.row_count.to_string()),
        ("flags", line.flags.to_string()),
        ("cost", show::amount(line.cost, &desk.server)),
        ("clock skew", show::or_dash(line.skew_seconds.map(|seconds| format!("{seconds} s")))),
    ])
}

impl Listing for JournalFilter {
    type Line = JournalLine;
    type Cursor = i64;
    const HEADINGS: &'static [&'static str] =
        &["id", "received", "agency", "sequence", "rows", "flags", "cost", "outcome"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<i64>,
        limit: i64,
    ) -> Result<Vec<JournalLine>, AdministrationError> {
        journal::list(connection, &JournalFilter { before: behind, limit: Some(limit), ..self.clone() }).await
    }

    fn cursor(line: &JournalLine) -> i64 {
        line.id
    }

    fn cells(line: JournalLine, desk: &Desk) -> Vec<String> {
        vec![
            line.id.to_string(),
            desk.clock.short(line.received_at),
            show::or_dash(line.agency.map(|agency| agency.to_string())),
            show::or_dash(line.sequence),
            line.row_count.to_string(),
            line.flags.to_string(),
            show::amount(line.cost, &desk.server),
            terms::outcome(&line.outcome),
        ]
    }

    async fn nothing(&self, _: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        let is_narrowed = self.agency.is_some() || self.outcome.is_some() || self.letter_id.is_some();
        let is_narrowed = is_narrowed || self.flagged || self.since.is_some() || self.until.is_some();
        Ok(if is_narrowed { said!("letter-none-such") } else { said!("letter-none") })
    }
}
