//! `xmserver tariff`: prices of services, with the dates between which they are valid.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use sdc::service::{Credit, Service};
use serde_json::json;
use store::ledger::tariffs::{self, NewTariff, Tariff};

use super::desk::Desk;
use crate::clock::{Clock, Moment, MomentError};
use crate::show::{self, Table};
use crate::speech::said;

/// What to do with tariffs.
#[derive(Subcommand, Debug)]
pub enum TariffCommand {
    /// Set a price; the one that it follows ends where it begins
    Set(SetArguments),
    /// Take back a price that has not begun
    Cancel {
        /// Its number
        id: i32,
    },
    /// List prices
    List {
        /// Those that have ended, too
        #[arg(long)]
        with_ended: bool,
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
    /// For agencies of this plan only
    #[arg(long, alias = "profile")]
    plan: Option<String>,
    /// Price of an act, in the main unit of the currency
    #[arg(long, default_value = "0", allow_negative_numbers = true)]
    per_act: String,
    /// Price of each started 1 024 bytes of the container, in the main unit of the currency
    #[arg(long, default_value = "0", allow_negative_numbers = true)]
    per_started_kb: String,
    /// Without enough credit: owe or refuse; by default owe for export and correct, refuse for import and certify
    #[arg(long)]
    credit: Option<String>,
    /// Day or time of the centre at which it begins; now by default
    #[arg(long)]
    from: Option<Moment>,
}

pub(super) async fn run(desk: &mut Desk, command: TariffCommand) -> anyhow::Result<()> {
    let clock = desk.clock;
    match command {
        TariffCommand::Set(arguments) => {
            let new = NewTariff {
                plan: arguments.plan,
                service: arguments.service,
                table: arguments.table,
                per_act: show::read_amount(&arguments.per_act, &desk.server)?,
                per_started_kb: show::read_amount(&arguments.per_started_kb, &desk.server)?,
                credit: arguments.credit,
                valid_from: begins(arguments.from.as_ref(), clock)?,
            };
            let operator = desk.operator.clone();
            let id = tariffs::set(desk.connection(), &operator, &new).await?;
            let (act, kb) = (show::amount(new.per_act, &desk.server), show::amount(new.per_started_kb, &desk.server));
            let from = new.valid_from.map_or_else(|| said!("tariff-now"), |from| clock.time(from));
            let (id_told, what) = (id.to_string(), without_credit(&new));
            let words =
                said!("tariff-set", id = id_told, service = &new.service, act = act, kb = kb, from = from, what = what);
            desk.tell_line(&json!({ "id": id, "tariff": new }), &words)
        }
        TariffCommand::Cancel { id } => {
            let operator = desk.operator.clone();
            let tariff = tariffs::cancel(desk.connection(), &operator, id).await?;
            let Tariff { service, valid_from, .. } = &tariff;
            let from = clock.time(*valid_from);
            desk.tell_line(&tariff, &said!("tariff-cancelled", id = id.to_string(), service = service, from = from))
        }
        TariffCommand::List { with_ended } => {
            let found = tariffs::list(desk.connection(), with_ended).await?;
            if desk.json {
                return show::json(&found);
            }
            let mut table =
                Table::new(&["id", "service", "table", "plan", "per act", "per started KB", "credit", "from", "to"]);
            for one in found {
                table.row([
                    one.id.to_string(),
                    one.service,
                    show::or_dash(
                        one.application.zip(one.table).map(|(application, name)| format!("{application}.{name}")),
                    ),
                    show::or_dash(one.plan),
                    show::amount(one.per_act, &desk.server),
                    show::amount(one.per_started_kb, &desk.server),
                    one.credit,
                    clock.time(one.valid_from),
                    show::or_dash(one.valid_to.map(|time| clock.time(time))),
                ]);
            }
            table.print(&if with_ended { said!("tariff-none-ever") } else { said!("tariff-none") })
        }
    }
}

/// Returns words that say what happens where an agency lacks credit: the tariff's own rule counts, else the default of the service.
fn without_credit(new: &NewTariff) -> String {
    let of_service = new.service.parse::<Service>().ok().and_then(|service| service.facts().priced);
    match new.credit.as_deref().and_then(|rule| rule.parse().ok()).or(of_service) {
        Some(Credit::Owe) => said!("tariff-owed"),
        Some(Credit::Refuse) | None => said!("tariff-refused"),
    }
}

/// Returns when a tariff begins; `None` for now. The database then sets its own time, because the time at which the command was read would
/// lie in the past when the tariff is written.
fn begins(from: Option<&Moment>, clock: Clock) -> Result<Option<DateTime<Utc>>, MomentError> {
    from.filter(|from| !from.is_now()).map(|from| clock.read(from)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_is_when_the_tariff_is_set() {
        let clock = Clock::of("Africa/Douala").unwrap();
        let begins =
            |from: Option<&str>| super::begins(from.map(|from| from.parse().unwrap()).as_ref(), clock).unwrap();
        assert_eq!([None, Some("now"), Some("Maintenant"), Some("0s")].map(begins), [None; 4]);
        assert_eq!(begins(Some("2026-12-01")), Some("2026-11-30T23:00:00Z".parse().unwrap()));
    }
}
