//! The sample user of the guide, mbome, with the password zzzz: he exists in the demo's centre, and no other centre can have him.
//!
//! A password of four letters opens nothing anywhere else, because `tries` refuses what is too short, even if its hash stands in the
//! database. The demo's centre is the test centre of the name [`DEMO`], which `xmserver init` gives to no other one.

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::action::AuditAction;
use super::audit;
use super::operator::Operator;
use super::passwords;
use super::privilege::{Operation, Privilege};
use crate::database::schema::{server, users};
use crate::error::{AdministrationError, InvalidValue};

/// Name of the demo's centre.
pub const DEMO: &str = "demo";
/// Name of the sample user.
pub const NAME: &str = "mbome";
/// Password of the sample user.
pub const PASSWORD: &str = "zzzz";

/// Adds the sample user to the demo's centre, with privilege 3 and a password that need not be changed.
///
/// # Errors
/// The centre is not the demo's; the user exists already; a fault of the database.
pub async fn add(connection: &mut AsyncPgConnection, operator: &Operator) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::UserAdd).await?;
    if !is_demo(connection).await? {
        return Err(InvalidValue::SampleUser.into());
    }
    let hash = passwords::hashed(PASSWORD.to_owned()).await?;
    connection
        .transaction(async |connection| {
            let privilege = Privilege::Superviseur;
            diesel::insert_into(users::table)
                .values((
                    users::name.eq(NAME),
                    users::privilege.eq(privilege.number()),
                    users::password_hash.eq(hash),
                    users::must_change.eq(false),
                ))
                .execute(connection)
                .await
                .map_err(|error| {
                    let taken = AdministrationError::UserExists(NAME.to_owned());
                    AdministrationError::explain(error, vec![("users_pkey", taken)])
                })?;
            let action = AuditAction::UserAdd { user: NAME, privilege, commission: false };
            audit::write(connection, operator, &action).await?;
            Ok(())
        })
        .await
}

/// Says whether a user and a password are the sample's, in the demo's centre.
pub(super) async fn is_allowed(
    connection: &mut AsyncPgConnection,
    name: &str,
    password: &str,
) -> Result<bool, AdministrationError> {
    Ok((name, password) == (NAME, PASSWORD) && is_demo(connection).await?)
}

async fn is_demo(connection: &mut AsyncPgConnection) -> Result<bool, AdministrationError> {
    let demo = server::table.filter(server::name.eq(DEMO)).filter(server::mode.eq("test"));
    Ok(diesel::select(exists(demo)).get_result(connection).await?)
}
