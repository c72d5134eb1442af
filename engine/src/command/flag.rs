//! `xmserver flag`: flags, which mark accepted rows that a check found wrong or could not judge, until an operator explains them.

use clap::{Args, Subcommand};
use diesel_async::AsyncPgConnection;
use sdc::letter::Matricule;
use serde_json::json;
use store::error::AdministrationError;
use store::letters::flags::{self, FlagFilter, FlagLine};

use super::desk::{Desk, read_matricule};
use super::listing::{self, Extent, Listing};
use crate::speech::said;

/// What to do with flags.
#[derive(Subcommand, Debug)]
pub enum FlagCommand {
    /// List flags that nobody has explained, newest first
    List(ListArguments),
    /// Explain a flag
    Explain {
        /// Its number
        id: i64,
        /// What there is to say of it
        explanation: String,
    },
}

/// Which flags to list.
#[derive(Args, Debug)]
pub struct ListArguments {
    /// Of this agency
    #[arg(long, value_parser = read_matricule)]
    agency: Option<Matricule>,
    /// Of this check
    #[arg(long)]
    check: Option<String>,
    /// Those that were explained, too
    #[arg(long)]
    with_explained: bool,
    /// Older than this flag
    #[arg(long)]
    before: Option<i64>,
    #[command(flatten)]
    extent: Extent,
}

pub(super) async fn run(desk: &mut Desk, command: FlagCommand) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    match command {
        FlagCommand::List(ListArguments { agency, check, with_explained, before, extent }) => {
            let filter = FlagFilter { agency, check, with_explained, before: None, limit: None };
            listing::tell(desk, &filter, before, extent).await
        }
        FlagCommand::Explain { id, explanation } => {
            flags::explain(desk.connection(), &operator, id, &explanation).await?;
            let words = said!("flag-explained", id = id.to_string());
            desk.tell_line(&json!({ "id": id, "explanation": explanation.trim() }), &words)
        }
    }
}

impl Listing for FlagFilter {
    type Line = FlagLine;
    type Cursor = i64;
    const HEADINGS: &'static [&'static str] = &["id", "received", "agency", "table", "check", "rows", "remarks"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<i64>,
        limit: i64,
    ) -> Result<Vec<FlagLine>, AdministrationError> {
        flags::list(connection, &FlagFilter { before: behind, limit: Some(limit), ..self.clone() }).await
    }

    fn cursor(flag: &FlagLine) -> i64 {
        flag.id
    }

    fn cells(flag: FlagLine, desk: &Desk) -> Vec<String> {
        let first = flag.rows[0]["arithmetic"].as_str().unwrap_or_default().to_owned();
        let found = if flag.unjudged { said!("flag-unjudged") } else { said!("flag-broken") };
        let remarks = match flag.explanation {
            Some(explanation) => explanation,
            None => format!("{found}: {first}"),
        };
        vec![
            flag.id.to_string(),
            desk.clock.short(flag.flagged_at),
            flag.agency.to_string(),
            flag.table,
            flag.check,
            flag.rows_total.to_string(),
            remarks,
        ]
    }

    async fn nothing(&self, connection: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        let everything = FlagFilter { with_explained: true, limit: Some(1), ..FlagFilter::default() };
        let is_empty = flags::list(connection, &everything).await?.is_empty();
        Ok(if is_empty { said!("flag-none-ever") } else { said!("flag-none") })
    }
}
