//! `xmserver agency`: the registered remote offices, their status, scopes, installations and accounts.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use diesel_async::AsyncConnection;
use sdc::letter::Matricule;
use serde_json::{Value, json};
use store::agencies::installations;
use store::agencies::scopes;
use store::agencies::{self, Agency, AgencyChange, Changed, NewAgency};
use store::error::AdministrationError;
use store::ledger::recharges;
use store::people::Operation;

use super::agency_areas::{self, AreaArguments, SilentArguments};
use super::agency_import::{self, ImportArguments};
use super::agency_list::{self, ListArguments, Which};
use super::agency_status::{self, StatusArguments};
use super::desk::{Desk, read_matricule};
use super::statement::{self, StatementArguments};
use super::terms;
use crate::show;
use crate::speech::{self, said};

/// What to do with agencies.
#[derive(Subcommand, Debug)]
pub enum AgencyCommand {
    /// Add an agency with its account
    Add(AddArguments),
    /// List agencies, in the order of any column
    List(ListArguments),
    /// Show one agency: data, account, scopes, installations
    Show {
        /// Its number
        #[arg(value_parser = read_matricule)]
        matricule: Matricule,
    },
    /// Change its data: address, name, plan, limits. What is not named stays
    Edit(EditArguments),
    /// Set the status of one agency or of several: 0 suspended, 1 some services, 2 all but export, correct and import, 3 all
    Status(StatusArguments),
    /// Add and change agencies from a CSV file; exit code 1 where rows were left out
    Import(ImportArguments),
    /// Count agencies by area, as a tree
    Areas(AreaArguments),
    /// List agencies that are silent for longer than their own rhythm explains, the longest silent first
    Silent(SilentArguments),
    /// Write agencies as CSV, with the columns that `agency import` reads
    Export(Which),
    /// Grant codes of a scope column: what the agency may write about
    Grant(GrantArguments),
    /// Add an installation: one set-up of an office program
    Install {
        /// The agency
        #[arg(value_parser = read_matricule)]
        matricule: Matricule,
        /// 1 to 32 of a-z, 0-9 and hyphen
        name: String,
    },
    /// Show the statement of its account over some days, newest entries last
    Statement(StatementArguments),
    /// Credit its account
    Recharge {
        /// The agency
        #[arg(value_parser = read_matricule)]
        matricule: Matricule,
        /// In the main unit of the currency
        #[arg(allow_negative_numbers = true)]
        amount: String,
        /// Stands in the ledger, such as the number of a bank slip
        #[arg(long, default_value = "")]
        note: String,
    },
}

/// An agency to add.
#[derive(Args, Debug)]
pub struct AddArguments {
    /// Its number; the next free one by default
    #[arg(long, value_parser = read_matricule)]
    matricule: Option<Matricule>,
    /// Its name
    #[arg(long)]
    name: String,
    /// Where its answers by mail go; without it, it has no e-mail
    #[arg(long, default_value = "")]
    email: String,
    /// Its town
    #[arg(long, default_value = "")]
    town: String,
    /// Its areas, from the largest to the smallest, such as Littoral/Sanaga-Maritime
    #[arg(long, default_value = "")]
    area: String,
    /// Its telephone
    #[arg(long, default_value = "")]
    telephone: String,
    /// Its plan: rights, quotas and prices that many agencies share
    #[arg(long, alias = "profile", default_value = "standard")]
    plan: String,
    /// 0 suspended, 1 some services, 2 all but export, correct and import, 3 all
    #[arg(long, default_value_t = 3)]
    status: i16,
    /// How far its account may fall below zero where credit is refused, in the main unit of the currency
    #[arg(long, default_value = "0", allow_negative_numbers = true)]
    credit_limit: String,
    /// Its installations; may be given several times
    #[arg(long = "installation", default_value = "main")]
    installations: Vec<String>,
}

/// What to change.
#[derive(Args, Debug)]
pub struct EditArguments {
    /// The agency
    #[arg(value_parser = read_matricule)]
    matricule: Matricule,
    #[command(flatten)]
    changes: Changes,
}

/// The changes; at least one.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub struct Changes {
    /// Where its answers by mail go
    #[arg(long)]
    email: Option<String>,
    /// It has no e-mail any more
    #[arg(long, conflicts_with = "email")]
    no_email: bool,
    /// Its name
    #[arg(long)]
    name: Option<String>,
    /// Its town
    #[arg(long)]
    town: Option<String>,
    /// Its areas, from the largest to the smallest, such as Littoral/Sanaga-Maritime
    #[arg(long)]
    area: Option<String>,
    /// Its telephone
    #[arg(long)]
    telephone: Option<String>,
    /// Its plan: rights, quotas and prices that many agencies share
    #[arg(long, alias = "profile")]
    plan: Option<String>,
    /// Largest container that it may send, in bytes: what its link bears
    #[arg(long, value_name = "BYTES")]
    letter_limit: Option<i32>,
    /// Whether it may use AES-256-CBC, for older software
    #[arg(long, value_name = "YES|NO")]
    cbc: Option<Leave>,
    /// How far its account may fall below zero where credit is refused, in the main unit of the currency
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    credit_limit: Option<String>,
}

