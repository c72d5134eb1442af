//! Certificates: registered by an operator who compared the fingerprint, one agency to a key, for ever.

pub mod ending;
mod registration;
mod revocation;
pub mod signers;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::keys::RegisteredCertificate;
use sdc::letter::Matricule;
use serde::{Deserialize, Serialize};

pub(crate) use registration::register_by;
pub use registration::{Concern, Confirmation, concerns, register};
pub use revocation::{LetterToReview, Revocable, revocable, revoke};

use crate::database::fault::Fault;
use crate::database::schema::certificates;
use crate::error::AdministrationError;

/// The advisory lock under which keys get their owner.
const KEYS_LOCK: i64 = i64::from_be_bytes(*b"xm.keys.");

/// What is registered of a certificate, read out of its DER.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFields {
    /// The certificate.
    #[serde(with = "hex")]
    pub der: Vec<u8>,
    /// SHA-256 of the DER.
    #[serde(with = "hex")]
    pub fingerprint: Vec<u8>,
    /// SHA-256 of its SubjectPublicKeyInfo: the key's own name.
    #[serde(with = "hex")]
    pub spki_sha256: Vec<u8>,
    /// Subject key identifier that a signer is named by; made from the key where the certificate has none.
    #[serde(with = "hex")]
    pub key_id: Vec<u8>,
    /// DER of the issuer's name.
    #[serde(with = "hex")]
    pub issuer: Vec<u8>,
    /// Serial number, big-endian.
    #[serde(with = "hex")]
    pub serial: Vec<u8>,
    /// Such as `P-256` or `RSA-2048`.
    pub algorithm: String,
    /// Beginning of validity.
    pub not_before: DateTime<Utc>,
    /// End of validity.
    pub not_after: DateTime<Utc>,
    /// Whether it says that it is there to certify others, not to sign letters.
    pub is_authority: bool,
}

impl From<&RegisteredCertificate> for CertificateFields {
    fn from(certificate: &RegisteredCertificate) -> CertificateFields {
        let (not_before, not_after) = certificate.validity();
        CertificateFields {
            der: certificate.der().to_vec(),
            fingerprint: certificate.fingerprint().as_bytes().to_vec(),
            spki_sha256: certificate.spki_sha256().as_bytes().to_vec(),
            key_id: certificate.key_id().to_vec(),
            issuer: certificate.issuer().to_vec(),
            serial: certificate.serial().to_vec(),
            algorithm: certificate.algorithm().to_owned(),
            not_before,
            not_after,
            is_authority: certificate.is_authority(),
        }
    }
}

/// A registered certificate in a list.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Serialize)]
pub struct Certificate {
    /// Number in the inventory.
    pub id: i32,
    /// Its agency.
    pub agency: i32,
    /// SHA-256 of the certificate.
    #[serde(with = "hex")]
    pub fingerprint: Vec<u8>,
    /// Subject key identifier.
    #[serde(with = "hex")]
    pub key_id: Vec<u8>,
    /// Such as `P-256`.
    pub algorithm: String,
    /// Beginning of validity.
    pub not_before: DateTime<Utc>,
    /// End of validity.
    pub not_after: DateTime<Utc>,
    /// When it was registered.
    pub registered_at: DateTime<Utc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Why.
    pub revoked_reason: Option<String>,
}

pub(crate) type CertificateColumns = (
    certificates::id,
    certificates::agency,
    certificates::fingerprint,
    certificates::key_id,
    certificates::algorithm,
    certificates::not_before,
    certificates::not_after,
    certificates::registered_at,
    certificates::revoked_at,
    certificates::revoked_reason,
);
pub(crate) const CERTIFICATE: CertificateColumns = (
    certificates::id,
    certificates::agency,
    certificates::fingerprint,
    certificates::key_id,
    certificates::algorithm,
    certificates::not_before,
    certificates::not_after,
    certificates::registered_at,
    certificates::revoked_at,
    certificates::revoked_reason,
);

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
        .select(CERTIFICATE)
        .into_boxed();
    if let Some(agency) = filter.agency {
        query = query.filter(certificates::agency.eq(agency.as_i32()));
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
            certificates::table.find(id).select(CERTIFICATE).first(connection).await.optional()?;
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

/// Returns the first two certificates whose fingerprints begin so; none where this is no beginning of a fingerprint.
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
        .select(CERTIFICATE)
        .load(connection)
        .await?)
}

/// Waits for others who give keys their owner: two registrations at once must see each other.
pub(crate) async fn lock_keys(connection: &mut AsyncPgConnection) -> Result<(), Fault> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(KEYS_LOCK).execute(connection).await?;
    Ok(())
}

/// Writes a fingerprint as people compare it: pairs with colons.
pub fn spoken(fingerprint: &[u8]) -> String {
    fingerprint.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":")
}

/// Reads a fingerprint as people write it, with colons, blanks and capitals as they like, into plain hexadecimal.
pub fn plain_hex(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect::<String>().to_lowercase()
}
