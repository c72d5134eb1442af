//! The inventory of registered certificates: listed, and found by what people call them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;

use super::certificate::{Certificate, plain_hex};
use crate::database::fault::Fault;
use crate::database::schema::certificates;
use crate::error::AdministrationError;

/// The advisory lock that is held while a key gets its owner.
const KEYS_LOCK: i64 = i64::from_be_bytes(*b"xm.keys.");

/// Which certificates a list shows.
#[derive(Clone, Debug, Default)]
pub struct CertificateFilter {
    /// Of this agency.
    pub agency: Option<Matricule>,
    /// Revoked ones too.
    pub with_revoked: bool,
    /// Ending before this time.
    pub ending_before: Option<DateTime<Utc>>,
    /// Behind this number.
    pub after: Option<i32>,
    /// At most so many; 100 when absent.
    pub limit: Option<i64>,
}

/// Lists certificates by number.
///
/// # Errors
/// A fault.
pub async fn list(
    connection: &mut AsyncPgConnection,
    filter: &CertificateFilter,
) -> Result<Vec<Certificate>, AdministrationError> {
    let mut query = certificates::table
        .filter(certificates::id.gt(filter.after.unwrap_or(0)))
        .order(certificates::id)
        .limit(filter.limit.unwrap_or(100))
        .select(Certificate::as_select())
        .into_boxed();
    if let Some(agency) = filter.agency {
        query = query.filter(certificates::agency.eq(agency));
    }
    if !filter.with_revoked {
        query = query.filter(certificates::revoked_at.is_null());
    }
    if let Some(time) = filter.ending_before {
        query = query.filter(certificates::not_after.lt(time));
    }
    Ok(query.load(connection).await?)
}

/// Shortest beginning of a fingerprint that names a certificate, in hexadecimal digits.
const BEGINNING_MIN: usize = 4;
/// A text of fewer decimal digits than this is a number of the inventory, not the beginning of a fingerprint.
const DECIMALS_OF_FINGERPRINT: usize = 10;

/// Finds a certificate by what people call it: its fingerprint, a beginning of it that no other has, or its number. Digits
/// alone are the number, as `#2048` always is; with colons, `20:48`, they are a fingerprint's.
///
/// # Errors
/// None, or several, go by this name; a fault.
pub async fn find(connection: &mut AsyncPgConnection, name: &str) -> Result<Certificate, AdministrationError> {
    let name = name.trim();
    let unknown = || AdministrationError::CertificateUnknown(name.to_owned());
    let ambiguous = || AdministrationError::CertificateAmbiguous(name.to_owned());
    let begins = by_beginning(connection, &plain_hex(name)).await?;
    let number = name.strip_prefix('#').unwrap_or(name);
    if is_number(number) {
        let id: i32 = number.parse().map_err(|_too_large: std::num::ParseIntError| unknown())?;
        let numbered: Option<Certificate> =
            certificates::table.find(id).select(Certificate::as_select()).first(connection).await.optional()?;
        let numbered = numbered.ok_or_else(unknown)?;
        // What is done to a certificate may be for good: nothing is guessed where the same digits begin another's fingerprint.
        return if begins.iter().any(|other| other.id != id) { Err(ambiguous()) } else { Ok(numbered) };
    }
    match <[Certificate; 1]>::try_from(begins) {
        Ok([one]) => Ok(one),
        Err(found) if found.is_empty() => Err(unknown()),
        Err(_several) => Err(ambiguous()),
    }
}

/// Says whether a text is a number of the inventory and not the beginning of a fingerprint.
pub fn is_number(text: &str) -> bool {
    (1..DECIMALS_OF_FINGERPRINT).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit())
}

/// Returns the first two certificates whose fingerprints begin with these digits; none where the digits are too few for that.
async fn by_beginning(
    connection: &mut AsyncPgConnection,
    digits: &str,
) -> Result<Vec<Certificate>, AdministrationError> {
    if digits.len() < BEGINNING_MIN {
        return Ok(Vec::new());
    }
    let bound = |fill: &str| hex::decode(format!("{digits}{}", fill.repeat(64usize.saturating_sub(digits.len()))));
    let (Ok(lowest), Ok(highest)) = (bound("0"), bound("f")) else { return Ok(Vec::new()) };
    Ok(certificates::table
        .filter(certificates::fingerprint.between(lowest, highest))
        .order(certificates::id)
        .limit(2)
        .select(Certificate::as_select())
        .load(connection)
        .await?)
}

/// Waits for others who give keys their owner: two registrations at once must see each other.
pub(crate) async fn lock_keys(connection: &mut AsyncPgConnection) -> Result<(), Fault> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(KEYS_LOCK).execute(connection).await?;
    Ok(())
}
