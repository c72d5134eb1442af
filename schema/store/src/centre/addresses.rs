//! The centre's own addresses: those of its mailboxes, and the sender address of its answers. No agency may have one of these addresses,
//! since its answers would come back to the centre as letters.
//!
//! The addresses are configured in files, one file for each program. Each program records its addresses in the database at its start and
//! every day, so that an agency's address can be compared with all of them. [`FREE_AFTER_DAYS`] after its last record, an address is free.

use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;

use crate::database::fault::Fault;
use crate::database::schema::agencies;
use crate::error::AdministrationError;

/// Number of days after which an address no longer belongs to the centre, unless a program records it again.
pub const FREE_AFTER_DAYS: i32 = 31;

/// Records addresses of the centre. Texts without an `@` are skipped, since the user name of a mailbox need not be an address.
///
/// # Errors
/// A fault of the database.
pub async fn record(connection: &mut AsyncPgConnection, addresses: &[String]) -> Result<(), Fault> {
    let mut own: Vec<String> = addresses.iter().filter(|one| one.contains('@')).map(|one| folded(one)).collect();
    // Every program writes the rows in the same order. Otherwise two programs that start together could each lock a row that the other
    // needs.
    own.sort();
    own.dedup();
    diesel::sql_query(
        "INSERT INTO xm.centre_addresses (address) SELECT unnest($1)
             ON CONFLICT (address) DO UPDATE SET seen_at = now()",
    )
    .bind::<Array<Text>, _>(own)
    .execute(connection)
    .await?;
    Ok(())
}

/// Finds agencies that have an address of the centre. Such an agency was added before the centre recorded the address.
///
/// # Errors
/// A fault of the database.
pub async fn given_to_agencies(
    connection: &mut AsyncPgConnection,
) -> Result<Vec<(Matricule, String)>, AdministrationError> {
    let own = own(connection).await?;
    let all: Vec<(Matricule, String)> = agencies::table
        .filter(
            diesel::dsl::sql::<diesel::sql_types::Bool>("lower(email) = ANY(").bind::<Array<Text>, _>(&own).sql(")"),
        )
        .order(agencies::matricule)
        .select((agencies::matricule, agencies::email))
        .load(connection)
        .await?;
    Ok(all)
}

/// Fails if the address belongs to the centre.
pub(crate) async fn refuse_own(connection: &mut AsyncPgConnection, email: &str) -> Result<(), AdministrationError> {
    let folded = folded(email);
    if own(connection).await?.contains(&folded) {
        return Err(AdministrationError::AddressOfCentre(email.to_owned()));
    }
    Ok(())
}

/// Returns the centre's addresses, without capitals.
pub(crate) async fn own(connection: &mut AsyncPgConnection) -> Result<Vec<String>, Fault> {
    #[derive(QueryableByName)]
    struct Own {
        #[diesel(sql_type = Text)]
        address: String,
    }
    let text = "SELECT address FROM xm.centre_addresses WHERE seen_at > now() - make_interval(days => $1)";
    let rows: Vec<Own> = diesel::sql_query(text).bind::<Integer, _>(FREE_AFTER_DAYS).load(connection).await?;
    Ok(rows.into_iter().map(|own| own.address).collect())
}

/// Returns the form of an address that is compared and stored: without capitals, since no known mail server distinguishes case. (It would
/// be allowed to before the `@`.)
pub(crate) fn folded(address: &str) -> String {
    address.trim().to_lowercase()
}
