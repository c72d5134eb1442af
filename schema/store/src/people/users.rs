//! The people who sign in: what each may do.

use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::accounts::Account;
use super::approvals::Act;
use super::mapping::{demand_superviseur, read_account, write_mapping};
use super::operator::read_privilege;
use super::passwords::OneTimePassword;
use super::{Approved, AuditAction, Operation, Operator, Privilege, audit, passwords};
use crate::database::fault::Fault;
use crate::database::schema::{system_accounts, users};
use crate::error::{AdministrationError, InvalidValue};

/// A user to be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewUser {
    /// 2 to 32 of a-z, 0-9, point, underscore and hyphen.
    pub name: String,
    /// What he may do.
    pub privilege: Privilege,
    /// Whether he is a member of the election commission.
    pub is_commission: bool,
    /// The account of the operating system by which he signs in to commands.
    pub account: Option<Account>,
}

/// A user in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// Name.
    pub name: String,
    /// 1 Opérateur, 2 Chef d'Agence, 3 Superviseur.
    pub privilege: i16,
    /// Whether he is a member of the election commission.
    pub is_commission: bool,
    /// Accounts of the operating system that are his now.
    pub accounts: Vec<Account>,
    /// When he was added.
    pub created_at: DateTime<Utc>,
}

/// Adds a user with a random password, which must be changed at the first sign-in. One of more than privilege 1, or of the commission,
/// needs a second person, as soon as there is one.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; the name is taken or not valid, the account another user's; a fault.
pub async fn add(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    new: &NewUser,
) -> Result<OneTimePassword, AdministrationError> {
    add_by(connection, operator, None, new).await
}

/// Adds him as one person, or as the second of two.
pub(super) async fn add_by(
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
            let is_alone = is_alone(connection, operator).await?;
            // What is wrong with the user is told first.
            insert(connection, new, &password).await?;
            let standing = Standing { privilege: new.privilege, is_commission: new.is_commission };
            if standing.is_of_weight() && !is_alone {
                Approved::demand(approved, || Act::UserAdd(new.clone()))?;
            }
            tell_of_new(connection, operator, new).await?;
            Ok::<(), AdministrationError>(())
        })
        .await?;
    Ok(password)
}

/// Lists the users by name.
///
/// # Errors
/// A fault.
pub async fn list(connection: &mut AsyncPgConnection) -> Result<Vec<User>, AdministrationError> {
    let found: Vec<(String, i16, bool, DateTime<Utc>)> = users::table
        .order(users::name)
        .select((users::name, users::privilege, users::is_commission, users::created_at))
        .load(connection)
        .await?;
    let mapped: Vec<(String, i64, String)> = system_accounts::table
        .filter(system_accounts::ended_at.is_null())
        .order(system_accounts::id)
        .select((system_accounts::user_name, system_accounts::uid, system_accounts::account))
        .load(connection)
        .await?;
    let accounts_of = |name: &str| {
        let of_user = mapped.iter().filter(|(user, ..)| user == name);
        of_user.map(|(_, uid, account)| read_account(*uid, account)).collect::<Result<Vec<_>, Fault>>()
    };
    let user = |(name, privilege, is_commission, created_at): (String, i16, bool, DateTime<Utc>)| {
        let accounts = accounts_of(&name)?;
        Ok::<User, AdministrationError>(User { name, privilege, is_commission, accounts, created_at })
    };
    found.into_iter().map(user).collect()
}

/// Changes what a user may do. A higher privilege, or another one for a Superviseur, needs a second person, as soon as there is one.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; no such user; the last Superviseur who can sign in would be none; a fault.
pub async fn set_privilege(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    name: &str,
    privilege: Privilege,
) -> Result<(), AdministrationError> {
    set_privilege_by(connection, operator, None, name, privilege).await
}

/// Changes it as one person, or as the second of two.
pub(super) async fn set_privilege_by(
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
            // Lowered by one alone, the other Superviseur would leave him alone for good.
            let is_heavy = privilege > from || (from == Privilege::Superviseur && privilege != from);
            if is_heavy && !is_alone(connection, operator).await? {
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

/// Gives a user the mark of the election commission, or takes it. Giving it needs a second person, as soon as there is one.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; no such user; a fault.
pub async fn set_commission(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    name: &str,
    is_commission: bool,
) -> Result<(), AdministrationError> {
    set_commission_by(connection, operator, None, name, is_commission).await
}

/// Gives or takes it as one person, or as the second of two.
pub(super) async fn set_commission_by(
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
            if is_commission && !from && !is_alone(connection, operator).await? {
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

/// Finds a user.
pub(super) async fn find(connection: &mut AsyncPgConnection, name: &str) -> Result<Option<User>, AdministrationError> {
    Ok(list(connection).await?.into_iter().find(|user| user.name == name))
}

/// Says whether no other Superviseur has, or ever had, an account: while one is the only one, there is nobody to confirm what he does
/// with users. An account that ended counts, so that nobody becomes the only one again by ending that of another.
pub(crate) async fn is_alone(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
) -> Result<bool, AdministrationError> {
    let others = system_accounts::table
        .inner_join(users::table.on(users::name.eq(system_accounts::user_name)))
        .filter(users::privilege.eq(Privilege::Superviseur.number()))
        .filter(users::name.ne(operator.user()));
    let has_other: bool = diesel::select(exists(others)).get_result(connection).await?;
    Ok(!has_other)
}

/// Returns the Superviseurs, the eldest first.
pub(super) async fn superviseurs(connection: &mut AsyncPgConnection) -> Result<Vec<String>, AdministrationError> {
    Ok(users::table
        .filter(users::privilege.eq(Privilege::Superviseur.number()))
        .order((users::created_at, users::name))
        .select(users::name)
        .load(connection)
        .await?)
}

/// Whoever changes users waits for the others who do; who signs in does not.
pub(crate) async fn lock(connection: &mut AsyncPgConnection) -> Result<(), AdministrationError> {
    diesel::sql_query("LOCK TABLE xm.users IN SHARE ROW EXCLUSIVE MODE").execute(connection).await?;
    Ok(())
}

/// What a user may do.
pub(super) struct Standing {
    /// His privilege.
    pub privilege: Privilege,
    /// Whether he is of the commission.
    pub is_commission: bool,
}

impl Standing {
    /// Says whether he may do more than look.
    pub fn is_of_weight(&self) -> bool {
        self.privilege > Privilege::Operateur || self.is_commission
    }
}

/// Reads what a user may do; nobody else changes it until the transaction ends.
pub(super) async fn standing(connection: &mut AsyncPgConnection, name: &str) -> Result<Standing, AdministrationError> {
    lock(connection).await?;
    let found: Option<(i16, bool)> =
        users::table.find(name).select((users::privilege, users::is_commission)).first(connection).await.optional()?;
    let (privilege, is_commission) = found.ok_or_else(|| AdministrationError::UserUnknown(name.to_owned()))?;
    Ok(Standing { privilege: read_privilege(privilege)?, is_commission })
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
