//! `xmserver agency statement`: the entries of an agency's account, with the balance after each. An office gets the same statement from the
//! service `account`.

use anyhow::bail;
use chrono::NaiveDate;
use clap::Args;
use sdc::answer::statement::{EntryKind, Statement};
use sdc::letter::Matricule;
use sdc::request::Period;
use serde_json::{Value, json};
use store::agencies;
use store::ledger::statement;

use super::desk::{Desk, read_matricule};
use crate::clock::{Moment, MomentError};
use crate::show::{self, Table};
use crate::speech::said;

/// Whose statement, over which days.
#[derive(Args, Debug)]
pub struct StatementArguments {
    /// The agency
    #[arg(value_parser = read_matricule)]
    matricule: Matricule,
    /// Its first day, such as 2026-11-01; by default the first of the month of the last one
    #[arg(long, value_name = "DAY")]
    from: Option<Moment>,
    /// Its last day; by default today
    #[arg(long, value_name = "DAY")]
    to: Option<Moment>,
    /// Send it to the office, too
    #[arg(long)]
    send: bool,
}

pub(super) async fn show(desk: &mut Desk, arguments: StatementArguments) -> anyhow::Result<()> {
    let StatementArguments { matricule, from, to, send } = arguments;
    let clock = desk.clock;
    let day = |moment: Option<Moment>| -> Result<Option<NaiveDate>, MomentError> {
        moment.map(|moment| clock.read(&moment).map(|time| clock.day(time))).transpose()
    };
    let period = Period { from: day(from)?, to: day(to)? };
    if let (Some(from), Some(to)) = (period.from, period.to)
        && to < from
    {
        bail!("a statement ends on {to} and begins on {from}: name days in their order");
    }
    let agency = agencies::show(desk.connection(), matricule).await?;
    let told = if send {
        let operator = desk.operator.clone();
        statement::send(desk.connection(), &operator, matricule, period).await?
    } else {
        statement::of(desk.connection(), matricule, period).await?
    };
    if desk.json {
        let mut all = json!(told);
        if let Value::Object(members) = &mut all {
            members.insert("agency".to_owned(), json!(matricule.as_i32()));
        }
        return show::json(&all);
    }
    for_people(desk, &format!("{matricule} {}", agency.name), told)
}

fn for_people(desk: &Desk, agency: &str, told: Statement) -> anyhow::Result<()> {
    let amount = |minor_units| show::amount(minor_units, &desk.server);
    let (entries, total) = (told.entries.len(), told.entries_total);
    let mut head = said!("statement-of", agency = agency, from = told.from.to_string(), to = told.to.to_string());
    if entries < usize::try_from(total).unwrap_or(usize::MAX) {
        head = format!("{head}\n{}", said!("statement-newest", entries = entries, total = total.to_string()));
    }
    let opening = said!("statement-opening", balance = amount(told.opening));
    show::text(&format!("{head}\n{opening}\n\n"))?;
    let mut table = Table::new(&["time", "entry", "amount", "balance", "letter", "note"]);
    for entry in told.entries {
        table.row([
            desk.clock.short(entry.at),
            kind(entry.kind),
            amount(entry.amount),
            amount(entry.balance),
            show::or_dash(entry.letter),
            show::or_dash(entry.note),
        ]);
    }
    table.print(&said!("statement-empty"))?;
    let closing = said!("statement-closing", balance = amount(told.closing), limit = amount(told.credit_limit));
    show::text(&format!("\n{closing}\n"))
}

fn kind(kind: EntryKind) -> String {
    match kind {
        EntryKind::Letter => said!("entry-letter"),
        EntryKind::Recharge => said!("entry-recharge"),
        EntryKind::Voucher => said!("entry-voucher"),
        EntryKind::Manual => said!("entry-manual"),
        EntryKind::Reversal => said!("entry-reversal"),
    }
}
