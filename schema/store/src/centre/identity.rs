//! The server's name, mode, currency and time zone, as every replica reads them.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Mode;
use serde::Serialize;

use crate::database::fault::Fault;
use crate::database::schema::server;
use crate::error::AdministrationError;

/// The server's name, mode, currency and time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Server {
    /// Name to which letters are addressed.
    pub name: String,
    /// Mode of the server: test or live.
    pub mode: Mode,
    /// ISO 4217 code of the currency of all amounts.
    pub currency: String,
    /// Number of digits after the point; amounts are stored in the minor unit.
    pub currency_digits: i16,
    /// Time zone in which times are shown, such as `Africa/Douala`.
    pub zone: String,
}

impl Server {
    /// Makes a server with the CFA franc of Central Africa, which has no minor unit, and times in UTC.
    pub fn new(name: &str, mode: Mode) -> Server {
        Server { name: name.to_owned(), mode, currency: "XAF".to_owned(), currency_digits: 0, zone: "UTC".to_owned() }
    }
}

/// The server's row in the database.
#[derive(Queryable, Selectable)]
#[diesel(table_name = server)]
struct Row {
    name: String,
    mode: String,
    currency: String,
    currency_digits: i16,
    zone: String,
}

impl Row {
    /// Fails on a mode that this program does not know, so that no letter is judged with a wrong mode.
    fn read(self) -> Result<Server, Fault> {
        let Row { name, mode, currency, currency_digits, zone } = self;
        let mode = match mode.as_str() {
            "live" => Mode::Live,
            "test" => Mode::Test,
            _ => {
                let (what, subject) = ("the mode", "xm.server".to_owned());
                return Err(Fault::Unreadable { what, subject, expected: "expected live or test" });
            }
        };
        Ok(Server { name, mode, currency, currency_digits, zone })
    }
}

/// Reads the server's name, mode, currency and time zone.
///
/// # Errors
/// [`AdministrationError::ServerMissing`] before `init`; a fault of the database.
pub async fn show(connection: &mut AsyncPgConnection) -> Result<Server, AdministrationError> {
    match find(connection).await {
        Ok(found) => found.ok_or(AdministrationError::ServerMissing),
        // Before the first migration the table is missing, and no server exists. Every other error is returned as it is.
        Err(error) if has_table(connection).await? => Err(error),
        Err(_) => Err(AdministrationError::ServerMissing),
    }
}

/// Reads the server, and the catalogue's revision, which rises with every change of tables, rights or tariffs.
///
/// # Errors
/// [`Fault::NoServer`] before `init`; a mode that this program does not know; a fault of the database.
pub(crate) async fn with_revision(connection: &mut AsyncPgConnection) -> Result<(Server, i64), Fault> {
    let found: Option<(Row, i64)> =
        server::table.select((Row::as_select(), server::catalogue_revision)).first(connection).await.optional()?;
    let (row, revision) = found.ok_or(Fault::NoServer)?;
    Ok((row.read()?, revision))
}

async fn has_table(connection: &mut AsyncPgConnection) -> Result<bool, AdministrationError> {
    let exists = diesel::select(sql::<Bool>("to_regclass('xm.server') IS NOT NULL"));
    Ok(exists.get_result(connection).await?)
}

pub(super) async fn find(connection: &mut AsyncPgConnection) -> Result<Option<Server>, AdministrationError> {
    let row: Option<Row> = server::table.select(Row::as_select()).first(connection).await.optional()?;
    Ok(row.map(Row::read).transpose()?)
}
