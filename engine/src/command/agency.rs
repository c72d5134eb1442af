//! `xmserver agency`: the registered remote offices, their status, scopes, installations and accounts.

use clap::{Args, Subcommand};
use diesel_async::AsyncConnection;
use sdc::letter::Matricule;
use serde_json::{Value, json};
use store::administration::AdministrationError;
use store::administration::agencies::{self, Agency, AgencyFilter, NewAgency};
use store::administration::installations;
use store::administration::scopes;

use super::{Desk, read_matricule};
use crate::show::{self, Table};

/// What to do with agencies.
#[derive(Subcommand, Debug)]
pub enum AgencyCommand {
    /// Add an agency with its account
    Add(AddArguments),
    /// List agencies by matricule
    List(ListArguments),
    /// Show one agency: data, account, scopes, installations
    Show {
        /// Its number
        #[arg(value_parser = read_matricule)]
        matricule: Matricule,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Set its status: 0 suspended, 1 some services, 2 all but export and import, 3 all
    Status {
        /// Its number
        #[arg(value_parser = read_matricule)]
        matricule: Matricule,
        /// 0 to 3
        status: i16,
    },
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
    /// Credit its account
    Recharge {
        /// The agency
        #[arg(value_parser = read_matricule)]
        matricule: Matricule,
        /// In the main unit of the currency
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
    /// Where its answers go
    #[arg(long)]
    email: String,
    /// Its town
    #[arg(long, default_value = "")]
    town: String,
    /// Its telephone
    #[arg(long, default_value = "")]
    telephone: String,
    /// Its profile: a bundle of rights
    #[arg(long, default_value = "standard")]
    profile: String,
    /// 0 suspended, 1 some services, 2 all but export and import, 3 all
    #[arg(long, default_value_t = 3)]
    status: i16,
    /// How far its account may fall below zero where credit is refused, in the main unit of the currency
    #[arg(long, default_value = "0")]
    credit_limit: String,
    /// Its installations; may be given several times
    #[arg(long = "installation", default_value = "main")]
    installations: Vec<String>,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Which agencies to list.
#[derive(Args, Debug)]
pub struct ListArguments {
    /// Found in name, town or e-mail
    #[arg(long)]
    text: Option<String>,
    /// Of this status
    #[arg(long)]
    status: Option<i16>,
    /// Of this profile
    #[arg(long)]
    profile: Option<String>,
    /// Whose account is below zero
    #[arg(long)]
    in_debt: bool,
    /// Behind this matricule
    #[arg(long, value_parser = read_matricule)]
    after: Option<Matricule>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: i64,
    /// For programs
    #[arg(long)]
    json: bool,
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

pub(super) async fn run(desk: &mut Desk, command: AgencyCommand) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    match command {
        AgencyCommand::Add(arguments) => add(desk, arguments).await,
        AgencyCommand::List(arguments) => list(desk, arguments).await,
        AgencyCommand::Show { matricule, json } => show_one(desk, matricule, json).await,
        AgencyCommand::Status { matricule, status } => {
            agencies::set_status(desk.connection(), &operator, matricule, status).await?;
            show::text(&format!("agency {matricule} has status {status} ({})\n", status_word(status)))
        }
        AgencyCommand::Grant(GrantArguments { matricule, column, codes, withdraw }) => {
            let (count, done) = if withdraw {
                (scopes::withdraw(desk.connection(), &operator, matricule, &column, &codes).await?, "withdrawn from")
            } else {
                (scopes::grant(desk.connection(), &operator, matricule, &column, &codes).await?, "granted to")
            };
            let unchanged = codes.len() - count.min(codes.len());
            show::text(&format!("{count} codes of {column} {done} agency {matricule}, {unchanged} as before\n"))
        }
        AgencyCommand::Install { matricule, name } => {
            installations::add(desk.connection(), &operator, matricule, &name).await?;
            show::text(&format!("installation {name} of agency {matricule} added\n"))
        }
        AgencyCommand::Recharge { matricule, amount, note } => {
            let minor_units = show::read_amount(&amount, &desk.server)?;
            let balance = agencies::recharge(desk.connection(), &operator, matricule, minor_units, &note).await?;
            let (amount, balance) = (show::amount(minor_units, &desk.server), show::amount(balance, &desk.server));
            show::text(&format!("agency {matricule} credited with {amount}; balance {balance}\n"))
        }
    }
}

async fn add(desk: &mut Desk, arguments: AddArguments) -> anyhow::Result<()> {
    let new = NewAgency {
        matricule: arguments.matricule,
        name: arguments.name,
        town: arguments.town,
        telephone: arguments.telephone,
        email: arguments.email,
        profile: Some(arguments.profile),
        status: Some(arguments.status),
        credit_limit: show::read_amount(&arguments.credit_limit, &desk.server)?,
    };
    let operator = desk.operator.clone();
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
    if arguments.json {
        return show_one(desk, matricule, true).await;
    }
    let names = arguments.installations.join(", ");
    show::text(&format!(
        "agency {matricule} added, installation {names}\nnext: xmserver cert register {matricule} CERTIFICATE; \
         xmserver agency grant {matricule} COLUMN CODE …\n"
    ))
}

async fn list(desk: &mut Desk, arguments: ListArguments) -> anyhow::Result<()> {
    let filter = AgencyFilter {
        text: arguments.text,
        status: arguments.status,
        profile: arguments.profile,
        in_debt: arguments.in_debt,
        after: arguments.after,
        limit: Some(arguments.limit),
    };
    let found = agencies::list(desk.connection(), &filter).await?;
    if arguments.json {
        return show::json(&found);
    }
    let mut table = Table::new(&["matricule", "name", "town", "email", "profile", "status", "balance"]);
    for agency in found {
        table.row([
            show::matricule(agency.matricule),
            agency.name,
            agency.town,
            agency.email,
            agency.profile,
            format!("{} {}", agency.status, status_word(agency.status)),
            show::amount(agency.balance, &desk.server),
        ]);
    }
    table.print("no agency")
}

async fn show_one(desk: &mut Desk, matricule: Matricule, json: bool) -> anyhow::Result<()> {
    let agency = agencies::show(desk.connection(), matricule).await?;
    let scopes = scopes::list(desk.connection(), matricule).await?;
    let installed = installations::list(desk.connection(), matricule).await?;
    if json {
        let mut all = json!(agency);
        if let Value::Object(members) = &mut all {
            members.insert("scopes".to_owned(), json!(scopes));
            members.insert("installations".to_owned(), json!(installed));
        }
        return show::json(&all);
    }
    let Agency { name, town, telephone, email, profile, status, .. } = agency;
    let scopes: Vec<String> = scopes.iter().map(|scope| format!("{}={}", scope.column_name, scope.code)).collect();
    let installed: Vec<String> =
        installed.iter().map(|one| format!("{} (highest sequence {})", one.name, one.sequence_highest)).collect();
    show::facts(&[
        ("matricule", matricule.to_string()),
        ("name", name),
        ("town", town),
        ("telephone", telephone),
        ("email", email),
        ("profile", profile),
        ("status", format!("{status} {}", status_word(status))),
        ("balance", show::amount(agency.balance, &desk.server)),
        ("credit limit", show::amount(agency.credit_limit, &desk.server)),
        ("letter limit", format!("{} bytes", agency.letter_bytes_max)),
        ("CBC allowed", agency.cbc_allowed.to_string()),
        ("added", desk.clock.time(agency.created_at)),
        ("installations", installed.join(", ")),
        ("scopes", scopes.join(", ")),
    ])
}

fn status_word(status: i16) -> &'static str {
    match status {
        0 => "suspended",
        1 => "some services",
        2 => "all but export and import",
        _ => "all services",
    }
}
