//! What a server is, as every replica reads it.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Mode;
use serde::Serialize;

use crate::database::fault::Fault;
use crate::database::schema::server;
use crate::error::AdministrationError;

/// What a server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Server {
    /// The name that letters are addressed to.
    pub name: String,
    /// Rehearsal or in earnest.
    pub mode: Mode,
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
        Server { name: name.to_owned(), mode, currency: "XAF".to_owned(), currency_digits: 0, zone: "UTC".to_owned() }
    }
}

/// The server as it stands in the database.
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
    /// A mode that this program cannot read never becomes another one: no letter is judged before it can be read.
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

/// Reads the server, and the revision that every change of tables, rights or tariffs raises.
///
/// # Errors
/// [`Fault::NoServer`] before `init`; a mode that this program cannot read; a fault.
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
