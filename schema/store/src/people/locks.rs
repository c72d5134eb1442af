//! Locks of users: who is locked signs in by nothing, neither by an account nor by a password.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::act::Act;
use super::action::AuditAction;
use super::approved::Approved;
use super::audit;
use super::mapped::demand_superviseur;
use super::operator::Operator;
use super::privilege::{Operation, Privilege};
use super::standing::{is_alone, standing};
use crate::database::schema::users;
use crate::error::AdministrationError;

/// Locks a user: he cannot sign in any more, and his sessions end. For a Superviseur this needs a second person, unless the operator is the
/// only Superviseur. In an emergency, the administrator of the machine can lock the account.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; the user does not exist; no Superviseur could sign in any more; the reason is missing; a fault
/// of the database.
pub async fn lock(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    name: &str,
    reason: &str,
) -> Result<(), AdministrationError> {
    lock_by(connection, operator, None, name, reason).await
}

/// Locks a user. `approved` is the approval if a second person confirms, and `None` if one person acts alone.
pub(crate) async fn lock_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    name: &str,
    reason: &str,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::UserLock).await?;
    let reason = audit::reason(reason)?;
    connection
        .transaction(async |connection| {
            let is_superviseur = standing(connection, name).await?.privilege == Privilege::Superviseur;
            diesel::update(users::table.find(name))
                .set(users::locked_at.eq(Some(Utc::now())))
                .execute(connection)
                .await?;
            if is_superviseur {
                // What could not be done is not asked: the lock is rolled back if somebody has to confirm it.
                demand_superviseur(connection).await?;
                if !is_alone(connection, operator.user()).await? {
                    let (user, reason) = (name.to_owned(), reason.to_owned());
                    Approved::demand(approved, || Act::UserLock { user, reason })?;
                }
            }
            audit::write(connection, operator, &AuditAction::UserLock { user: name, reason }).await?;
            Ok(())
        })
        .await
}

/// Unlocks a user, and ends the wait after wrong passwords. For a locked user of weight (a higher privilege than 1, or of the commission)
/// this needs a second person, unless the operator is the only Superviseur; to end a wait, one person is enough.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; the user does not exist; a fault of the database.
pub async fn unlock(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    name: &str,
) -> Result<(), AdministrationError> {
    unlock_by(connection, operator, None, name).await
}

/// Unlocks a user. `approved` is the approval if a second person confirms, and `None` if one person acts alone.
pub(crate) async fn unlock_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    name: &str,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::UserUnlock).await?;
    connection
        .transaction(async |connection| {
            let standing = standing(connection, name).await?;
            if standing.is_locked && standing.is_of_weight() && !is_alone(connection, operator.user()).await? {
                Approved::demand(approved, || Act::UserUnlock { user: name.to_owned() })?;
            }
            let no_time = None::<DateTime<Utc>>;
            diesel::update(users::table.find(name))
                .set((users::locked_at.eq(no_time), users::failures.eq(0), users::locked_until.eq(no_time)))
                .execute(connection)
                .await?;
            audit::write(connection, operator, &AuditAction::UserUnlock { user: name }).await?;
            Ok(())
        })
        .await
}
