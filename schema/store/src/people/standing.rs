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
    let found: Option<(i16, bool)> =
        users::table.find(name).select((users::privilege, users::is_commission)).first(connection).await.optional()?;
    let (privilege, is_commission) = found.ok_or_else(|| AdministrationError::UserUnknown(name.to_owned()))?;
    Ok(Standing { privilege: Privilege::kept(privilege)?, is_commission })
}

/// Says whether no other Superviseur has, or ever had, an account. If so, nobody could confirm operations of this Superviseur on users. An
/// account whose mapping has ended still counts. Otherwise a Superviseur could end the mapping of the other one's account, and then act
/// alone.
pub(crate) async fn is_alone(connection: &mut AsyncPgConnection, user: &str) -> Result<bool, AdministrationError> {
    let others = system_accounts::table
        .inner_join(users::table.on(users::name.eq(system_accounts::user_name)))
        .filter(users::privilege.eq(Privilege::Superviseur.number()))
        .filter(users::name.ne(user));
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

/// Locks the table of users, so that only one transaction at a time changes users. A person who signs in does not wait for the lock.
pub(crate) async fn lock(connection: &mut AsyncPgConnection) -> Result<(), AdministrationError> {
    diesel::sql_query("LOCK TABLE xm.users IN SHARE ROW EXCLUSIVE MODE").execute(connection).await?;
    Ok(())
}
