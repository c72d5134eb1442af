//! Users' rights in the database, and the lock under which they change.

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::privilege::Privilege;
use crate::database::schema::{system_accounts, users};
use crate::error::AdministrationError;

/// The rights of a user.
pub(crate) struct Standing {
    /// Privilege of the user.
    pub privilege: Privilege,
    /// Whether the user is a member of the election commission.
    pub is_commission: bool,
    /// Whether the user is locked.
    pub is_locked: bool,
}

impl Standing {
    /// Says whether the user has more rights than an Opérateur: a higher privilege, or membership of the commission.
    pub fn is_of_weight(&self) -> bool {
        self.privilege > Privilege::Operateur || self.is_commission
    }
}

/// Reads the rights of a user, and locks them until the transaction ends.
pub(crate) async fn standing(connection: &mut AsyncPgConnection, name: &str) -> Result<Standing, AdministrationError> {
    lock(connection).await?;
    let columns = (users::privilege, users::is_commission, users::locked_at.is_not_null());
    let found: Option<(i16, bool, bool)> =
        users::table.find(name).select(columns).first(connection).await.optional()?;
    let (privilege, is_commission, is_locked) =
        found.ok_or_else(|| AdministrationError::UserUnknown(name.to_owned()))?;
    Ok(Standing { privilege: Privilege::kept(privilege)?, is_commission, is_locked })
}

/// Says whether no other Superviseur has, or ever had, an account, or has signed in by a password of his own. If so, nobody could confirm
/// operations of this Superviseur on users. An account whose mapping has ended still counts, and so does a user who is locked. Otherwise a
/// Superviseur could end the mapping of the other one's account, and then act alone.
pub(crate) async fn is_alone(connection: &mut AsyncPgConnection, user: &str) -> Result<bool, AdministrationError> {
    let mapped = exists(system_accounts::table.filter(system_accounts::user_name.eq(users::name)));
    let others = users::table
        .filter(users::privilege.eq(Privilege::Superviseur.number()))
        .filter(users::name.ne(user))
        .filter(mapped.or(users::signed_in_at.is_not_null()));
    let has_other: bool = diesel::select(exists(others)).get_result(connection).await?;
    Ok(!has_other)
}

/// Returns the names of the Superviseurs, in the order in which they were added.
pub(super) async fn superviseurs(connection: &mut AsyncPgConnection) -> Result<Vec<String>, AdministrationError> {
    Ok(users::table
        .filter(users::privilege.eq(Privilege::Superviseur.number()))
        .order((users::created_at, users::name))
        .select(users::name)
        .load(connection)
        .await?)
}

/// Locks the table of users, so that only one transaction at a time changes users. A person who signs in by his account does not wait for
/// the lock.
pub(crate) async fn lock(connection: &mut AsyncPgConnection) -> Result<(), AdministrationError> {
    diesel::sql_query("LOCK TABLE xm.users IN SHARE ROW EXCLUSIVE MODE").execute(connection).await?;
    Ok(())
}
