//! `xmserver user`: users, their privileges, and the accounts of this machine by which they sign in to commands.

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use store::people::{Account, NewUser, Privilege, User, locks, mapping, resets, users};

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
    /// Lock a user: he cannot sign in any more, by account nor by password
    Lock {
        /// The user
        name: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Unlock a user, also one who has to wait after wrong passwords
    Unlock {
        /// The user
        name: String,
    },
    /// Give a user a first password, which he changes when he signs in
    Password {
        /// The user
        name: String,
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
        UserCommand::Lock { name, reason } => {
            locks::lock(desk.connection(), &operator, &name, &reason).await?;
            desk.tell_line(&json!({ "user": name, "reason": reason }), &said!("user-locked", user = name))
        }
        UserCommand::Unlock { name } => {
            locks::unlock(desk.connection(), &operator, &name).await?;
            desk.tell_line(&json!({ "user": name }), &said!("user-unlocked", user = name))
        }
        UserCommand::Password { name } => {
            let password = resets::reset_password(desk.connection(), &operator, &name).await?;
            let result = json!({ "user": name, "password": password.reveal() });
            desk.tell_line(&result, &first_password(&name, password.reveal()))
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
    let password = users::add(desk.connection(), &operator, &new).await?;
    // Who signs in by an account needs no password, and one that nobody uses is not shown.
    let password = if new.account.is_none() { Some(password.reveal().to_owned()) } else { None };
    let mut result = json!({ "user": new });
    if let Some(password) = &password {
        result["password"] = json!(password);
    }
    desk.tell_line(&result, &added(&new, password.as_deref()))
}

/// Returns the words of a first password, which are shown once.
fn first_password(user: &str, password: &str) -> String {
    said!("user-first-password", user = user, password = password, again = user)
}

fn added(new: &NewUser, password: Option<&str>) -> String {
    let signs_in = match (&new.account, password) {
        (Some(account), _) => said!("user-added-account", account = &account.name),
        (None, Some(password)) => first_password(&new.name, password),
        (None, None) => said!("user-added-next", user = &new.name),
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
    let mut table = Table::new(&["name", "privilege", "commission", "state", "added", "accounts"]);
    for user in found {
        let state = state(&user, desk);
        let User { name, privilege, is_commission, accounts, created_at, .. } = user;
        let accounts: Vec<String> = accounts.iter().map(|one| format!("{} (uid {})", one.name, one.uid)).collect();
        let title = Privilege::of_number(privilege).map_or("", Privilege::title);
        table.row([
            name,
            format!("{privilege} {title}"),
            if is_commission { said!("word-yes") } else { "-".to_owned() },
            state,
            desk.clock.time(created_at),
            show::joined_or_dash(&accounts),
        ]);
    }
    table.print(&said!("user-none"))
}

/// Returns what keeps a user from signing in: a lock, or a wait after wrong passwords.
fn state(user: &User, desk: &Desk) -> String {
    match (user.locked_at, user.waits_until) {
        (Some(_), _) => said!("user-state-locked"),
        (None, Some(until)) => said!("user-state-waits", time = desk.clock.short(until)),
        (None, None) => "-".to_owned(),
    }
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
