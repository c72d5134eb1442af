//! Operations on vouchers: two people agree on a batch, an operator writes its codes into a file once, and an operator revokes lost
//! vouchers.
//!
//! The database stores no code, only the keyed hash of each code that [`VoucherKeys`] makes. So nobody can read the codes of a batch a
//! second time.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use rand::RngExt;
use sdc::letter::Matricule;
use sdc::request::{VOUCHER_DIGITS, VoucherCode};
use serde::Serialize;

use super::recharges::RECHARGE_MAX;
use super::voucher_keys::VoucherKeys;
use crate::agencies::agency::locked_status;
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};
use crate::error::{AdministrationError, InvalidValue};
use crate::people::act::Act;
use crate::people::action::AuditAction;
use crate::people::approved::Approved;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Largest number of vouchers in one batch.
pub const VOUCHERS_MAX: i32 = 10_000;

/// Returns the longest time for which a voucher may be valid, about five years.
fn validity_max() -> TimeDelta {
    TimeDelta::days(5 * 366)
}

/// A batch of vouchers, with the numbers of its redeemed and revoked vouchers.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Batch {
    /// Number of the batch.
    #[diesel(sql_type = Integer)]
    pub id: i32,
    /// Number of vouchers in the batch.
    #[diesel(sql_type = Integer)]
    pub vouchers: i32,
    /// Amount that each voucher gives, in minor units.
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
    /// Time from which the vouchers are expired.
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: DateTime<Utc>,
    /// Operator who confirmed the batch.
    #[diesel(sql_type = Text)]
    pub made_by: String,
    /// Time when the batch was confirmed.
    #[diesel(sql_type = Timestamptz)]
    pub made_at: DateTime<Utc>,
    /// Operator who wrote the codes into a file; `None` while no codes exist.
    #[diesel(sql_type = Nullable<Text>)]
    pub written_by: Option<String>,
    /// Time when the codes were written; `None` before.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub written_at: Option<DateTime<Utc>>,
    /// Number of vouchers redeemed.
    #[diesel(sql_type = BigInt)]
    pub redeemed: i64,
    /// Number of vouchers revoked.
    #[diesel(sql_type = BigInt)]
    pub revoked: i64,
}

/// An agency whose recharging is locked after wrong codes.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Locked {
    /// Matricule of the agency.
    #[diesel(sql_type = Integer)]
    pub agency: Matricule,
    /// Name of the agency.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Telephone of the agency.
    #[diesel(sql_type = Text)]
    pub telephone: String,
    /// Time until which recharging is locked.
    #[diesel(sql_type = Timestamptz)]
    pub until: DateTime<Utc>,
}

/// Makes a batch, for which [`write()`] later makes the codes. A second person always has to confirm the batch, since its vouchers are
/// worth money. Returns the number of the batch.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; a number, an amount or a time that is not valid; a fault of the database.
pub async fn make(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    vouchers: i32,
    amount: i64,
    expires_at: DateTime<Utc>,
) -> Result<i32, AdministrationError> {
    make_by(connection, operator, None, vouchers, amount, expires_at).await
}

/// Makes a batch in the name of the operator who confirms it; `approved` is the approval.
pub(crate) async fn make_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    vouchers: i32,
    amount: i64,
    expires_at: DateTime<Utc>,
) -> Result<i32, AdministrationError> {
    operator.require(connection, Operation::VoucherBatch).await?;
    if !(1..=VOUCHERS_MAX).contains(&vouchers) {
        return Err(InvalidValue::Vouchers { max: VOUCHERS_MAX }.into());
    }
    if !(1..=RECHARGE_MAX).contains(&amount) {
        return Err(InvalidValue::Amount { max: RECHARGE_MAX }.into());
    }
    let now = Utc::now();
    if expires_at <= now || expires_at > now + validity_max() {
        return Err(InvalidValue::VoucherEnd.into());
    }
    Approved::demand(approved, || Act::VoucherBatch { vouchers, amount, expires_at })?;
    connection
        .transaction(async |connection| {
            let text = "INSERT INTO xm.voucher_batches (vouchers, amount, expires_at, made_by) VALUES (?, ?, ?, ?) RETURNING id";
            let binds = [
                Bind::Integer(vouchers),
                Bind::Bigint(amount),
                Bind::Timestamptz(expires_at),
                Bind::Text(operator.user()),
            ];
            let ids: Vec<i32> = Statement::<Integer>::new(text, &binds).load(connection).await?;
            let batch = ids.into_iter().next().ok_or_else(|| Fault::Bug("a batch has no number".to_owned()))?;
            let action = AuditAction::VoucherBatch { batch, vouchers, amount, expires_at };
            audit::write(connection, operator, &action).await?;
            Ok(batch)
        })
        .await
}

