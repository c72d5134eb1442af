//! An operator: a person who signed in. Only a sign-in makes an operator.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde::Serialize;

use super::accounts::SystemAccount;
use super::action::AuditAction;
use super::audit::{self, Author};
use super::mapped;
use super::privilege::{Operation, Privilege};
use super::standing::superviseurs;
use crate::database::schema::{system_accounts, users as people};
use crate::error::AdministrationError;

/// A person who signed in, with his rights at that time. The value exists only for the duration of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Operator {
    user: String,
    privilege: Privilege,
    is_commission: bool,
    /// Number of the session; `None` if the operator signed in by an account.
    session: Option<i64>,
}

impl Operator {
    /// Makes the operator of a session that was found by its token.
    pub(super) fn of_session(session: i64, user: String, privilege: Privilege, is_commission: bool) -> Operator {
        Operator { user, privilege, is_commission, session: Some(session) }
    }

    /// Returns the user's name, as the audit log contains it.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns the operator's privilege.
    pub fn privilege(&self) -> Privilege {
        self.privilege
    }

    /// Says whether the operator is a member of the election commission.
    pub fn is_commission(&self) -> bool {
        self.is_commission
    }

    /// Demands the privilege that an operation requires. A refused attempt gets a line in the audit log. Each change calls this first and
    /// outside of its transaction, since the line would otherwise be rolled back with the change.
    pub async fn require(
        &self,
        connection: &mut AsyncPgConnection,
        operation: Operation,
    ) -> Result<(), AdministrationError> {
        let Err(refused) = self.may(operation) else { return Ok(()) };
        let (privilege, required) = (self.privilege, operation.privilege());
        let action = AuditAction::OperationRefused { operation, privilege, required };
        connection.transaction(async |connection| audit::write(connection, self, &action).await).await?;
        Err(refused)
    }

    /// Checks the privilege without writing to the audit log.
    ///
    /// # Errors
    /// [`AdministrationError::PrivilegeMissing`].
    pub fn may(&self, operation: Operation) -> Result<(), AdministrationError> {
        if self.privilege >= operation.privilege() {
            return Ok(());
        }
        Err(AdministrationError::PrivilegeMissing { user: self.user.clone(), privilege: self.privilege, operation })
    }
}

impl From<&Operator> for Author {
    fn from(operator: &Operator) -> Author {
        match operator.session {
            Some(session) => Author::of_session(operator.user(), session),
            None => Author::of_user(operator.user()),
        }
    }
}

/// Signs in the user to whom the account of the operating system belongs that runs the command.
///
/// # Errors
/// [`AdministrationError::AccountUnmapped`] or [`AdministrationError::UserLocked`], which are also written to the audit log;
/// [`AdministrationError::NobodyMapped`] if no account belongs to a user, as in a database that comes from a version of the program that
/// knew no accounts; a fault of the database.
pub async fn sign_in_as_system_account(
    connection: &mut AsyncPgConnection,
    account: &SystemAccount,
) -> Result<Operator, AdministrationError> {
    let uid = account.account().uid;
    match mapped(connection, account).await? {
        Some((operator, false)) => return Ok(operator),
        Some((Operator { user, .. }, true)) => {
            let action = AuditAction::SignInRefused { account: account.name(), uid, user: Some(&user) };
            connection.transaction(async |connection| audit::write(connection, account, &action).await).await?;
            return Err(AdministrationError::UserLocked(user));
        }
        None => {}
    }
    if mapped::is_nobody_mapped(connection).await? {
        let superviseurs = superviseurs(connection).await?;
        return Err(AdministrationError::NobodyMapped { account: account.name().to_owned(), superviseurs });
    }
    let action = AuditAction::SignInRefused { account: account.name(), uid, user: None };
    connection.transaction(async |connection| audit::write(connection, account, &action).await).await?;
    Err(AdministrationError::AccountUnmapped { account: account.name().to_owned(), uid })
}

/// Returns the user to whom the account belongs now, and whether he is locked.
async fn mapped(
    connection: &mut AsyncPgConnection,
    account: &SystemAccount,
) -> Result<Option<(Operator, bool)>, AdministrationError> {
    let found: Option<(String, i16, bool, bool)> = system_accounts::table
        .inner_join(people::table.on(people::name.eq(system_accounts::user_name)))
        .filter(system_accounts::uid.eq(i64::from(account.account().uid)))
        .filter(system_accounts::account.eq(account.name()))
        .filter(system_accounts::ended_at.is_null())
        .select((people::name, people::privilege, people::is_commission, people::locked_at.is_not_null()))
        .first(connection)
        .await
        .optional()?;
    let Some((user, privilege, is_commission, is_locked)) = found else { return Ok(None) };
    let operator = Operator { user, privilege: Privilege::kept(privilege)?, is_commission, session: None };
    Ok(Some((operator, is_locked)))
}

#[cfg(test)]
impl Operator {
    /// Makes an operator for a test, without a sign-in.
    pub(crate) fn pretended(user: &str, privilege: Privilege) -> Operator {
        Operator { user: user.to_owned(), privilege, is_commission: false, session: None }
    }

    /// Makes an operator for a test who may do everything.
    pub(crate) fn superviseur() -> Operator {
        Operator::pretended("mbarga", Privilege::Superviseur)
    }

    /// Makes this operator a member of the commission.
    pub(crate) fn of_commission(self) -> Operator {
        Operator { is_commission: true, ..self }
    }
}
