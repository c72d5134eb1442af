//! `xmagency table`: the tables of the centre, as its signed definitions describe them.

use clap::Subcommand;
use face::show::Table as Listed;
use face::{said, show};

use crate::desk::Desk;
use crate::tables::Table;

/// What to do with tables.
#[derive(Subcommand, Debug)]
pub enum TableCommand {
    /// List the tables
    List,
    /// Show the columns of a table
    Show {
        /// Name of the table
        #[arg(value_name = "TABLE")]
        table: String,
    },
}

pub(super) fn run(desk: &Desk, command: TableCommand) -> anyhow::Result<()> {
    match command {
        TableCommand::List => list(desk),
        TableCommand::Show { table } => one(desk, &desk.database.table(&table)?),
    }
}

fn list(desk: &Desk) -> anyhow::Result<()> {
    let tables = desk.database.tables()?;
    if desk.json {
        return show::json(&tables.iter().map(|table| &table.definition).collect::<Vec<_>>());
    }
    let mut listed = Listed::new(&["table", "version", "legal key", "scope"]);
    for Table { definition, .. } in &tables {
        let name = format!("{}.{}", definition.application, definition.table);
        let scope = show::or_dash(definition.scope.clone());
        listed.row([name, definition.version.to_string(), show::joined_or_dash(&definition.legal_key), scope]);
    }
    listed.print(&said!("office-no-tables"))
}

fn one(desk: &Desk, table: &Table) -> anyhow::Result<()> {
    if desk.json {
        return show::json(&table.definition);
    }
    let mut listed = Listed::new(&["column", "type", "remarks"]);
    for column in &table.columns {
        let mut remarks = Vec::new();
        if table.is_of_legal_key(&column.name) {
            remarks.push(said!("office-column-key"));
        }
        if column.is_needed() {
            remarks.push(said!("office-column-needed"));
        }
        if column.has_default {
            remarks.push(said!("office-column-default"));
        }
        listed.row([column.name.clone(), column.kind.in_sql(), show::joined_or_dash(&remarks)]);
    }
    listed.print("")
}