/// Whether something is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Leave {
    /// It is.
    #[value(alias = "oui")]
    Yes,
    /// It is not.
    #[value(alias = "non")]
    No,
}

/// Codes to grant.
#[derive(Args, Debug)]
pub struct GrantArguments {
    /// The agency
    #[arg(value_parser = read_matricule)]
    matricule: Matricule,
    /// The scope column, such as CentreCode
    column: String,
    /// The codes
    #[arg(required = true)]
    codes: Vec<String>,
    /// Take them away instead
    #[arg(long)]
    withdraw: bool,
}

pub(super) async fn run(desk: &mut Desk, command: AgencyCommand) -> anyhow::Result<ExitCode> {
    let operator = desk.operator.clone();
    let done = match command {
        AgencyCommand::Add(arguments) => add(desk, arguments).await,
        AgencyCommand::List(arguments) => agency_list::list(desk, arguments).await,
        AgencyCommand::Show { matricule } => show_one(desk, matricule).await,
        AgencyCommand::Edit(arguments) => edit(desk, arguments).await,
        AgencyCommand::Status(arguments) => agency_status::set(desk, arguments).await,
        AgencyCommand::Import(arguments) => return agency_import::import(desk, arguments).await,
        AgencyCommand::Areas(arguments) => agency_areas::areas(desk, arguments).await,
        AgencyCommand::Silent(arguments) => agency_areas::silent(desk, arguments).await,
        AgencyCommand::Export(which) => agency_import::export(desk, which).await,
        AgencyCommand::Grant(arguments) => grant(desk, arguments).await,
        AgencyCommand::Install { matricule, name } => {
            installations::add(desk.connection(), &operator, matricule, &name).await?;
            let result = json!({ "agency": matricule, "installation": name });
            desk.tell_line(&result, &said!("agency-installed", name = name, agency = matricule.to_string()))
        }
        AgencyCommand::Statement(arguments) => statement::show(desk, arguments).await,
        AgencyCommand::Recharge { matricule, amount, note } => {
            let minor_units = show::read_amount(&amount, &desk.server)?;
            let balance = recharges::recharge(desk.connection(), &operator, matricule, minor_units, &note).await?;
            let result = json!({ "agency": matricule, "amount": minor_units, "balance": balance });
            let (amount, balance) = (show::amount(minor_units, &desk.server), show::amount(balance, &desk.server));
            let agency = matricule.to_string();
            desk.tell_line(&result, &said!("agency-recharged", agency = agency, amount = amount, balance = balance))
        }
    };
    done.map(|()| ExitCode::SUCCESS)
}

async fn grant(desk: &mut Desk, arguments: GrantArguments) -> anyhow::Result<()> {
    let GrantArguments { matricule, column, codes, withdraw } = arguments;
    let operator = desk.operator.clone();
    let count = if withdraw {
        scopes::withdraw(desk.connection(), &operator, matricule, &column, &codes).await?
    } else {
        scopes::grant(desk.connection(), &operator, matricule, &column, &codes).await?
    };
    let unchanged = codes.len() - count.min(codes.len());
    let result = json!({ "agency": matricule, "column": column, "changed": count, "unchanged": unchanged });
    let agency = matricule.to_string();
    let words = if withdraw {
        said!("agency-withdrawn", count = count, column = &column, agency = agency, unchanged = unchanged)
    } else {
        said!("agency-granted", count = count, column = &column, agency = agency, unchanged = unchanged)
    };
    desk.tell_line(&result, &words)
}

async fn add(desk: &mut Desk, arguments: AddArguments) -> anyhow::Result<()> {
    let new = NewAgency {
        matricule: arguments.matricule,
        name: arguments.name,
        town: arguments.town,
        area: arguments.area,
        telephone: arguments.telephone,
        email: arguments.email,
        plan: Some(arguments.plan),
        status: Some(arguments.status),
        credit_limit: show::read_amount(&arguments.credit_limit, &desk.server)?,
    };
    let operator = desk.operator.clone();
    // The privilege is required outside the transaction, so that the audit log keeps the line of a refused attempt.
    operator.require(desk.connection(), Operation::AgencyAdd).await?;
    desk.record_own_addresses().await?;
    let matricule = desk
        .connection()
        .transaction(async |connection| {
            let matricule = agencies::add(connection, &operator, &new).await?;
            for name in &arguments.installations {
                installations::add(connection, &operator, matricule, name).await?;
            }
            Ok::<_, AdministrationError>(matricule)
        })
        .await?;
    if desk.json {
        return show_one(desk, matricule).await;
    }
    let names = arguments.installations.join(", ");
    let agency = matricule.to_string();
    let added = said!("agency-added", agency = &agency, installations = names);
    show::text(&format!("{added}\n{}\n", said!("agency-added-next", agency = agency)))
}

