//! Sessions: a user signs in by his password, at a command or at the console, and is signed in for a while.
//!
//! His program holds a token of 256 random bits; the database has the token's SHA-256 alone. A session ends when it is not used for half an
//! hour, 12 hours after it began, when its user signs out, and, with all others of his, when he gets another password or is locked: a
//! trigger does that. Each try that fails is a line of the audit log, and fails for one reason to whoever tries.

use std::fmt;
use std::net::IpAddr;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Bytea, Integer, SmallInt, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use rand::RngExt;
use sha2::{Digest, Sha256};

use super::accounts::SystemAccount;
use super::action::AuditAction;
use super::audit::{self, Author};
use super::operator::Operator;
use super::passwords;
use super::privilege::Privilege;
use super::tries::{self, Known};
use crate::database::schema::{sessions, users};
use crate::error::{AdministrationError, InvalidValue};

/// Minutes without use after which a session ends.
pub const IDLE_MINUTES_MAX: i32 = 30;
/// Hours after which a session ends, however it is used.
pub const HOURS_MAX: i32 = 12;
/// Days for which a session that ended stays in the table.
const KEPT_DAYS: i32 = 30;

/// By what a user signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A command.
    Command,
    /// The console.
    Console,
}

impl Channel {
    /// Returns the channel's name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Command => "command",
            Channel::Console => "console",
        }
    }
}

/// Where a user signs in: what the machine knows of him before he has proven who he is.
#[derive(Clone, Debug)]
pub struct Place {
    channel: Channel,
    /// The account that runs the command, or the address that the browser has.
    from: String,
}

impl Place {
    /// Returns the place of a command.
    pub fn command(account: &SystemAccount) -> Place {
        Place { channel: Channel::Command, from: format!("account {}", account.name()) }
    }

    /// Returns the place of a browser.
    pub fn console(address: IpAddr) -> Place {
        Place { channel: Channel::Console, from: format!("address {address}") }
    }
}

/// What the program of a user who is signed in holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    fn random() -> Token {
        let mut octets = [0_u8; 32];
        rand::rng().fill(&mut octets);
        Token(hex::encode(octets))
    }

    /// Takes a token as a program has kept it.
    pub fn kept(text: &str) -> Token {
        Token(text.trim().to_owned())
    }

    /// Returns the token's text, to be kept where nobody else reads it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn digest(&self) -> Vec<u8> {
        Sha256::digest(self.0.as_bytes()).to_vec()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A session that has begun.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Token of the session.
    pub token: Token,
    /// Whether the user has to change his password before he can do anything else.
    pub must_change: bool,
}

/// Signs a user in by his password.
///
/// # Errors
/// [`AdministrationError::SignInFailed`] for a wrong password, an unknown name and a locked user alike; a fault of the database.
pub async fn sign_in(
    connection: &mut AsyncPgConnection,
    name: &str,
    password: &str,
    place: &Place,
) -> Result<SignedIn, AdministrationError> {
    let Some(Known { hash, must_change }) = tries::judged(connection, name, password).await? else {
        return Err(refused(connection, name, place).await?);
    };
    let token = Token::random();
    let is_begun = connection
        .transaction(async |connection| {
            // The update locks the user's row: until the session is written his password stays as it was judged, and he is not locked.
            // A change after that ends the session.
            let user = "UPDATE xm.users SET signed_in_at = CASE WHEN must_change THEN signed_in_at ELSE now() END
                         WHERE name = $1 AND password_hash = $2 AND locked_at IS NULL";
            let known =
                diesel::sql_query(user).bind::<Text, _>(name).bind::<Text, _>(&hash).execute(connection).await?;
            if known == 0 {
                return Ok::<bool, AdministrationError>(false);
            }
            let Place { channel, from } = place;
            let session: i64 = diesel::insert_into(sessions::table)
                .values((
                    sessions::token_sha256.eq(token.digest()),
                    sessions::user_name.eq(name),
                    sessions::channel.eq(channel.name()),
                    sessions::place.eq(from),
                ))
                .returning(sessions::id)
                .get_result(connection)
                .await?;
            diesel::sql_query(
                "DELETE FROM xm.sessions WHERE user_name = $1 AND started_at < now() - make_interval(days => $2)",
            )
            .bind::<Text, _>(name)
            .bind::<Integer, _>(KEPT_DAYS)
            .execute(connection)
            .await?;
            let action = AuditAction::SignIn { user: name, channel: channel.name(), place: from };
            audit::write(connection, Author::of_session(name, session), &action).await?;
            Ok(true)
        })
        .await?;
    if is_begun { Ok(SignedIn { token, must_change }) } else { Err(refused(connection, name, place).await?) }
}

