//! A first password for a user who has none, or has forgotten his.
//!
//! Whoever sees a first password could sign in as its user. So for a user of weight (a higher privilege than 1, or of the commission) it
//! has two parts: who asks is shown one, who confirms the other, and neither alone becomes a second person.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::act::Act;
use super::action::AuditAction;
use super::approved::Approved;
use super::audit;
use super::operator::Operator;
use super::passwords::{self, OneTimePassword};
use super::privilege::Operation;
use super::standing::{is_alone, standing};
use crate::database::schema::users;
use crate::error::AdministrationError;

/// Gives a user a first password, which he must change at his first sign-in. His sessions end, and so does a wait after wrong passwords.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`] with an act that has the first part of the password, for a user of weight, unless the operator
/// is the only Superviseur; the user does not exist; a fault of the database.
pub async fn reset_password(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    name: &str,
) -> Result<OneTimePassword, AdministrationError> {
    reset_by(connection, operator, None, name).await
}

/// Gives a user a first password. `approved` is the approval if a second person confirms, with the first part of the password; it is `None`
/// if one person acts alone. Returns what is shown to the operator: the second part, or the whole password.
pub(crate) async fn reset_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<(&Approved, &str)>,
    name: &str,
) -> Result<OneTimePassword, AdministrationError> {
    operator.require(connection, Operation::UserPassword).await?;
    let (shown, first) = match approved {
        Some((_, first)) => (passwords::random_part(), first),
        None => (passwords::random(), ""),
    };
    let hash = passwords::hashed(format!("{first}{}", shown.reveal())).await?;
    connection
        .transaction(async |connection| {
            if standing(connection, name).await?.is_of_weight() && !is_alone(connection, operator.user()).await? {
                let act = || {
                    let first = passwords::random_part().reveal().to_owned();
                    Act::UserPassword { user: name.to_owned(), first }
                };
                Approved::demand(approved.map(|(approved, _)| approved), act)?;
            }
            let no_wait = None::<DateTime<Utc>>;
            diesel::update(users::table.find(name))
                .set((
                    users::password_hash.eq(hash),
                    users::must_change.eq(true),
                    users::failures.eq(0),
                    users::locked_until.eq(no_wait),
                ))
                .execute(connection)
                .await?;
            audit::write(connection, operator, &AuditAction::UserPassword { user: name }).await?;
            Ok(shown)
        })
        .await
}