async fn edit(desk: &mut Desk, arguments: EditArguments) -> anyhow::Result<()> {
    let EditArguments { matricule, changes } = arguments;
    let change = AgencyChange {
        name: changes.name,
        town: changes.town,
        area: changes.area,
        telephone: changes.telephone,
        email: if changes.no_email { Some(String::new()) } else { changes.email },
        plan: changes.plan,
        letter_bytes_max: changes.letter_limit,
        cbc_allowed: changes.cbc.map(|leave| leave == Leave::Yes),
        credit_limit: changes.credit_limit.map(|limit| show::read_amount(&limit, &desk.server)).transpose()?,
    };
    let operator = desk.operator.clone();
    desk.record_own_addresses().await?;
    let changed = agencies::edit(desk.connection(), &operator, matricule, &change).await?;
    if desk.json {
        return show::json(&changed);
    }
    let Changed { before, after } = &changed;
    let lines: String = data(before, desk)
        .into_iter()
        .zip(data(after, desk))
        .filter(|((_, before), (_, after))| before != after)
        .map(|((name, before), (_, after))| {
            format!("{}\n", said!("agency-change", name = speech::heading(name), before = before, after = after))
        })
        .collect();
    if lines.is_empty() {
        return show::text(&format!("{}\n", said!("agency-unchanged", agency = matricule.to_string())));
    }
    let agency = matricule.to_string();
    let mut words = format!("{}\n{lines}", said!("agency-changed", agency = &agency));
    if before.email != after.email && !after.email.is_empty() {
        // Answers that were given up at the old address are not sent to the new one by themselves, so the operator is told the command for
        // it.
        words.push_str(&format!("{}\n", said!("agency-retry-next", agency = agency)));
    }
    show::text(&words)
}

async fn show_one(desk: &mut Desk, matricule: Matricule) -> anyhow::Result<()> {
    let agency = agencies::show(desk.connection(), matricule).await?;
    let scopes = scopes::list(desk.connection(), matricule).await?;
    let installed = installations::list(desk.connection(), matricule).await?;
    if desk.json {
        let mut all = json!(agency);
        if let Value::Object(members) = &mut all {
            members.insert("scopes".to_owned(), json!(scopes));
            members.insert("installations".to_owned(), json!(installed));
        }
        return show::json(&all);
    }
    let scopes: Vec<String> = scopes.iter().map(|scope| format!("{}={}", scope.column_name, scope.code)).collect();
    let installed: Vec<String> = installed.iter().map(|one| installation(&one.name, one.sequence_highest)).collect();
    let mut facts = vec![("matricule", matricule.to_string())];
    facts.extend(data(&agency, desk).into_iter().map(|(name, value)| match name {
        "credit limit" => (name, said!("agency-credit-limit", amount = value)),
        _ => (name, value),
    }));
    facts.extend([
        ("status", format!("{} {}", agency.status, terms::status(agency.status))),
        ("balance", show::amount(agency.balance, &desk.server)),
        ("added", desk.clock.time(agency.created_at)),
        ("installations", installed.join(", ")),
        ("scopes", scopes.join(", ")),
    ]);
    show::facts(&facts)
}

/// Returns the data that `agency edit` can change, each value with its name.
fn data(agency: &Agency, desk: &Desk) -> Vec<(&'static str, String)> {
    vec![
        ("name", agency.name.clone()),
        ("town", agency.town.clone()),
        ("area", agency.area.clone()),
        ("telephone", agency.telephone.clone()),
        ("email", if agency.email.is_empty() { said!("agency-no-email") } else { agency.email.clone() }),
        ("plan", agency.plan.clone()),
        ("credit limit", show::amount(agency.credit_limit, &desk.server)),
        ("letter limit", said!("agency-bytes", bytes = agency.letter_bytes_max.to_string())),
        ("CBC allowed", if agency.cbc_allowed { said!("word-yes") } else { said!("word-no") }),
    ]
}

fn installation(name: &str, sequence_highest: i64) -> String {
    said!("agency-installation", name = name, sequence = sequence_highest.to_string())
}
