//! Certificates: registered by an operator who compared the fingerprint, one agency to a key, for ever.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::keys::RegisteredCertificate;
use sdc::letter::Matricule;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{AdministrationError, agencies, audit, matricule};
use crate::fault::Fault;
use crate::schema::{agency_keys, certificates, letters};

/// The advisory lock under which keys get their owner: two registrations at once must see each other.
const KEYS_LOCK: i64 = i64::from_be_bytes(*b"xm.keys.");

/// What is registered of a certificate, read out of its DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFields {
    /// The certificate.
    pub der: Vec<u8>,
    /// SHA-256 of the DER.
    pub fingerprint: Vec<u8>,
    /// SHA-256 of its SubjectPublicKeyInfo: the key's own name.
    pub spki_sha256: Vec<u8>,
    /// Subject key identifier that a signer is named by; made from the key where the certificate has none.
    pub key_id: Vec<u8>,
    /// DER of the issuer's name.
    pub issuer: Vec<u8>,
    /// Serial number, big-endian.
    pub serial: Vec<u8>,
    /// Such as `P-256` or `RSA-2048`.
    pub algorithm: String,
    /// Beginning of validity.
    pub not_before: DateTime<Utc>,
    /// End of validity.
    pub not_after: DateTime<Utc>,
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

