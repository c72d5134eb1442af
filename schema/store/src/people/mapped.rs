//! The users to whom accounts of the operating system belong, as the database stores them.

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::accounts::Account;
use super::privilege::Privilege;
use crate::database::schema::{system_accounts, users};
use crate::error::AdministrationError;

/// Returns the users to whom an account of this name belongs now.
pub(crate) async fn owners(
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

/// Says whether no account has ever belonged to a user, as in a database that comes from a version of the program that knew no accounts.
pub(super) async fn is_nobody_mapped(connection: &mut AsyncPgConnection) -> Result<bool, AdministrationError> {
    let mapped = diesel::select(exists(system_accounts::table.select(system_accounts::id)))
        .get_result::<bool>(connection)
        .await?;
    Ok(!mapped)
}

/// Fails if no Superviseur can sign in any more, since nobody could then add a Superviseur.
pub(super) async fn demand_superviseur(connection: &mut AsyncPgConnection) -> Result<(), AdministrationError> {
    let mapped = system_accounts::table
        .filter(system_accounts::user_name.eq(users::name))
        .filter(system_accounts::ended_at.is_null());
    let left = users::table
        .filter(users::privilege.eq(Privilege::Superviseur.number()))
        .filter(users::locked_at.is_null())
        .filter(exists(mapped).or(users::signed_in_at.is_not_null().and(users::must_change.eq(false))));
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
