//! Maps accounts of the operating system to users: whoever runs a command under an account acts as its user. Nobody can sign in before the
//! first account is mapped, so the program maps that one in a special way.

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

/// The person who set up a centre, or who repeats the setup.
pub struct Founder {
    /// The person as an operator who is signed in.
    pub operator: Operator,
    /// The person's password, to be shown once; absent if the user existed before.
    pub password: Option<OneTimePassword>,
}

/// Signs in the person who sets up a centre. If there is no Superviseur, the person becomes the first Superviseur, and the account is
/// mapped to him. If the database comes from a version of the program that knew no accounts, the account is mapped to the Superviseur of
/// this name or, if there is none, to the first Superviseur. In all other cases the person signs in as for any command. If two calls run at
/// the same time, the second waits for the end of the first caller's transaction.
///
/// # Errors
/// The account belongs to no user; the name is taken or not valid; a fault of the database.
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

/// Maps the first of all accounts to a Superviseur, in a database that comes from a version of the program that knew no accounts. With that
/// version, anybody who could run a command could do everything. So the mapping gives nobody a new right, and from now on the audit log
/// names the person.
///
/// # Errors
/// An account is mapped already; the Superviseur does not exist; a fault of the database.
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

/// Maps an account of the operating system to a user, so that the person who uses the account can act as the user. If the user has a
/// privilege above 1 or belongs to the commission, this needs a second person, unless the operator is the only Superviseur.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; the user does not exist; the account belongs to a user already; a fault of the database.
pub async fn map(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    name: &str,
    account: &Account,
) -> Result<(), AdministrationError> {
    map_by(connection, operator, None, name, account).await
}

/// Maps an account. `approved` is the approval if a second person confirms, and `None` if one person acts alone.
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
            // The mapping is written before a second person is demanded, so that the database refuses an account that belongs to a user
            // already before anybody is asked to confirm. If a second person is needed, the mapping is rolled back.
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

/// Ends the mapping of an account to a user: from the next command on, nobody can sign in with the account. Returns the user's name. For an
/// account of a Superviseur this needs a second person, unless the operator is the only Superviseur. In an emergency, the administrator of
/// the machine can lock the account.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; the account belongs to no user; no Superviseur could sign in any more; a fault of the database.
pub async fn unmap(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    account: &str,
) -> Result<String, AdministrationError> {
    unmap_by(connection, operator, None, account).await
}

/// Ends a mapping. `approved` is the approval if a second person confirms, and `None` if one person acts alone.
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
