//! Addresses of the centre's own: its mailboxes' and the one that its answers come from. No agency has one of them, or the
//! answer to a letter would come back as a letter.
//!
//! They are configured in files, one for each program. Each program writes down its own here, at its start and every day, so
//! that whoever adds an agency knows those of all; what no program has any more is free after [`FREE_AFTER_DAYS`].

use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;

use crate::database::fault::Fault;
use crate::database::schema::agencies;
use crate::error::AdministrationError;

/// Days after which an address is no longer the centre's, unless a program has written it down again.
pub const FREE_AFTER_DAYS: i32 = 31;

/// Writes down addresses of the centre's own. What is no address (the user of a mailbox may be any name) is left out.
///
/// # Errors
/// A fault.
pub async fn record(connection: &mut AsyncPgConnection, addresses: &[String]) -> Result<(), Fault> {
    let mut own: Vec<String> = addresses.iter().filter(|one| one.contains('@')).map(|one| folded(one)).collect();
    // In one order, so that programs that start together do not wait for each other in a ring.
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

/// Finds agencies that have an address of the centre's own: added before that was known.
///
/// # Errors
/// A fault.
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

/// Refuses an address of the centre's own.
pub(crate) async fn refuse_own(connection: &mut AsyncPgConnection, email: &str) -> Result<(), AdministrationError> {
    let folded = folded(email);
    if own(connection).await?.contains(&folded) {
        return Err(AdministrationError::AddressOfCentre(email.to_owned()));
    }
    Ok(())
}

async fn own(connection: &mut AsyncPgConnection) -> Result<Vec<String>, Fault> {
    #[derive(QueryableByName)]
    struct Own {
        #[diesel(sql_type = Text)]
        address: String,
    }
    let text = "SELECT address FROM xm.centre_addresses WHERE seen_at > now() - make_interval(days => $1)";
    let rows: Vec<Own> = diesel::sql_query(text).bind::<Integer, _>(FREE_AFTER_DAYS).load(connection).await?;
    Ok(rows.into_iter().map(|own| own.address).collect())
}

/// Mail servers may tell capitals apart before the `@`; none that anybody knows does.
fn folded(address: &str) -> String {
    address.trim().to_lowercase()
}