/// Makes the codes of a batch once, and passes them to `keep` in the order of their numbers. `keep` writes the codes to their destination;
/// its result is returned after the commit. If `keep` fails, nothing is committed, and the batch has no codes.
///
/// # Errors
/// The batch does not exist, or its codes were written before; an error of `keep`; a fault of the database.
pub async fn write<T: Send, E: From<AdministrationError> + From<diesel::result::Error> + Send>(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    keys: &VoucherKeys,
    batch: i32,
    keep: impl FnOnce(&Batch, &[VoucherCode]) -> Result<T, E> + Send,
) -> Result<T, E> {
    operator.require(connection, Operation::VoucherWrite).await?;
    connection
        .transaction(async |connection| {
            let text =
                "UPDATE xm.voucher_batches SET written_by = ?, written_at = now() WHERE id = ? AND written_at IS NULL";
            let binds = [Bind::Text(operator.user()), Bind::Integer(batch)];
            let is_first =
                Statement::<()>::new(text, &binds).execute(connection).await.map_err(AdministrationError::from)?;
            let found = show(connection, batch).await?;
            if is_first == 0 {
                return Err(AdministrationError::VouchersWritten(batch).into());
            }
            let codes = insert(connection, keys, &found).await?;
            let action = AuditAction::VoucherWrite { batch, vouchers: found.vouchers };
            audit::write(connection, operator, &action).await.map_err(AdministrationError::from)?;
            keep(&found, &codes)
        })
        .await
}

/// Makes the codes of a batch and stores their keyed hashes. Returns the codes.
async fn insert(
    connection: &mut AsyncPgConnection,
    keys: &VoucherKeys,
    batch: &Batch,
) -> Result<Vec<VoucherCode>, AdministrationError> {
    let codes: Vec<VoucherCode> = (0..batch.vouchers).map(|_| draw()).collect();
    let macs = codes.iter().map(|code| keys.mac(code)).collect::<Result<Vec<_>, Fault>>()?;
    // Two equal codes of fifty random bits are nearly impossible. The insertion would fail, and a second call would make other codes.
    let text = "INSERT INTO xm.vouchers (batch, mac, number) SELECT ?, unnest(?), unnest(?)";
    let binds = [
        Bind::Integer(batch.id),
        Bind::Byteas(macs.iter().map(|mac| Some(mac.as_slice())).collect()),
        Bind::Integers((1..=batch.vouchers).map(Some).collect()),
    ];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(codes)
}

fn draw() -> VoucherCode {
    let mut random = rand::rng();
    let digits: String = (0..VOUCHER_DIGITS - 1).map(|_| char::from(b'0' + random.random_range(0..10_u8))).collect();
    VoucherCode::with_check_digit(&digits)
}

/// Expands to a SELECT of a batch's columns; the caller adds the condition.
macro_rules! select_batches {
    ($condition:literal) => {
        concat!(
            "SELECT b.id, b.vouchers, b.amount, b.expires_at, b.made_by, b.made_at, b.written_by, b.written_at,
                    count(v.redeemed_at) AS redeemed, count(v.revoked_at) AS revoked
               FROM xm.voucher_batches b LEFT JOIN xm.vouchers v ON v.batch = b.id ",
            $condition
        )
    };
}

