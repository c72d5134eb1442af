//! `xmserver user`: users, their privileges, and the accounts of this machine by which they sign in to commands.

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use store::people::{Account, NewUser, Privilege, User, mapping, users};

use super::desk::{Desk, Entrance};
use crate::show::{self, Table};
use crate::speech::said;

/// What to do with users.
#[derive(Subcommand, Debug)]
pub enum UserCommand {
    /// Add a user
    Add(AddArguments),
    /// List users with their accounts
    List,
    /// Make an account of this machine a user's: by it he signs in to commands
    Map {
        /// The user
        name: String,
        /// The account; by default the one that runs this command, which becomes the first where no account is anybody's yet
        account: Option<String>,
    },
    /// End that an account is a user's
    Unmap {
        /// The account
        account: String,
    },
    /// Change what a user may do: 1 Opérateur, 2 Chef d'Agence, 3 Superviseur
    Privilege {
        /// The user
        name: String,
        /// 1 to 3
        #[arg(value_parser = read_privilege)]
        privilege: Privilege,
    },
    /// Mark a user as a member of the election commission, or no longer
    Commission {
        /// The user
        name: String,
        /// Whether he is
        #[arg(value_name = "YES|NO")]
        mark: Mark,
    },
}

/// A user to add.
#[derive(Args, Debug)]
pub struct AddArguments {
    /// 2 to 32 of a-z, 0-9, point, underscore and hyphen
    name: String,
    /// 1 Opérateur, 2 Chef d'Agence, 3 Superviseur
    #[arg(long, default_value = "1", value_parser = read_privilege)]
    privilege: Privilege,
    /// He is a member of the election commission
    #[arg(long)]
    commission: bool,
    /// The account of this machine by which he signs in to commands
    #[arg(long)]
    account: Option<String>,
}

/// Whether somebody has the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mark {
    /// He has.
    #[value(alias = "oui")]
    Yes,
    /// He has not.
    #[value(alias = "non")]
    No,
}

impl UserCommand {
    /// Returns how the operator signs in for this command.
    pub(super) fn entrance(&self) -> Entrance {
        match self {
            UserCommand::Map { name, account: None } => Entrance::FirstOf(name.clone()),
            _ => Entrance::Account,
        }
    }
}

pub(super) async fn run(desk: &mut Desk, command: UserCommand) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    match command {
        UserCommand::Add(arguments) => add(desk, arguments).await,
        UserCommand::List => list(desk).await,
        UserCommand::Map { name, account: None } if name == operator.user() => {
            let result = json!({ "user": name });
            desk.tell_line(&result, &said!("user-own-account", user = name))
        }
        UserCommand::Map { account: None, .. } => {
            bail!("this account is that of user {}: name the account to be mapped", operator.user())
        }
        UserCommand::Map { name, account: Some(account) } => {
            let account = of_machine(&account)?;
            mapping::map(desk.connection(), &operator, &name, &account).await?;
            let result = json!({ "user": name, "account": account });
            let uid = account.uid.to_string();
            desk.tell_line(&result, &said!("user-mapped", account = account.name, uid = uid, user = name))
        }
        UserCommand::Unmap { account } => {
            let user = mapping::unmap(desk.connection(), &operator, &account).await?;
            let result = json!({ "user": user, "account": account });
            desk.tell_line(&result, &said!("user-unmapped", account = account, user = user))
        }
        UserCommand::Privilege { name, privilege } => {
            users::set_privilege(desk.connection(), &operator, &name, privilege).await?;
            let result = json!({ "user": name, "privilege": privilege.number() });
            let (number, title) = (privilege.number().to_string(), privilege.title());
            desk.tell_line(&result, &said!("user-privilege", user = name, privilege = number, title = title))
        }
        UserCommand::Commission { name, mark } => {
            let is_commission = mark == Mark::Yes;
            users::set_commission(desk.connection(), &operator, &name, is_commission).await?;
            let result = json!({ "user": name, "is_commission": is_commission });
            let words = if is_commission {
                said!("user-commission", user = name)
            } else {
                said!("user-no-commission", user = name)
            };
            desk.tell_line(&result, &words)
        }
    }
}

async fn add(desk: &mut Desk, arguments: AddArguments) -> anyhow::Result<()> {
    let AddArguments { name, privilege, commission, account } = arguments;
    let account = account.map(|account| of_machine(&account)).transpose()?;
    let new = NewUser { name, privilege, is_commission: commission, account };
    let operator = desk.operator.clone();
    // No interface asks for a password yet, so none is made.
    users::add(desk.connection(), &operator, &new).await?;
    desk.tell_line(&json!({ "user": new }), &added(&new))
}

fn added(new: &NewUser) -> String {
    let signs_in = match &new.account {
        Some(account) => said!("user-added-account", account = &account.name),
        None => said!("user-added-next", user = &new.name),
    };
    let (number, title) = (new.privilege.number().to_string(), new.privilege.title());
    let added = said!("user-added", user = &new.name, privilege = number, title = title);
    format!("{added}\n{signs_in}")
}

async fn list(desk: &mut Desk) -> anyhow::Result<()> {
    let found = users::list(desk.connection()).await?;
    if desk.json {
        return show::json(&found);
    }
    let mut table = Table::new(&["name", "privilege", "commission", "added", "accounts"]);
    for User { name, privilege, is_commission, accounts, created_at } in found {
        let accounts: Vec<String> = accounts.iter().map(|one| format!("{} (uid {})", one.name, one.uid)).collect();
        let title = Privilege::of_number(privilege).map_or("", Privilege::title);
        table.row([
            name,
            format!("{privilege} {title}"),
            if is_commission { said!("word-yes") } else { "-".to_owned() },
            desk.clock.time(created_at),
            show::joined_or_dash(&accounts),
        ]);
    }
    table.print(&said!("user-none"))
}

/// Finds an account of this machine by its name. It is mapped by name and number, because the kernel knows an account only by its number.
fn of_machine(name: &str) -> anyhow::Result<Account> {
    match Account::named(name) {
        Some(account) => Ok(account),
        None => bail!("account {name} does not exist on this machine: expected one that `getent passwd` shows"),
    }
}

fn read_privilege(text: &str) -> Result<Privilege, String> {
    let privilege = text.parse().ok().and_then(Privilege::of_number);
    privilege.ok_or_else(|| format!("expected 1 Opérateur, 2 Chef d'Agence or 3 Superviseur, found {text:?}"))
}
