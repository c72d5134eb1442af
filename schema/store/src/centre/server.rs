//! The one row with the server's name, mode, currency and zone, which every replica reads.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::identity::find;
pub use super::identity::{Server, show};
use crate::database::schema::server;
use crate::error::{AdministrationError, InvalidValue};
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Sets the name of this database's server once, and says whether it did. Repeating the call with the same values changes nothing.
///
/// The keys of a new server are recorded in the same transaction: see [`keys`](super::keys).
///
/// # Errors
/// Another server is recorded, or a value is not valid; a fault of the database.
pub async fn initialise(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    new: &Server,
) -> Result<bool, AdministrationError> {
    operator.require(connection, Operation::ServerInit).await?;
    connection
        .transaction(async |connection| {
            let written = diesel::insert_into(server::table)
                .values((
                    server::name.eq(&new.name),
                    server::mode.eq(new.mode.as_str()),
                    server::currency.eq(&new.currency),
                    server::currency_digits.eq(new.currency_digits),
                    server::zone.eq(&new.zone),
                ))
                .on_conflict_do_nothing()
                .execute(connection)
                .await
                .map_err(explain)?;
            if written == 0 {
                return match find(connection).await? {
                    Some(existing) if existing == *new => Ok(false),
                    Some(Server { name, mode, currency, zone, .. }) => {
                        Err(AdministrationError::ServerExists { name, mode: mode.to_string(), currency, zone })
                    }
                    None => Err(AdministrationError::ServerMissing),
                };
            }
            audit::write(connection, operator, &AuditAction::ServerInit(new)).await?;
            Ok(true)
        })
        .await
}

fn explain(error: diesel::result::Error) -> AdministrationError {
    AdministrationError::explain(
        error,
        vec![
            ("server_name_check", InvalidValue::ServerName.into()),
            ("server_currency_check", InvalidValue::Currency.into()),
            ("server_currency_digits_check", InvalidValue::CurrencyDigits.into()),
        ],
    )
}
