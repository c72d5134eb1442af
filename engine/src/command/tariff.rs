//! `xmserver tariff`: what a service costs, from when to when.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use store::administration::tariffs::{self, NewTariff};

use super::{Desk, read_time};
use crate::show::{self, Table};

/// What to do with tariffs.
#[derive(Subcommand, Debug)]
pub enum TariffCommand {
    /// Set a price; the one that it follows ends where it begins
    Set(SetArguments),
    /// List prices
    List {
        /// Those that have ended, too
        #[arg(long)]
        with_ended: bool,
        /// For programs
        #[arg(long)]
        json: bool,
    },
}

/// A price to set.
#[derive(Args, Debug)]
pub struct SetArguments {
    /// export, correct, import or certify; all other services are free
    service: String,
    /// For this table only, such as ecr.ActeNaissance
    #[arg(long)]
    table: Option<String>,
    /// For agencies of this profile only
    #[arg(long)]
    profile: Option<String>,
    /// Price of an act, in the main unit of the currency
    #[arg(long, default_value = "0")]
    per_act: String,
    /// Price of each started 1 024 bytes of the container, in the main unit of the currency
    #[arg(long, default_value = "0")]
    per_started_kb: String,
    /// Without enough credit: owe or refuse; by default owe for export and correct, refuse for import and certify
    #[arg(long)]
    credit: Option<String>,
    /// Day or time of its beginning; now by default
    #[arg(long, value_parser = read_time)]
    from: Option<DateTime<Utc>>,
}

pub(super) async fn run(desk: &mut Desk, command: TariffCommand) -> anyhow::Result<()> {
    let clock = desk.clock;
    match command {
        TariffCommand::Set(arguments) => {
            let new = NewTariff {
                profile: arguments.profile,
                service: arguments.service,
                table: arguments.table,
                per_act: show::read_amount(&arguments.per_act, &desk.server)?,
                per_started_kb: show::read_amount(&arguments.per_started_kb, &desk.server)?,
                credit: arguments.credit,
                valid_from: arguments.from,
            };
            let operator = desk.operator.clone();
            let id = tariffs::set(desk.connection(), &operator, &new).await?;
            let (act, kb) = (show::amount(new.per_act, &desk.server), show::amount(new.per_started_kb, &desk.server));
            show::text(&format!("tariff {id}: {} costs {act} per act and {kb} per started KB\n", new.service))
        }
        TariffCommand::List { with_ended, json } => {
            let found = tariffs::list(desk.connection(), with_ended).await?;
            if json {
                return show::json(&found);
            }
            let mut table =
                Table::new(&["id", "service", "table", "profile", "per act", "per started KB", "credit", "from", "to"]);
            for one in found {
                table.row([
                    one.id.to_string(),
                    one.service,
                    show::or_dash(
                        one.application.zip(one.table).map(|(application, name)| format!("{application}.{name}")),
                    ),
                    show::or_dash(one.profile),
                    show::amount(one.per_act, &desk.server),
                    show::amount(one.per_started_kb, &desk.server),
                    one.credit,
                    clock.time(one.valid_from),
                    show::or_dash(one.valid_to.map(|time| clock.time(time))),
                ]);
            }
            table.print("no tariff: every service is free")
        }
    }
}
