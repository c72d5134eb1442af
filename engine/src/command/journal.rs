//! `xmserver journal`: letters received.

use std::path::PathBuf;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use sdc::letter::Matricule;
use store::administration::journal::{self, JournalFilter};
use uuid::Uuid;

use super::{Desk, read_matricule, read_time};
use crate::show::{self, Table};

/// What to do with the journal.
#[derive(Subcommand, Debug)]
pub enum JournalCommand {
    /// List letters, newest first
    List(ListArguments),
    /// Show one line
    Show {
        /// Its number
        id: i64,
        /// Also write the container's original bytes into this file
        #[arg(long, value_name = "FILE")]
        container: Option<PathBuf>,
        /// For programs
        #[arg(long)]
        json: bool,
    },
}

/// Which lines to list.
#[derive(Args, Debug)]
pub struct ListArguments {
    /// Of this agency
    #[arg(long, value_parser = read_matricule)]
    agency: Option<Matricule>,
    /// accepted, duplicate, or the code of a refusal
    #[arg(long)]
    outcome: Option<String>,
    /// Of this letter
    #[arg(long)]
    letter_id: Option<Uuid>,
    /// From this day or time on
    #[arg(long, value_parser = read_time)]
    since: Option<DateTime<Utc>>,
    /// Before this day or time
    #[arg(long, value_parser = read_time)]
    until: Option<DateTime<Utc>>,
    /// Older than this line
    #[arg(long)]
    before: Option<i64>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: i64,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(desk: &mut Desk, command: JournalCommand) -> anyhow::Result<()> {
    let clock = desk.clock;
    match command {
        JournalCommand::List(arguments) => list(desk, arguments).await,
        JournalCommand::Show { id, container, json } => {
            let (line, original) = journal::show(desk.connection(), id).await?;
            if let Some(file) = container {
                let Some(original) = &original else {
                    bail!("the container of journal line {id} is not kept any more");
                };
                std::fs::write(&file, original).with_context(|| format!("cannot write {}", file.display()))?;
            }
            if json {
                return show::json(&line);
            }
            show::facts(&[
                ("id", line.id.to_string()),
                ("received", clock.time(line.received_at)),
                ("agency", show::or_dash(line.agency.map(show::matricule))),
                ("installation", show::or_dash(line.installation)),
                ("letter id", show::or_dash(line.letter_id)),
                ("sequence", show::or_dash(line.sequence)),
                ("digest", show::or_dash(line.digest.map(hex::encode))),
                ("service", show::or_dash(line.service)),
                ("outcome", line.outcome),
                ("attempt", show::or_dash(line.attempt)),
                ("transport", line.transport),
                ("mailbox", line.mailbox),
                ("sender domain", line.sender_domain),
                ("container", format!("{} bytes, {}", line.container_bytes, kept(original.as_deref()))),
                ("rows", line.row_count.to_string()),
                ("cost", show::amount(line.cost, &desk.server)),
                ("clock skew", show::or_dash(line.skew_seconds.map(|seconds| format!("{seconds} s")))),
            ])
        }
    }
}

fn kept(original: Option<&[u8]>) -> &'static str {
    if original.is_some() { "kept" } else { "not kept any more" }
}

async fn list(desk: &mut Desk, arguments: ListArguments) -> anyhow::Result<()> {
    let filter = JournalFilter {
        agency: arguments.agency,
        outcome: arguments.outcome,
        letter_id: arguments.letter_id,
        since: arguments.since,
        until: arguments.until,
        before: arguments.before,
        limit: Some(arguments.limit),
    };
    let clock = desk.clock;
    let lines = journal::list(desk.connection(), &filter).await?;
    if arguments.json {
        return show::json(&lines);
    }
    let mut table =
        Table::new(&["id", "received", "agency", "installation", "sequence", "service", "outcome", "rows", "cost"]);
    for line in lines {
        table.row([
            line.id.to_string(),
            clock.time(line.received_at),
            show::or_dash(line.agency.map(show::matricule)),
            show::or_dash(line.installation),
            show::or_dash(line.sequence),
            show::or_dash(line.service),
            line.outcome,
            line.row_count.to_string(),
            show::amount(line.cost, &desk.server),
        ]);
    }
    table.print("no letter")
}