/// Writes the line of a try that failed, and returns its error.
async fn refused(
    connection: &mut AsyncPgConnection,
    name: &str,
    place: &Place,
) -> Result<AdministrationError, AdministrationError> {
    // Somebody may type his password where his name belongs, so only names that exist are written.
    let known: Option<String> = users::table.find(name).select(users::name).first(connection).await.optional()?;
    let action = AuditAction::PasswordRefused { user: known.as_deref(), channel: place.channel.name() };
    let author = Author::of_place(&place.from);
    connection.transaction(async |connection| audit::write(connection, author, &action).await).await?;
    Ok(AdministrationError::SignInFailed)
}

#[derive(QueryableByName)]
struct Resumed {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = SmallInt)]
    privilege: i16,
    #[diesel(sql_type = Bool)]
    is_commission: bool,
    #[diesel(sql_type = Bool)]
    must_change: bool,
}

/// Returns the operator of a session, with the rights that he has now, and counts this as a use of the session.
///
/// # Errors
/// [`AdministrationError::SessionEnded`]; [`AdministrationError::PasswordFirst`] if the user has not changed his first password yet; a
/// fault of the database.
pub async fn resume(
    connection: &mut AsyncPgConnection,
    token: &Token,
    channel: Channel,
) -> Result<Operator, AdministrationError> {
    let text = "UPDATE xm.sessions s SET used_at = now() FROM xm.users u
                 WHERE s.token_sha256 = $1 AND s.channel = $2 AND s.ended_at IS NULL
                   AND s.used_at > now() - make_interval(mins => $3) AND s.started_at > now() - make_interval(hours => $4)
                   AND u.name = s.user_name AND u.locked_at IS NULL
             RETURNING s.id, u.name, u.privilege, u.is_commission, u.must_change";
    let resumed: Option<Resumed> = diesel::sql_query(text)
        .bind::<Bytea, _>(token.digest())
        .bind::<Text, _>(channel.name())
        .bind::<Integer, _>(IDLE_MINUTES_MAX)
        .bind::<Integer, _>(HOURS_MAX)
        .get_result(connection)
        .await
        .optional()?;
    let Resumed { id, name, privilege, is_commission, must_change } =
        resumed.ok_or(AdministrationError::SessionEnded)?;
    if must_change {
        return Err(AdministrationError::PasswordFirst(name));
    }
    Ok(Operator::of_session(id, name, Privilege::kept(privilege)?, is_commission))
}

/// Ends a session. Returns the name of its user; `None` if it had ended before.
///
/// # Errors
/// A fault of the database.
pub async fn sign_out(
    connection: &mut AsyncPgConnection,
    token: &Token,
) -> Result<Option<String>, AdministrationError> {
    connection
        .transaction(async |connection| {
            let open =
                sessions::table.filter(sessions::token_sha256.eq(token.digest())).filter(sessions::ended_at.is_null());
            let ended: Option<(i64, String)> = diesel::update(open)
                .set(sessions::ended_at.eq(diesel::dsl::now))
                .returning((sessions::id, sessions::user_name))
                .get_result(connection)
                .await
                .optional()?;
            let Some((session, user)) = ended else { return Ok(None) };
            audit::write(connection, Author::of_session(&user, session), &AuditAction::SignOut { user: &user }).await?;
            Ok(Some(user))
        })
        .await
}

/// Changes a user's own password, who proves himself by the former one. All his sessions end.
///
/// # Errors
/// [`AdministrationError::SignInFailed`]; the new password is not valid, or is the former one; a fault of the database.
pub async fn change_password(
    connection: &mut AsyncPgConnection,
    name: &str,
    former: &str,
    new: &str,
    place: &Place,
) -> Result<(), AdministrationError> {
    passwords::check(name, new)?;
    if former == new {
        return Err(InvalidValue::PasswordSame.into());
    }
    let Some(Known { hash, .. }) = tries::judged(connection, name, former).await? else {
        return Err(refused(connection, name, place).await?);
    };
    let new_hash = passwords::hashed(new.to_owned()).await?;
    let is_changed = connection
        .transaction(async |connection| {
            let user =
                users::table.find(name).filter(users::password_hash.eq(&hash)).filter(users::locked_at.is_null());
            let changed = diesel::update(user)
                .set((users::password_hash.eq(new_hash), users::must_change.eq(false)))
                .execute(connection)
                .await?;
            if changed == 1 {
                audit::write(connection, Author::of_user(name), &AuditAction::PasswordChange { user: name }).await?;
            }
            Ok::<bool, AdministrationError>(changed == 1)
        })
        .await?;
    if is_changed { Ok(()) } else { Err(refused(connection, name, place).await?) }
}
