//! `xmserver quarantine`: containers not accepted, until a person has looked at them.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use sdc::letter::Matricule;
use serde_json::{Value, json};
use store::administration::quarantine::{self, QuarantineContent, QuarantineFilter};

use super::{Desk, read_matricule};
use crate::show::{self, Clock, Table};

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
        /// For programs
        #[arg(long)]
        json: bool,
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
    /// With this reason
    #[arg(long)]
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
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: i64,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(desk: &mut Desk, command: QuarantineCommand) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    match command {
        QuarantineCommand::List(arguments) => list(desk, arguments).await,
        QuarantineCommand::Show { id, container, json } => {
            let content = quarantine::show(desk.connection(), &operator, id).await?;
            if let Some(file) = container {
                std::fs::write(&file, &content.original).with_context(|| format!("cannot write {}", file.display()))?;
            }
            show_one(content, desk.clock, json)
        }
        QuarantineCommand::Drop { id, reason } => {
            quarantine::drop(desk.connection(), &operator, id, &reason).await?;
            show::text(&format!("quarantine entry {id} dropped\n"))
        }
    }
}

fn show_one(content: QuarantineContent, clock: Clock, for_programs: bool) -> anyhow::Result<()> {
    let QuarantineContent { entry, original, held_version } = content;
    if for_programs {
        let mut all = json!(entry);
        if let Value::Object(members) = &mut all {
            members.insert("held_version".to_owned(), json!(held_version));
        }
        return show::json(&all);
    }
    show::facts(&[
        ("id", entry.id.to_string()),
        ("received", clock.time(entry.received_at)),
        ("reason", entry.reason),
        ("detail", entry.detail),
        ("state", entry.state),
        ("waits for a decision", entry.held.to_string()),
        ("agency", show::or_dash(entry.agency.map(show::matricule))),
        ("installation", show::or_dash(entry.installation)),
        ("letter id", show::or_dash(entry.letter_id)),
        ("digest", hex::encode(entry.digest)),
        ("transport", entry.transport),
        ("mailbox", entry.mailbox),
        ("sender domain", entry.sender_domain),
        ("original", format!("{} bytes, {} kept", entry.original_bytes, original.len())),
        ("held version", show::or_dash(held_version)),
    ])
}

async fn list(desk: &mut Desk, arguments: ListArguments) -> anyhow::Result<()> {
    let filter = QuarantineFilter {
        reason: arguments.reason,
        agency: arguments.agency,
        held: arguments.held,
        with_decided: arguments.with_decided,
        before: arguments.before,
        limit: Some(arguments.limit),
    };
    let clock = desk.clock;
    let entries = quarantine::list(desk.connection(), &filter).await?;
    if arguments.json {
        return show::json(&entries);
    }
    let mut table =
        Table::new(&["id", "received", "reason", "held", "agency", "sender domain", "bytes", "state", "detail"]);
    for entry in entries {
        table.row([
            entry.id.to_string(),
            clock.time(entry.received_at),
            entry.reason,
            if entry.held { "held" } else { "-" }.to_owned(),
            show::or_dash(entry.agency.map(show::matricule)),
            entry.sender_domain,
            entry.original_bytes.to_string(),
            entry.state,
            entry.detail,
        ]);
    }
    table.print("the quarantine is empty")
}
