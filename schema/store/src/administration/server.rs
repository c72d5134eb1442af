//! The one row that every replica agrees on: the server's name, mode, currency and zone.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Mode;
use serde::Serialize;
use serde_json::json;

use super::{AdministrationError, audit};
use crate::schema::server;

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
/// The keys of a new server are recorded in the same transaction: see [`centre_keys`](super::centre_keys).
///
/// # Errors
/// Another server is there, a value is not valid; a fault.
pub async fn initialise(
    connection: &mut AsyncPgConnection,
    operator: &str,
    new: &Server,
) -> Result<bool, AdministrationError> {
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
            audit::write(connection, operator, "server.init", &new.name, json!(new)).await?;
            Ok(true)
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
            (
                "server_name_check",
                AdministrationError::invalid("the server's name", "1 to 63 of a-z, 0-9, point and hyphen"),
            ),
            ("server_mode_check", AdministrationError::invalid("the mode", "test or live")),
            (
                "server_currency_check",
                AdministrationError::invalid("the currency", "an ISO 4217 code of three capital letters"),
            ),
            ("server_currency_digits_check", AdministrationError::invalid("the currency's digits", "0 to 4")),
        ],
    )
}
