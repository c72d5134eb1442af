//! The users and their rights: adding, listing and changing them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};

use super::accounts::Account;
use super::act::Act;
use super::action::AuditAction;
use super::approved::Approved;
use super::audit;
use super::mapped::{demand_superviseur, write_mapping};
use super::operator::Operator;
use super::passwords::{self, OneTimePassword};
use super::privilege::{Operation, Privilege};
use super::standing::{Standing, is_alone, lock, standing};
use super::user::{NewUser, User};
use crate::database::fault::Fault;
use crate::database::schema::{system_accounts, users};
use crate::error::{AdministrationError, InvalidValue};

/// A row of `xm.users`.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
struct Row {
    name: String,
    privilege: i16,
    is_commission: bool,
    created_at: DateTime<Utc>,
    locked_at: Option<DateTime<Utc>>,
    locked_until: Option<DateTime<Utc>>,
    signed_in_at: Option<DateTime<Utc>>,
}

/// Adds a user with a random password, which must be changed at the first sign-in. If the user gets a higher privilege than 1 or belongs to
/// the commission, this needs a second person, unless the operator is the only Superviseur.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; the name is taken or not valid; the account belongs to another user; a fault of the database.
pub async fn add(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    new: &NewUser,
) -> Result<OneTimePassword, AdministrationError> {
    add_by(connection, operator, None, new).await
}

/// Adds a user. `approved` is the approval if a second person confirms, and `None` if one person acts alone.
pub(crate) async fn add_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    new: &NewUser,
) -> Result<OneTimePassword, AdministrationError> {
    operator.require(connection, Operation::UserAdd).await?;
    let password = passwords::random();
    connection
        .transaction(async |connection| {
            lock(connection).await?;
            let is_alone = is_alone(connection, operator.user()).await?;
            // The user is inserted before a second person is demanded, so that the database finds mistakes in his data before anybody is
            // asked to confirm. If a second person is needed, the insertion is rolled back.
            insert(connection, new, &password).await?;
            let standing = Standing { privilege: new.privilege, is_commission: new.is_commission, is_locked: false };
            if standing.is_of_weight() && !is_alone {
                Approved::demand(approved, || Act::UserAdd(new.clone()))?;
            }
            tell_of_new(connection, operator, new).await?;
            Ok::<(), AdministrationError>(())
        })
        .await?;
    Ok(password)
}

/// Lists the users, ordered by name.
///
/// # Errors
/// A fault of the database.
pub async fn list(connection: &mut AsyncPgConnection) -> Result<Vec<User>, AdministrationError> {
    let found: Vec<Row> = users::table.order(users::name).select(Row::as_select()).load(connection).await?;
    let mapped: Vec<(String, i64, String)> = system_accounts::table
        .filter(system_accounts::ended_at.is_null())
        .order(system_accounts::id)
        .select((system_accounts::user_name, system_accounts::uid, system_accounts::account))
        .load(connection)
        .await?;
    let accounts_of = |name: &str| {
        let of_user = mapped.iter().filter(|(user, ..)| user == name);
        of_user.map(|(_, uid, account)| Account::kept(*uid, account)).collect::<Result<Vec<_>, Fault>>()
    };
    let user = |Row { name, privilege, is_commission, created_at, locked_at, locked_until, signed_in_at }| {
        let accounts = accounts_of(&name)?;
        let waits_until = locked_until.filter(|until| *until > Utc::now());
        Ok::<User, AdministrationError>(User {
            name,
            privilege,
            is_commission,
            accounts,
            created_at,
            locked_at,
            waits_until,
            signed_in_at,
        })
    };
    found.into_iter().map(user).collect()
}

/// Changes the privilege of a user. A higher privilege, or any change for a Superviseur, needs a second person, unless the operator is the
/// only Superviseur.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; the user does not exist; no Superviseur could sign in any more; a fault of the database.
pub async fn set_privilege(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    name: &str,
    privilege: Privilege,
) -> Result<(), AdministrationError> {
    set_privilege_by(connection, operator, None, name, privilege).await
}

