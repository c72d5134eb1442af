//! `xmserver record`: one record of the central tables, found by its legal key.

use clap::Subcommand;
use store::tables::records::{self, Record};

use super::desk::Desk;
use crate::show;

/// What to do with records.
#[derive(Subcommand, Debug)]
pub enum RecordCommand {
    /// Show a record by its legal key; that is put on record
    Show {
        /// Its table, such as ecr.ActeNaissance
        table: String,
        /// The values of its legal key, in the order of `xmserver table show`
        #[arg(required = true)]
        key: Vec<String>,
    },
}

pub(super) async fn run(desk: &mut Desk, command: RecordCommand) -> anyhow::Result<()> {
    let RecordCommand::Show { table, key } = command;
    let operator = desk.operator.clone();
    let found = records::show(desk.connection(), &operator, &table, &key).await?;
    if desk.json {
        return show::json(&found);
    }
    for record in &found {
        tell(record)?;
    }
    Ok(())
}

fn tell(record: &Record) -> anyhow::Result<()> {
    show::facts(&[("agency", show::or_dash(record.agency)), ("letter id", show::or_dash(record.letter_id))])?;
    // Columns are the tables' own, and have the same names in every language.
    let columns = record.content.as_object().into_iter().flatten();
    let lines = columns.map(|(column, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{column}: {}\n", show::plain(&value))
    });
    show::text(&lines.collect::<String>())
}
