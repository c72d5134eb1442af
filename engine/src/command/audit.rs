//! `xmserver audit`: what operators did and looked at, and whether the log of it is whole.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use diesel_async::AsyncPgConnection;
use serde_json::json;
use store::error::AdministrationError;
use store::people::audit::{Head, Line};
use store::people::inspection::{self, Export};
use store::people::{AuditFilter, Inspection, RecordAsked};

use super::desk::Desk;
use super::listing::{self, Extent, Listing};
use crate::clock::Moment;
use crate::show;
use crate::speech::said;

/// What to do with the audit log.
#[derive(Subcommand, Debug)]
pub enum AuditCommand {
    /// List what operators did, the newest first
    List(ListArguments),
    /// Show one line with all that it says
    Show {
        /// Its number
        line: i64,
    },
    /// Verify that no line was changed, removed or put in between, and show the last one, to be written down
    Verify {
        /// The line and its hash that were written down: it must still be there
        #[arg(long, value_name = "LINE:HASH")]
        written: Option<Head>,
    },
    /// Export the lines, the oldest first, each as a JSON object on a line of its own
    Export {
        /// A new file to write; by default standard output
        file: Option<PathBuf>,
        /// Newer than this line
        #[arg(long, default_value = "0", hide_default_value = true, value_name = "LINE")]
        after: i64,
    },
}

/// Which lines to list.
#[derive(Args, Debug)]
pub struct ListArguments {
    /// Of this user, or of `account NAME`
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Of this action, such as agency.edit
    #[arg(long)]
    action: Option<String>,
    /// About this subject, such as "agency 000042"
    #[arg(long)]
    subject: Option<String>,
    /// From this day or time of the centre on
    #[arg(long)]
    since: Option<Moment>,
    /// Before this day or time of the centre
    #[arg(long)]
    until: Option<Moment>,
    /// Looks at the content of records alone
    #[arg(long)]
    looks: bool,
    /// Who looked at this record, or at a letter that brought it: its table, such as ecr.ActeNaissance, and the values of its legal key
    #[arg(long, num_args = 2.., value_names = ["TABLE", "KEY"])]
    record: Vec<String>,
    /// Older than this line
    #[arg(long, value_name = "LINE")]
    before: Option<i64>,
    #[command(flatten)]
    extent: Extent,
}

pub(super) async fn run(desk: &mut Desk, command: AuditCommand) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    match command {
        AuditCommand::List(arguments) => list(desk, arguments).await,
        AuditCommand::Show { line } => {
            let line = inspection::show(desk.connection(), &operator, line).await?;
            show_one(desk, line)
        }
        AuditCommand::Verify { written } => {
            let head = inspection::verify(desk.connection(), &operator, written.as_ref()).await?;
            let verified = said!("audit-verified", lines = head.id);
            let words = format!("{verified}\n{}", said!("audit-write-down", head = head.to_string()));
            desk.tell_line(
                &json!({ "line": head.id, "hash": hex::encode(&head.hash), "head": head.to_string() }),
                &words,
            )
        }
        AuditCommand::Export { file: None, after } => export(desk, after, show::part).await.map(drop),
        AuditCommand::Export { file: Some(file), after } => {
            let mut out = new_file(&file)?;
            let unwritten = || format!("cannot write {}", file.display());
            let lines = export(desk, after, |text| {
                out.write_all(text.as_bytes()).with_context(unwritten)?;
                Ok(true)
            })
            .await?;
            out.sync_all().with_context(unwritten)?;
            let result = json!({ "file": file, "lines": lines });
            desk.tell_line(&result, &said!("audit-exported", count = lines, file = file.display().to_string()))
        }
    }
}

async fn list(desk: &mut Desk, arguments: ListArguments) -> anyhow::Result<()> {
    let ListArguments { by, action, subject, since, until, looks, record, before, extent } = arguments;
    let clock = desk.clock;
    let record = record.split_first().map(|(table, key)| RecordAsked { table: table.clone(), key: key.to_vec() });
    let filter = AuditFilter {
        line: None,
        operator: by,
        action,
        subject,
        since: since.map(|since| clock.read(&since)).transpose()?,
        until: until.map(|until| clock.read(&until)).transpose()?,
        looks,
        record,
    };
    let operator = desk.operator.clone();
    let inspection = Inspection::begin(desk.connection(), &operator, filter).await?;
    listing::tell(desk, &inspection, before, extent).await
}

fn show_one(desk: &Desk, line: Line) -> anyhow::Result<()> {
    if desk.json {
        return show::json(&line);
    }
    show::facts(&[
        ("id", line.id.to_string()),
        ("time", desk.clock.time(line.at)),
        ("by", line.operator),
        ("action", line.action),
        ("subject", line.subject),
        ("detail", line.detail.to_string()),
        ("sha-256", hex::encode(line.hash)),
    ])
}

/// Writes the lines after a given one until the end of the log, or until `write` returns false. Returns the number of lines written.
async fn export(
    desk: &mut Desk,
    after: i64,
    mut write: impl FnMut(&str) -> anyhow::Result<bool>,
) -> anyhow::Result<usize> {
    let operator = desk.operator.clone();
    let mut export = Export::begin(desk.connection(), &operator, after).await?;
    let mut written = 0;
    loop {
        let page = export.page(desk.connection()).await?;
        if page.is_empty() {
            return Ok(written);
        }
        for line in &page {
            if !write(&format!("{}\n", serde_json::to_string(line)?))? {
                return Ok(written);
            }
        }
        written += page.len();
    }
}

/// Makes a file that only its owner reads, since the log names people.
fn new_file(path: &Path) -> anyhow::Result<std::fs::File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.with_context(|| format!("cannot write {}", path.display()))
}

impl Listing for Inspection {
    type Line = Line;
    type Cursor = i64;
    const HEADINGS: &'static [&'static str] = &["id", "time", "by", "action", "subject"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Line>, AdministrationError> {
        Inspection::page(self, connection, behind, limit).await
    }

    fn cursor(line: &Line) -> i64 {
        line.id
    }

    fn cells(line: Line, desk: &Desk) -> Vec<String> {
        vec![line.id.to_string(), desk.clock.short(line.at), line.operator, line.action, line.subject]
    }

    async fn nothing(&self, _: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        Ok(said!("audit-none"))
    }
}
