//! The one row that every replica agrees on: the server's name, mode, currency and zone.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Mode;
use serde::Serialize;

use crate::agencies::RECHARGE_MAX;
use crate::database::schema::server;
use crate::error::{AdministrationError, InvalidValue};
use crate::people::approvals::Act;
use crate::people::{Approved, AuditAction, Operation, Operator, audit, users};

/// What a server is.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable, Serialize)]
#[diesel(table_name = server)]
pub struct Server {
    /// The name that letters are addressed to.
    pub name: String,
    /// `test` or `live`.
    pub mode: String,
    /// ISO 4217 code of every amount.
    pub currency: String,
    /// Digits after the point; amounts are kept in the minor unit.
    pub currency_digits: i16,
    /// Zone that times are shown in, such as `Africa/Douala`.
    pub zone: String,
}

impl Server {
    /// Makes a server with the CFA franc of Central Africa, which has no minor unit, and times in UTC.
    pub fn new(name: &str, mode: Mode) -> Server {
        Server {
            name: name.to_owned(),
            mode: mode.as_str().to_owned(),
            currency: "XAF".to_owned(),
            currency_digits: 0,
            zone: "UTC".to_owned(),
        }
    }
}

/// Reads the server.
///
/// # Errors
/// [`AdministrationError::ServerMissing`] before `init`; a fault.
pub async fn show(connection: &mut AsyncPgConnection) -> Result<Server, AdministrationError> {
    match find(connection).await {
        Ok(found) => found.ok_or(AdministrationError::ServerMissing),
        // Before the first migration there is no table to read. Whatever else is wrong is told as it is.
        Err(error) if has_table(connection).await? => Err(error),
        Err(_) => Err(AdministrationError::ServerMissing),
    }
}

/// Names this database's server, once, and says whether it did. The same again changes nothing.
///
/// The keys of a new server are recorded in the same transaction: see [`keys`](super::keys).
///
/// # Errors
/// Another server is there, a value is not valid; a fault.
pub async fn initialise(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    new: &Server,
) -> Result<bool, AdministrationError> {
    operator.require(connection, Operation::ServerInit).await?;
    connection
        .transaction(async |connection| {
            let written = diesel::insert_into(server::table)
                .values(new)
                .on_conflict_do_nothing()
                .execute(connection)
                .await
                .map_err(explain)?;
            if written == 0 {
                return match find(connection).await? {
                    Some(existing) if existing == *new => Ok(false),
                    Some(Server { name, mode, currency, zone, .. }) => {
                        Err(AdministrationError::ServerExists { name, mode, currency, zone })
                    }
                    None => Err(AdministrationError::ServerMissing),
                };
            }
            audit::write(connection, operator, &AuditAction::ServerInit(new)).await?;
            Ok(true)
        })
        .await
}

/// Returns the most that one person recharges alone, in minor units.
///
/// # Errors
/// [`AdministrationError::ServerMissing`] before `init`; a fault.
pub async fn recharge_limit(connection: &mut AsyncPgConnection) -> Result<i64, AdministrationError> {
    let limit: Option<i64> = server::table.select(server::recharge_limit).first(connection).await.optional()?;
    limit.ok_or(AdministrationError::ServerMissing)
}

/// Sets the most that one person recharges alone, in minor units. A higher one needs a second person.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; an amount below zero; a fault.
pub async fn set_recharge_limit(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    amount: i64,
) -> Result<(), AdministrationError> {
    set_recharge_limit_by(connection, operator, None, amount).await
}

/// Sets it as one person, or as the second of two.
pub(crate) async fn set_recharge_limit_by(
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
            users::lock(connection).await?;
            let from = recharge_limit(connection).await?;
            if amount > from && !users::is_alone(connection, operator).await? {
                Approved::demand(approved, || Act::RechargeLimit { amount })?;
            }
            diesel::update(server::table).set(server::recharge_limit.eq(amount)).execute(connection).await?;
            audit::write(connection, operator, &AuditAction::RechargeLimit { from, to: amount }).await?;
            Ok(())
        })
        .await
}

async fn has_table(connection: &mut AsyncPgConnection) -> Result<bool, AdministrationError> {
    let exists = diesel::select(sql::<Bool>("to_regclass('xm.server') IS NOT NULL"));
    Ok(exists.get_result(connection).await?)
}

async fn find(connection: &mut AsyncPgConnection) -> Result<Option<Server>, AdministrationError> {
    let row = server::table
        .select((server::name, server::mode, server::currency, server::currency_digits, server::zone))
        .first(connection)
        .await
        .optional()?;
    Ok(row)
}

fn explain(error: diesel::result::Error) -> AdministrationError {
    AdministrationError::explain(
        error,
        vec![
            ("server_name_check", InvalidValue::ServerName.into()),
            ("server_mode_check", InvalidValue::Mode.into()),
            ("server_currency_check", InvalidValue::Currency.into()),
            ("server_currency_digits_check", InvalidValue::CurrencyDigits.into()),
        ],
    )
}