type CertificateColumns = (
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
const CERTIFICATE: CertificateColumns = (
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

/// A letter to review after a revocation: its key may have been in other hands.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Serialize)]
pub struct LetterToReview {
    /// Its id.
    pub letter_id: Uuid,
    /// The installation that it names.
    pub installation: String,
    /// Its number.
    pub sequence: Option<i64>,
    /// `accepted`, or the code of the refusal.
    pub verdict: String,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// Registers a certificate for an agency. Returns its number.
///
/// `confirmed` is the fingerprint that the agency told over the agreed channel, hexadecimal, colons and spaces as it likes.
///
/// # Errors
/// Another fingerprint, another agency's key, a name that another key goes by, registered already; no such agency; a fault.
pub async fn register(
    connection: &mut AsyncPgConnection,
    operator: &str,
    agency: Matricule,
    certificate: &CertificateFields,
    confirmed: &str,
) -> Result<i32, AdministrationError> {
    if plain_hex(confirmed) != hex::encode(&certificate.fingerprint) {
        return Err(AdministrationError::FingerprintMismatch { found: hex::encode(&certificate.fingerprint) });
    }
    connection
        .transaction(async |connection| {
            agencies::locked_status(connection, agency).await?;
            diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
                .bind::<BigInt, _>(KEYS_LOCK)
                .execute(connection)
                .await?;
            own_key(connection, agency, &certificate.spki_sha256).await?;
            refuse_taken_names(connection, certificate).await?;
            let id: i32 = diesel::insert_into(certificates::table)
                .values((
                    certificates::agency.eq(agency.as_i32()),
                    certificates::spki_sha256.eq(&certificate.spki_sha256),
                    certificates::key_id.eq(&certificate.key_id),
                    certificates::issuer.eq(&certificate.issuer),
                    certificates::serial.eq(&certificate.serial),
                    certificates::der.eq(&certificate.der),
                    certificates::fingerprint.eq(&certificate.fingerprint),
                    certificates::algorithm.eq(&certificate.algorithm),
                    certificates::not_before.eq(certificate.not_before),
                    certificates::not_after.eq(certificate.not_after),
                ))
                .returning(certificates::id)
                .get_result(connection)
                .await
                .map_err(|error| {
                    AdministrationError::explain(
                        error,
                        vec![("certificates_fingerprint_key", AdministrationError::CertificateExists)],
                    )
                })?;
            let detail = json!({ "fingerprint": hex::encode(&certificate.fingerprint),
                "algorithm": certificate.algorithm, "not_after": certificate.not_after });
            audit::write(connection, operator, "certificate.register", &agencies::subject(agency), detail).await?;
            Ok(id)
        })
        .await
}

/// Makes the key the agency's, unless it is another's.
async fn own_key(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    spki_sha256: &[u8],
) -> Result<(), AdministrationError> {
    diesel::insert_into(agency_keys::table)
        .values((agency_keys::spki_sha256.eq(spki_sha256), agency_keys::agency.eq(agency.as_i32())))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    let owner: i32 = agency_keys::table.find(spki_sha256).select(agency_keys::agency).first(connection).await?;
    if owner == agency.as_i32() {
        return Ok(());
    }
    Err(AdministrationError::KeyOfAnotherAgency { owner: matricule(owner)?, agency })
}

/// A signer is looked up by key identifier, or issuer and serial number. Whoever makes a certificate chooses them
/// freely; under another's name his letters would be judged by the other's certificate, and the other's by his.
async fn refuse_taken_names(
    connection: &mut AsyncPgConnection,
    certificate: &CertificateFields,
) -> Result<(), AdministrationError> {
    let other_keys = certificates::table.filter(certificates::spki_sha256.ne(&certificate.spki_sha256));
    let by_key_id: Option<i32> = other_keys
        .filter(certificates::key_id.eq(&certificate.key_id))
        .select(certificates::agency)
        .first(connection)
        .await
        .optional()?;
    let by_serial: Option<i32> = other_keys
        .filter(certificates::serial.eq(&certificate.serial))
        .filter(certificates::issuer.eq(&certificate.issuer))
        .select(certificates::agency)
        .first(connection)
        .await
        .optional()?;
    match (by_key_id, by_serial) {
        (Some(owner), _) => {
            Err(AdministrationError::KeyNameTaken { name: "subject key identifier", owner: matricule(owner)? })
        }
        (_, Some(owner)) => {
            Err(AdministrationError::KeyNameTaken { name: "issuer and serial number", owner: matricule(owner)? })
        }
        (None, None) => Ok(()),
    }
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

/// Revokes a certificate, at once and for good, and with it every other one of the same key: what is in other hands is
/// the key. With `since`, returns the letters that the key signed from that time on, to review.
///
/// # Errors
/// No such certificate, revoked already; a fault.
pub async fn revoke(
    connection: &mut AsyncPgConnection,
    operator: &str,
    fingerprint: &str,
    reason: &str,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<LetterToReview>, AdministrationError> {
    connection
        .transaction(async |connection| {
            let unknown = || AdministrationError::CertificateUnknown(fingerprint.to_owned());
            let octets = hex::decode(plain_hex(fingerprint)).map_err(|_not_hex| unknown())?;
            let (key, agency): (Vec<u8>, i32) = certificates::table
                .filter(certificates::fingerprint.eq(&octets))
                .select((certificates::spki_sha256, certificates::agency))
                .first(connection)
                .await
                .optional()?
                .ok_or_else(unknown)?;
            // A batch that has verified with this key ends first, so that its letters are among those to review.
            agencies::lock_account(connection, agency).await?;
            let revoked_at: Option<DateTime<Utc>> = certificates::table
                .filter(certificates::fingerprint.eq(&octets))
                .select(certificates::revoked_at)
                .for_update()
                .first(connection)
                .await?;
            if let Some(at) = revoked_at {
                return Err(AdministrationError::CertificateRevoked { fingerprint: plain_hex(fingerprint), at });
            }
            let revoked = diesel::update(certificates::table)
                .filter(certificates::spki_sha256.eq(&key).and(certificates::revoked_at.is_null()))
                .set((certificates::revoked_at.eq(Utc::now()), certificates::revoked_reason.eq(reason)))
                .execute(connection)
                .await?;
            let detail = json!({ "fingerprint": plain_hex(fingerprint), "reason": reason, "since": since,
                "certificates": revoked });
            let subject = agencies::subject(matricule(agency)?);
            audit::write(connection, operator, "certificate.revoke", &subject, detail).await?;
            match since {
                Some(since) => Ok(letters_since(connection, agency, &key, since).await?),
                None => Ok(Vec::new()),
            }
        })
        .await
}

async fn letters_since(
    connection: &mut AsyncPgConnection,
    agency: i32,
    key: &[u8],
    since: DateTime<Utc>,
) -> Result<Vec<LetterToReview>, Fault> {
    let of_key = certificates::table.filter(certificates::spki_sha256.eq(key)).select(certificates::id);
    let found = letters::table
        .filter(letters::agency.eq(agency))
        .filter(letters::certificate.eq_any(of_key))
        .filter(letters::received_at.ge(since))
        .order(letters::received_at)
        .select((letters::letter_id, letters::installation, letters::sequence, letters::verdict, letters::received_at))
        .load(connection)
        .await?;
    Ok(found)
}

fn plain_hex(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect::<String>().to_lowercase()
}
