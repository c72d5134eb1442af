//! Makes accounts of the operating system users' own, from the first account on.

use chrono::Utc;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::accounts::{Account, SystemAccount};
use super::act::Act;
use super::action::AuditAction;
use super::approved::Approved;
use super::audit;
use super::mapped::{demand_superviseur, is_nobody_mapped, write_mapping};
use super::operator::{Operator, sign_in_as_system_account};
use super::passwords::{self, OneTimePassword};
use super::privilege::{Operation, Privilege};
use super::standing::{is_alone, lock, standing, superviseurs};
use super::user::NewUser;
use super::users::{insert, tell_of_new};
use crate::database::schema::system_accounts;
use crate::error::AdministrationError;

/// Who began a centre, or came back to it.
pub struct Founder {
    /// The person, signed in.
    pub operator: Operator,
    /// His password, to be shown once; absent when he was there already.
    pub password: Option<OneTimePassword>,
}

/// Signs in whoever makes a centre. Where there is no Superviseur, he becomes the first, and the account is his. In a database from before
/// accounts, the account becomes that of the Superviseur of this name, or else of the first one. Everywhere else he signs in as usual.
/// Another one who does the same waits for the end of the caller's transaction.
///
/// # Errors
/// The account is nobody's; the name is taken or not valid; a fault.
pub async fn found(
    connection: &mut AsyncPgConnection,
    account: &SystemAccount,
    name: &str,
) -> Result<Founder, AdministrationError> {
    lock(connection).await?;
    let superviseurs = superviseurs(connection).await?;
    let Some(first) = superviseurs.as_slice().first() else {
        let new = NewUser {
            name: name.to_owned(),
            privilege: Privilege::Superviseur,
            is_commission: false,
            account: Some(account.account().clone()),
        };
        let password = passwords::random();
        insert(connection, &new, &password).await?;
        let operator = sign_in_as_system_account(connection, account).await?;
        tell_of_new(connection, &operator, &new).await?;
        return Ok(Founder { operator, password: Some(password) });
    };
    if is_nobody_mapped(connection).await? {
        let user = superviseurs.iter().find(|superviseur| *superviseur == name).unwrap_or(first);
        return Ok(Founder { operator: map_first(connection, account, user).await?, password: None });
    }
    Ok(Founder { operator: sign_in_as_system_account(connection, account).await?, password: None })
}

/// Makes the account the first one of all, in a database from before accounts: that of a Superviseur. Whoever can run a command on such a
/// database could do everything there already; by this he becomes a known person.
///
/// # Errors
/// An account is somebody's already; no such Superviseur; a fault.
pub async fn map_first(
    connection: &mut AsyncPgConnection,
    account: &SystemAccount,
    user: &str,
) -> Result<Operator, AdministrationError> {
    connection
        .transaction(async |connection| {
            lock(connection).await?;
            let uid = account.account().uid;
            if !is_nobody_mapped(connection).await? {
                return Err(AdministrationError::AccountUnmapped { account: account.name().to_owned(), uid });
            }
            if !superviseurs(connection).await?.iter().any(|superviseur| superviseur == user) {
                return Err(AdministrationError::UserUnknown(user.to_owned()));
            }
            write_mapping(connection, user, account.account()).await?;
            let operator = sign_in_as_system_account(connection, account).await?;
            let action = AuditAction::UserMap { user, account: account.account() };
            audit::write(connection, &operator, &action).await?;
            Ok(operator)
        })
        .await
}

/// Makes an account of the operating system a user's. For a user of more than privilege 1, or of the commission, this needs a second
/// person, as soon as there is one: whoever has the account is the user.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; no such user; the account is somebody's; a fault.
pub async fn map(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    name: &str,
    account: &Account,
) -> Result<(), AdministrationError> {
    map_by(connection, operator, None, name, account).await
}

/// Maps an account as one person, or as the second of two.
pub(crate) async fn map_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    name: &str,
    account: &Account,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::UserMap).await?;
    connection
        .transaction(async |connection| {
            let needs_two =
                standing(connection, name).await?.is_of_weight() && !is_alone(connection, operator.user()).await?;
            // The mapping is written first, so that an account which is somebody's already is told before a second person is asked.
            write_mapping(connection, name, account).await?;
            if needs_two {
                let (user, account) = (name.to_owned(), account.clone());
                Approved::demand(approved, || Act::UserMap { user, account })?;
            }
            audit::write(connection, operator, &AuditAction::UserMap { user: name, account }).await?;
            Ok(())
        })
        .await
}

/// Ends that an account is a user's: from its next command on nobody signs in by it. Returns whose it was. Ending an account of a
/// Superviseur needs a second person, as soon as there is one; in haste, the machine's own administrator locks the account.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; the account is nobody's; the last Superviseur who can sign in could no longer; a fault.
pub async fn unmap(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    account: &str,
) -> Result<String, AdministrationError> {
    unmap_by(connection, operator, None, account).await
}

/// Ends a mapping as one person, or as the second of two.
pub(crate) async fn unmap_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    account: &str,
) -> Result<String, AdministrationError> {
    operator.require(connection, Operation::UserUnmap).await?;
    connection
        .transaction(async |connection| {
            lock(connection).await?;
            let ended: Vec<(String, i64)> = diesel::update(
                system_accounts::table
                    .filter(system_accounts::account.eq(account))
                    .filter(system_accounts::ended_at.is_null()),
            )
            .set(system_accounts::ended_at.eq(Utc::now()))
            .returning((system_accounts::user_name, system_accounts::uid))
            .get_results(connection)
            .await?;
            let Some((user, _)) = ended.as_slice().first().cloned() else {
                return Err(AdministrationError::AccountUnknown(account.to_owned()));
            };
            let mut of_superviseur = false;
            for (user, _) in &ended {
                of_superviseur |= standing(connection, user).await?.privilege == Privilege::Superviseur;
            }
            if of_superviseur {
                demand_superviseur(connection).await?;
                if !is_alone(connection, operator.user()).await? {
                    Approved::demand(approved, || Act::UserUnmap { account: account.to_owned() })?;
                }
            }
            for (user, uid) in &ended {
                let account = Account::kept(*uid, account)?;
                audit::write(connection, operator, &AuditAction::UserUnmap { user, account: &account }).await?;
            }
            Ok(user)
        })
        .await
}