/// Shows one batch.
///
/// # Errors
/// The batch does not exist; a fault of the database.
pub async fn show(connection: &mut AsyncPgConnection, batch: i32) -> Result<Batch, AdministrationError> {
    let found: Option<Batch> = diesel::sql_query(select_batches!("WHERE b.id = $1 GROUP BY b.id"))
        .bind::<Integer, _>(batch)
        .get_result(connection)
        .await
        .optional()?;
    found.ok_or(AdministrationError::VouchersUnknown(batch))
}

/// Lists batches, newest first. If `before` is given, only batches with a lower number are listed.
///
/// # Errors
/// A fault of the database.
pub async fn list(
    connection: &mut AsyncPgConnection,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<Batch>, AdministrationError> {
    let batches = diesel::sql_query(select_batches!("WHERE b.id < $1 GROUP BY b.id ORDER BY b.id DESC LIMIT $2"))
        .bind::<Integer, _>(before.unwrap_or(i32::MAX))
        .bind::<BigInt, _>(limit)
        .load(connection)
        .await?;
    Ok(batches)
}

/// Revokes the vouchers of a batch that are neither redeemed nor revoked. If a number is given, revokes only the voucher with this number
/// in the file of codes. Returns how many vouchers were revoked.
///
/// # Errors
/// The batch does not exist; the reason is missing; no voucher can be revoked; a fault of the database.
pub async fn revoke(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    batch: i32,
    number: Option<i32>,
    reason: &str,
) -> Result<usize, AdministrationError> {
    operator.require(connection, Operation::VoucherRevoke).await?;
    let reason = audit::reason(reason)?;
    connection
        .transaction(async |connection| {
            show(connection, batch).await?;
            // Settling locks vouchers in this order, the order of their hashes. In another order, an operator and a batch could each wait
            // for the other.
            let revoked = diesel::sql_query(
                "WITH open AS (SELECT mac FROM xm.vouchers
                                WHERE batch = $1 AND ($2 IS NULL OR number = $2) AND redeemed_at IS NULL AND revoked_at IS NULL
                                ORDER BY mac FOR UPDATE)
                 UPDATE xm.vouchers v SET revoked_at = now() FROM open WHERE v.mac = open.mac",
            )
            .bind::<Integer, _>(batch)
            .bind::<Nullable<Integer>, _>(number)
            .execute(connection)
            .await?;
            if revoked == 0 {
                return Err(AdministrationError::VouchersEnded { batch });
            }
            let action = AuditAction::VoucherRevoke { batch, number, vouchers: revoked, reason };
            audit::write(connection, operator, &action).await?;
            Ok(revoked)
        })
        .await
}

/// Lists the agencies whose recharging is locked, ordered by the end of the lock.
///
/// # Errors
/// A fault of the database.
pub async fn locked(connection: &mut AsyncPgConnection) -> Result<Vec<Locked>, AdministrationError> {
    let locked = diesel::sql_query(
        "SELECT a.matricule AS agency, a.name, a.telephone, t.locked_until AS until
           FROM xm.recharge_tries t JOIN xm.agencies a ON a.matricule = t.agency
          WHERE t.locked_until > now() ORDER BY t.locked_until, a.matricule",
    )
    .load(connection)
    .await?;
    Ok(locked)
}

/// Unlocks an agency's recharging, after its officer has explained the wrong codes.
///
/// # Errors
/// The recharging is not locked; the reason is missing; a fault of the database.
pub async fn unlock(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    agency: Matricule,
    reason: &str,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::VoucherUnlock).await?;
    let reason = audit::reason(reason)?;
    connection
        .transaction(async |connection| {
            // Settling counts wrong codes under this lock. Without it, settling could overwrite the unlocked row with a count that it read
            // before.
            locked_status(connection, agency).await?;
            let unlocked = diesel::sql_query(
                "UPDATE xm.recharge_tries SET wrong = 0, locked_until = NULL WHERE agency = $1 AND locked_until > now()",
            )
            .bind::<Integer, _>(agency)
            .execute(connection)
            .await?;
            if unlocked == 0 {
                return Err(AdministrationError::RechargeNotLocked(agency));
            }
            audit::write(connection, operator, &AuditAction::VoucherUnlock { agency, reason }).await?;
            Ok(())
        })
        .await
}

#[cfg(test)]
mod tests;
