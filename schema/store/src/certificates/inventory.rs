//! The inventory of registered certificates: lists, and searches by fingerprint or number.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;

use super::certificate::{Certificate, plain_hex};
use crate::database::fault::Fault;
use crate::database::schema::certificates;
use crate::error::AdministrationError;

/// The advisory lock that a transaction holds while it assigns a key to an agency.
const KEYS_LOCK: i64 = i64::from_be_bytes(*b"xm.keys.");

/// Conditions that select certificates for a list.
#[derive(Clone, Debug, Default)]
pub struct CertificateFilter {
    /// Matricule of the certificates' agency.
    pub agency: Option<Matricule>,
    /// Whether revoked certificates are listed too.
    pub with_revoked: bool,
    /// Time before which the certificates end.
    pub ending_before: Option<DateTime<Utc>>,
    /// Number after which the list begins.
    pub after: Option<i32>,
    /// Largest number of certificates that the list shows; 100 if absent.
    pub limit: Option<i64>,
}

/// Lists certificates, ordered by number.
///
/// # Errors
/// A fault of the database.
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

/// Least number of hexadecimal digits of a fingerprint by which a certificate is found.
const BEGINNING_MIN: usize = 4;
/// Number of decimal digits from which a text is the beginning of a fingerprint. A shorter text is a number of the inventory.
const DECIMALS_OF_FINGERPRINT: usize = 10;

/// Finds a certificate by its fingerprint, by the beginning of its fingerprint, or by its number. Decimal digits alone, and a text such as
/// `#2048`, are a number. A text with colons, such as `20:48`, is the beginning of a fingerprint. Only one certificate may match.
///
/// # Errors
/// No certificate matches, or several match; a fault of the database.
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
        // Operations on a certificate may be irreversible. So if digits are the number of one certificate and also begin the fingerprint of
        // another, the call fails as ambiguous.
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

/// Returns the first two certificates whose fingerprints begin with these digits (two show that the digits are ambiguous), or none if there
/// are fewer than [`BEGINNING_MIN`] digits.
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

/// Takes the lock for assigning keys to agencies. Of two registrations at the same time, the second waits here and then finds the key of
/// the first.
pub(crate) async fn lock_keys(connection: &mut AsyncPgConnection) -> Result<(), Fault> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(KEYS_LOCK).execute(connection).await?;
    Ok(())
}
