//! What users may do, as it stands in the database, and how those who change it wait for each other.

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::privilege::Privilege;
use crate::database::schema::{system_accounts, users};
use crate::error::AdministrationError;

/// What a user may do.
pub(crate) struct Standing {
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
pub(crate) async fn standing(connection: &mut AsyncPgConnection, name: &str) -> Result<Standing, AdministrationError> {
    lock(connection).await?;
    let found: Option<(i16, bool)> =
        users::table.find(name).select((users::privilege, users::is_commission)).first(connection).await.optional()?;
    let (privilege, is_commission) = found.ok_or_else(|| AdministrationError::UserUnknown(name.to_owned()))?;
    Ok(Standing { privilege: Privilege::kept(privilege)?, is_commission })
}

/// Says whether no other Superviseur has, or ever had, an account: then there is nobody to confirm what this one does with users. An
/// account that ended counts, so that nobody becomes the only one again by ending that of another.
pub(crate) async fn is_alone(connection: &mut AsyncPgConnection, user: &str) -> Result<bool, AdministrationError> {
    let others = system_accounts::table
        .inner_join(users::table.on(users::name.eq(system_accounts::user_name)))
        .filter(users::privilege.eq(Privilege::Superviseur.number()))
        .filter(users::name.ne(user));
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

/// Locks the users: whoever changes users waits for the others who do. Signing in does not wait.
pub(crate) async fn lock(connection: &mut AsyncPgConnection) -> Result<(), AdministrationError> {
    diesel::sql_query("LOCK TABLE xm.users IN SHARE ROW EXCLUSIVE MODE").execute(connection).await?;
    Ok(())
}
