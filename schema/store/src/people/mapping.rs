//! Whose account of the operating system is whose, from the first one on.

use chrono::Utc;
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::accounts::{Account, SystemAccount};
use super::approvals::Act;
use super::operator::sign_in_as_system_account;
use super::passwords::OneTimePassword;
use super::users::{NewUser, insert, is_alone, lock, standing, superviseurs, tell_of_new};
use super::{Approved, AuditAction, Operation, Operator, Privilege, audit, passwords};
use crate::database::fault::Fault;
use crate::database::schema::{system_accounts, users};
use crate::error::AdministrationError;

/// Who began a centre, or came back to it.
pub struct Founder {
    /// He, signed in.
    pub operator: Operator,
    /// His password, to be shown once; absent when he was there already.
    pub password: Option<OneTimePassword>,
}

/// Lets in who makes a centre: where no Superviseur is, he becomes the first, and the account is his. In a database from before
/// accounts it becomes the first Superviseur's. Everywhere else he signs in. Another one who does the same waits for the caller's
/// transaction.
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
        return Ok(Founder { operator: claim(connection, account, user).await?, password: None });
    }
    Ok(Founder { operator: sign_in_as_system_account(connection, account).await?, password: None })
}

/// Makes the account the first one of all, in a database from before accounts: that of a Superviseur. Whoever has a command on such a
/// database could do everything there, and becomes somebody by it.
///
/// # Errors
/// An account is somebody's already; no such Superviseur; a fault.
pub async fn claim(
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

/// Makes an account of the operating system a user's. For one of more than privilege 1, or of the commission, it needs a second person,
/// as soon as there is one: who has the account is the user.
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

/// Maps it as one person, or as the second of two.
pub(super) async fn map_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    name: &str,
    account: &Account,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::UserMap).await?;
    connection
        .transaction(async |connection| {
            let needs_two = standing(connection, name).await?.is_of_weight() && !is_alone(connection, operator).await?;
            // That the account is somebody's is told first.
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

/// Ends that an account is a user's: from its next command on nobody signs in by it. Returns whose it was. That of a Superviseur needs a
/// second person, as soon as there is one; in haste, the machine's own administrator locks the account.
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

/// Ends it as one person, or as the second of two.
pub(super) async fn unmap_by(
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
                if !is_alone(connection, operator).await? {
                    Approved::demand(approved, || Act::UserUnmap { account: account.to_owned() })?;
                }
            }
            for (user, uid) in &ended {
                let account = read_account(*uid, account)?;
                audit::write(connection, operator, &AuditAction::UserUnmap { user, account: &account }).await?;
            }
            Ok(user)
        })
        .await
}

/// Returns whose an account of this name is now.
pub(super) async fn owners(
    connection: &mut AsyncPgConnection,
    account: &str,
) -> Result<Vec<String>, AdministrationError> {
    Ok(system_accounts::table
        .filter(system_accounts::account.eq(account))
        .filter(system_accounts::ended_at.is_null())
        .order(system_accounts::id)
        .select(system_accounts::user_name)
        .load(connection)
        .await?)
}

/// Says whether no account was ever anybody's: the database is from before accounts.
pub(super) async fn is_nobody_mapped(connection: &mut AsyncPgConnection) -> Result<bool, AdministrationError> {
    let mapped = diesel::select(exists(system_accounts::table.select(system_accounts::id)))
        .get_result::<bool>(connection)
        .await?;
    Ok(!mapped)
}

/// Demands that a Superviseur is left who can sign in: without one nobody could ever make another.
pub(super) async fn demand_superviseur(connection: &mut AsyncPgConnection) -> Result<(), AdministrationError> {
    let left = system_accounts::table
        .inner_join(users::table.on(users::name.eq(system_accounts::user_name)))
        .filter(users::privilege.eq(Privilege::Superviseur.number()))
        .filter(system_accounts::ended_at.is_null());
    if diesel::select(exists(left)).get_result(connection).await? {
        return Ok(());
    }
    Err(AdministrationError::SuperviseurLast)
}

pub(super) async fn write_mapping(
    connection: &mut AsyncPgConnection,
    user: &str,
    account: &Account,
) -> Result<(), AdministrationError> {
    diesel::insert_into(system_accounts::table)
        .values((
            system_accounts::uid.eq(i64::from(account.uid)),
            system_accounts::account.eq(&account.name),
            system_accounts::user_name.eq(user),
        ))
        .execute(connection)
        .await
        .map_err(|error| {
            let taken = AdministrationError::AccountMapped { account: account.name.clone() };
            AdministrationError::explain(error, vec![("system_accounts_one_user", taken)])
        })?;
    Ok(())
}

pub(super) fn read_account(uid: i64, name: &str) -> Result<Account, Fault> {
    let uid = u32::try_from(uid)
        .map_err(|_out_of_range| Fault::Bug(format!("{uid} is no uid, yet stands in the database")))?;
    Ok(Account { uid, name: name.to_owned() })
}
