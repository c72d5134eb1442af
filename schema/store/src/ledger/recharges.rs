//! Recharges of agencies' accounts, and the largest amount that one person may credit alone.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::answer::statement::{self, NOTE_CHARS_MAX};
use sdc::letter::Matricule;

use crate::agencies::agency::locked_status;
use crate::database::schema::{accounts, entries, server};
use crate::error::{AdministrationError, InvalidValue};
use crate::people::act::Act;
use crate::people::action::AuditAction;
use crate::people::approved::Approved;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;
use crate::people::standing;

/// Largest amount of one recharge, in minor units. Sums of such amounts do not overflow an `i64`.
pub const RECHARGE_MAX: i64 = 1_000_000_000_000;

/// Credits an agency's account. Returns the new balance, in minor units. An amount above [`limit`] needs a second person.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; the agency does not exist; an amount that is not above zero or exceeds [`RECHARGE_MAX`]; a note
/// of more than [`NOTE_CHARS_MAX`] characters; a fault of the database.
pub async fn recharge(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    number: Matricule,
    amount: i64,
    note: &str,
) -> Result<i64, AdministrationError> {
    recharge_by(connection, operator, None, number, amount, note).await
}

/// Credits an agency's account. `approved` is the approval if a second person confirms, and `None` if one person acts alone.
pub(crate) async fn recharge_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    number: Matricule,
    amount: i64,
    note: &str,
) -> Result<i64, AdministrationError> {
    operator.require(connection, Operation::AgencyRecharge).await?;
    if !(1..=RECHARGE_MAX).contains(&amount) {
        return Err(InvalidValue::Amount { max: RECHARGE_MAX }.into());
    }
    if statement::note_chars(note) > NOTE_CHARS_MAX {
        return Err(InvalidValue::Note { chars_max: NOTE_CHARS_MAX }.into());
    }
    let note = statement::note(note);
    connection
        .transaction(async |connection| {
            // The account is locked before all else, as settling does. So no other transaction changes the agency meanwhile, and the two
            // cannot wait for each other.
            locked_status(connection, number).await?;
            if amount > limit(connection).await? {
                let note = note.clone();
                Approved::demand(approved, || Act::AgencyRecharge { agency: number, amount, note })?;
            }
            let (account, balance): (i32, i64) = diesel::update(accounts::table)
                .filter(accounts::agency.eq(number))
                .set(accounts::balance.eq(accounts::balance + amount))
                .returning((accounts::id, accounts::balance))
                .get_result(connection)
                .await?;
            let source: i32 =
                accounts::table.filter(accounts::kind.eq("recharge")).select(accounts::id).first(connection).await?;
            diesel::insert_into(entries::table)
                .values((
                    entries::debit.eq(source),
                    entries::credit.eq(account),
                    entries::amount.eq(amount),
                    entries::kind.eq("recharge"),
                    entries::agency.eq(number),
                    entries::balance_after.eq(balance),
                    entries::note.eq(&note),
                ))
                .execute(connection)
                .await?;
            let action = AuditAction::AgencyRecharge { agency: number, amount, balance, note: &note };
            audit::write(connection, operator, &action).await?;
            Ok(balance)
        })
        .await
}

/// Returns the largest amount that one person may recharge alone, in minor units.
///
/// # Errors
/// [`AdministrationError::ServerMissing`] before `init`; a fault of the database.
pub async fn limit(connection: &mut AsyncPgConnection) -> Result<i64, AdministrationError> {
    let limit: Option<i64> = server::table.select(server::recharge_limit).first(connection).await.optional()?;
    limit.ok_or(AdministrationError::ServerMissing)
}

/// Sets the largest amount that one person may recharge alone, in minor units. A higher limit needs a second person.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; an amount below zero; a fault of the database.
pub async fn set_limit(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    amount: i64,
) -> Result<(), AdministrationError> {
    set_limit_by(connection, operator, None, amount).await
}

/// Sets the limit. `approved` is the approval if a second person confirms, and `None` if one person acts alone.
pub(crate) async fn set_limit_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    amount: i64,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::RechargeLimit).await?;
    if !(0..=RECHARGE_MAX).contains(&amount) {
        return Err(InvalidValue::RechargeLimit { max: RECHARGE_MAX }.into());
    }
    connection
        .transaction(async |connection| {
            standing::lock(connection).await?;
            let from = limit(connection).await?;
            if amount > from && !standing::is_alone(connection, operator.user()).await? {
                Approved::demand(approved, || Act::RechargeLimit { amount })?;
            }
            diesel::update(server::table).set(server::recharge_limit.eq(amount)).execute(connection).await?;
            audit::write(connection, operator, &AuditAction::RechargeLimit { from, to: amount }).await?;
            Ok(())
        })
        .await
}