/// Changes a privilege. `approved` is the approval if a second person confirms, and `None` if one person acts alone.
pub(crate) async fn set_privilege_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    name: &str,
    privilege: Privilege,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::UserPrivilege).await?;
    connection
        .transaction(async |connection| {
            let Standing { privilege: from, .. } = standing(connection, name).await?;
            // A Superviseur could otherwise lower the privilege of the other one, who has to confirm his operations, and then act alone.
            let is_heavy = privilege > from || (from == Privilege::Superviseur && privilege != from);
            if is_heavy && !is_alone(connection, operator.user()).await? {
                Approved::demand(approved, || Act::UserPrivilege { user: name.to_owned(), privilege })?;
            }
            diesel::update(users::table.find(name))
                .set(users::privilege.eq(privilege.number()))
                .execute(connection)
                .await?;
            if from == Privilege::Superviseur {
                demand_superviseur(connection).await?;
            }
            let action = AuditAction::UserPrivilege { user: name, from, to: privilege };
            audit::write(connection, operator, &action).await?;
            Ok(())
        })
        .await
}

/// Makes a user a member of the election commission, or ends the membership. A new membership needs a second person, unless the operator is
/// the only Superviseur.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; the user does not exist; a fault of the database.
pub async fn set_commission(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    name: &str,
    is_commission: bool,
) -> Result<(), AdministrationError> {
    set_commission_by(connection, operator, None, name, is_commission).await
}

/// Changes the membership. `approved` is the approval if a second person confirms, and `None` if one person acts alone.
pub(crate) async fn set_commission_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    name: &str,
    is_commission: bool,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::UserCommission).await?;
    connection
        .transaction(async |connection| {
            let Standing { is_commission: from, .. } = standing(connection, name).await?;
            if is_commission && !from && !is_alone(connection, operator.user()).await? {
                Approved::demand(approved, || Act::UserCommission { user: name.to_owned(), is_commission })?;
            }
            diesel::update(users::table.find(name))
                .set(users::is_commission.eq(is_commission))
                .execute(connection)
                .await?;
            let action = AuditAction::UserCommission { user: name, from, to: is_commission };
            audit::write(connection, operator, &action).await?;
            Ok(())
        })
        .await
}

/// Returns the state of a user that an approval stores as `seen`: his rights, accounts and lock, and not what changes when he signs in.
pub(crate) async fn seen(connection: &mut AsyncPgConnection, name: &str) -> Result<Value, AdministrationError> {
    let Some(user) = list(connection).await?.into_iter().find(|user| user.name == name) else { return Ok(Value::Null) };
    let User { name, privilege, is_commission, accounts, created_at, locked_at, .. } = user;
    let mut seen = json!({ "name": name, "privilege": privilege, "is_commission": is_commission, "accounts": accounts,
                           "created_at": created_at });
    if let Some(locked_at) = locked_at {
        seen["locked_at"] = json!(locked_at);
    }
    Ok(seen)
}

pub(super) async fn insert(
    connection: &mut AsyncPgConnection,
    new: &NewUser,
    password: &OneTimePassword,
) -> Result<(), AdministrationError> {
    let hash = passwords::hashed(password.reveal().to_owned()).await?;
    diesel::insert_into(users::table)
        .values((
            users::name.eq(&new.name),
            users::privilege.eq(new.privilege.number()),
            users::password_hash.eq(hash),
            users::is_commission.eq(new.is_commission),
        ))
        .execute(connection)
        .await
        .map_err(|error| explain(error, &new.name))?;
    match &new.account {
        Some(account) => write_mapping(connection, &new.name, account).await,
        None => Ok(()),
    }
}

pub(super) async fn tell_of_new(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    new: &NewUser,
) -> Result<(), AdministrationError> {
    let NewUser { name, privilege, is_commission, account } = new;
    let action = AuditAction::UserAdd { user: name, privilege: *privilege, commission: *is_commission };
    audit::write(connection, operator, &action).await?;
    if let Some(account) = account {
        audit::write(connection, operator, &AuditAction::UserMap { user: name, account }).await?;
    }
    Ok(())
}

fn explain(error: diesel::result::Error, name: &str) -> AdministrationError {
    AdministrationError::explain(
        error,
        vec![
            ("users_pkey", AdministrationError::UserExists(name.to_owned())),
            ("users_name_check", InvalidValue::UserName.into()),
        ],
    )
}
