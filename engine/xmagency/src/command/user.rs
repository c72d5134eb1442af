//! `xmagency user`: the local users and their pass-phrases.

use std::path::PathBuf;

use anyhow::bail;
use clap::Subcommand;
use face::show::Table;
use face::{said, show};
use serde_json::json;

use super::sign_in::Entrance;
use crate::desk::{Desk, now};
use crate::people::{Person, Role, read_name};
use crate::vault::{DatabaseKey, Vault};

/// What to do with users.
#[derive(Subcommand, Debug)]
pub enum UserCommand {
    /// Add a user, who chooses a pass-phrase here and now
    Add {
        /// Name of the new user
        #[arg(value_name = "NAME")]
        name: String,
        /// What the user may do
        #[arg(long, default_value = "clerk")]
        role: Role,
        /// File whose first line is the new user's pass-phrase; without it the program asks
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// List the users
    List,
    /// Choose another pass-phrase for oneself
    Passphrase {
        /// File whose first line is the new pass-phrase; without it the program asks
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Remove a user; what the user did keeps the name
    Remove {
        /// Name of the user
        #[arg(value_name = "NAME")]
        name: String,
    },
}

pub(super) fn run(entrance: &Entrance, command: UserCommand) -> anyhow::Result<()> {
    let vault = Vault::read(&entrance.folder)?;
    let user = vault.user(entrance.user.as_deref())?;
    let passphrase = entrance.passphrase(&user)?;
    let key = vault.unlock(&user, &passphrase)?;
    let desk = Desk::open(&entrance.folder, &user, &passphrase, entrance.json)?;
    // Only now is nobody else at it: what another command has changed while this one asked is not to be undone.
    let mut vault = Vault::read(&entrance.folder)?;
    match command {
        UserCommand::Add { name, role, new_passphrase_file } => {
            add(&desk, &mut vault, &key, Person { name: read_name(&name)?, role }, new_passphrase_file)
        }
        UserCommand::List => list(&desk),
        UserCommand::Passphrase { new_passphrase_file } => {
            let chosen = Entrance::chosen(&user, new_passphrase_file.as_deref())?;
            vault.seal(&user, &chosen, &key)?;
            vault.write()?;
            desk.tell(&json!({ "user": user }), &said!("office-passphrase-changed", user = &user))
        }
        UserCommand::Remove { name } => remove(&desk, &mut vault, &name),
    }
}

fn add(desk: &Desk, vault: &mut Vault, key: &DatabaseKey, person: Person, file: Option<PathBuf>) -> anyhow::Result<()> {
    desk.require_officer()?;
    if vault.users().contains(&person.name.as_str()) {
        return Err(crate::vault::VaultError::UserExists(person.name).into());
    }
    let chosen = Entrance::chosen(&person.name, file.as_deref())?;
    vault.seal(&person.name, &chosen, key)?;
    // The database first: a user whom only the vault knows would be a clerk, whatever was said.
    desk.database.admit(&person, &now())?;
    vault.write()?;
    let result = json!({ "user": person.name, "role": person.role.as_str() });
    desk.tell(&result, &said!("office-user-added", user = &person.name, role = role_in_words(person.role)))
}

fn remove(desk: &Desk, vault: &mut Vault, name: &str) -> anyhow::Result<()> {
    desk.require_officer()?;
    let name = vault.user(Some(name))?;
    if name == desk.person.name {
        bail!("nobody removes themselves: let another officer do it");
    }
    vault.remove(&name);
    vault.write()?;
    desk.database.dismiss(&name)?;
    desk.tell(&json!({ "user": name }), &said!("office-user-removed", user = &name))
}

fn list(desk: &Desk) -> anyhow::Result<()> {
    let people = desk.database.people()?;
    if desk.json {
        let all: Vec<_> =
            people.iter().map(|person| json!({ "name": person.name, "role": person.role.as_str() })).collect();
        return show::json(&all);
    }
    let mut table = Table::new(&["name", "role"]);
    for person in people {
        table.row([person.name, role_in_words(person.role)]);
    }
    table.print("")
}

fn role_in_words(role: Role) -> String {
    match role {
        Role::Clerk => said!("office-role-clerk"),
        Role::Officer => said!("office-role-officer"),
    }
}
