//! `xmserver login | logout | passwd`: a user signs in by his password where no account of the machine is his.

use std::path::Path;

use anyhow::{Context, bail};
use clap::Args;
use diesel_async::AsyncPgConnection;
use serde_json::json;
use store::people::sessions::{self, HOURS_MAX, IDLE_MINUTES_MAX, Place, Token};

use super::desk::Desk;
use super::place::Door;
use crate::session_file::SessionFile;
use crate::speech::said;
use crate::{ask, operator};

/// Who signs in.
#[derive(Args, Debug)]
pub struct LoginArguments {
    /// The user
    name: String,
}

/// Signs a user in at this terminal. A first password is changed before anything else.
pub(super) async fn login(door: &mut Door, arguments: LoginArguments) -> anyhow::Result<()> {
    let LoginArguments { name } = arguments;
    let from = place(&door.data_folder);
    let password = ask::secret(&said!("login-password", user = &name))?;
    let connection = &mut door.connection;
    let mut signed_in = sessions::sign_in(connection, &name, &password, &from).await?;
    if signed_in.must_change {
        let new = new_password()?;
        sessions::change_password(connection, &name, &password, &new, &from).await?;
        signed_in = sessions::sign_in(connection, &name, &new, &from).await?;
    }
    keep(&door.data_folder, &signed_in.token)?;
    let (minutes, hours) = (IDLE_MINUTES_MAX, HOURS_MAX);
    let words = said!("login-done", user = &name, minutes = minutes, hours = hours);
    door.tell_line(&json!({ "user": name, "minutes_idle_max": minutes, "hours_max": hours }), &words)
}

/// Ends the session at this terminal.
pub(super) async fn logout(door: &mut Door) -> anyhow::Result<()> {
    let file = file(&door.data_folder)?;
    let token = file.read().with_context(unread)?;
    let user = match &token {
        Some(token) => sessions::sign_out(&mut door.connection, token).await?,
        None => None,
    };
    file.remove().with_context(unread)?;
    let words = match &user {
        Some(user) => said!("logout-done", user = user),
        None => said!("logout-nobody"),
    };
    door.tell_line(&json!({ "user": user }), &words)
}

/// Changes the operator's own password. Whoever signed in by the former one is signed in by the new one.
pub(super) async fn passwd(desk: &mut Desk, data_folder: &Path) -> anyhow::Result<()> {
    let (user, from) = (desk.operator.user().to_owned(), place(data_folder));
    let former = ask::secret(&said!("passwd-former", user = &user))?;
    let new = new_password()?;
    let had_session = file(data_folder)?.read().with_context(unread)?.is_some();
    let connection: &mut AsyncPgConnection = desk.connection();
    sessions::change_password(connection, &user, &former, &new, &from).await?;
    if had_session {
        let signed_in = sessions::sign_in(connection, &user, &new, &from).await?;
        keep(data_folder, &signed_in.token)?;
    }
    desk.tell_line(&json!({ "user": user }), &said!("passwd-done", user = &user))
}

fn new_password() -> anyhow::Result<String> {
    let new = ask::secret(&said!("passwd-new"))?;
    if ask::secret(&said!("passwd-again"))? != new {
        bail!("the two passwords differ: nothing was changed");
    }
    Ok(new)
}

fn place(data_folder: &Path) -> Place {
    Place::command(&operator::account(data_folder))
}

fn file(data_folder: &Path) -> anyhow::Result<SessionFile> {
    let missing = "this account has no home folder, where the session could be kept: name a folder in XDG_STATE_HOME";
    SessionFile::of_this_terminal(data_folder).context(missing)
}

fn keep(data_folder: &Path, token: &Token) -> anyhow::Result<()> {
    file(data_folder)?.write(token).with_context(unread)
}

fn unread() -> &'static str {
    "the file of the session at this terminal"
}
