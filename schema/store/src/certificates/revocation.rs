//! Revoking: what is in other hands is the key, so the key is revoked, with every certificate of it, at once and for good.

use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use uuid::Uuid;

use super::{Certificate, find};
use crate::agencies::{self, matricule};
use crate::database::fault::Fault;
use crate::database::schema::{agencies as offices, agency_keys, certificates, letters};
use crate::error::{AdministrationError, InvalidValue};
use crate::people::{AuditAction, Operation, Operator, audit};

/// A certificate that may be revoked, and what that would mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revocable {
    /// The certificate.
    pub certificate: Certificate,
    /// Its agency's name.
    pub agency_name: String,
    /// How many certificates are of its key: all are revoked.
    pub certificates_of_key: i64,
    /// Whether the agency has another key with a certificate that is valid now; without one it cannot send any more.
    pub has_another: bool,
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

/// Shows what a revocation would mean. The certificate goes by any name that [`find`] knows.
///
/// # Errors
/// None, or several, go by this name; revoked already; a fault.
pub async fn revocable(connection: &mut AsyncPgConnection, name: &str) -> Result<Revocable, AdministrationError> {
    let certificate = find(connection, name).await?;
    let key: Vec<u8> = key_of(connection, certificate.id).await?;
    refuse_revoked(connection, &certificate, &key).await?;
    let agency_name = offices::table.find(certificate.agency).select(offices::name).first(connection).await?;
    let certificates_of_key =
        certificates::table.filter(certificates::spki_sha256.eq(&key)).count().get_result(connection).await?;
    let now = Utc::now();
    let others = certificates::table
        .filter(certificates::agency.eq(certificate.agency))
        .filter(certificates::spki_sha256.ne(&key))
        .filter(certificates::revoked_at.is_null())
        .filter(certificates::not_before.le(now).and(certificates::not_after.ge(now)));
    let has_another = diesel::select(exists(others)).get_result(connection).await?;
    Ok(Revocable { certificate, agency_name, certificates_of_key, has_another })
}

/// Revokes the key of a certificate, which goes by any name that [`find`] knows. With `since`, returns the letters that the
/// key signed from that time on, to review.
///
/// # Errors
/// No reason; none, or several, go by this name; revoked already; a fault.
pub async fn revoke(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    name: &str,
    reason: &str,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<LetterToReview>, AdministrationError> {
    operator.require(connection, Operation::CertificateRevoke).await?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().any(char::is_control) {
        return Err(InvalidValue::Reason.into());
    }
    connection
        .transaction(async |connection| {
            let certificate = find(connection, name).await?;
            let key = key_of(connection, certificate.id).await?;
            // A batch that has verified with this key ends first, so that its letters are among those to review.
            agencies::lock_account(connection, certificate.agency).await?;
            refuse_revoked(connection, &certificate, &key).await?;
            // Triggers revoke the key's certificates and raise the agency's revision.
            diesel::update(agency_keys::table.find(&key))
                .set((agency_keys::revoked_at.eq(Utc::now()), agency_keys::revoked_reason.eq(reason)))
                .execute(connection)
                .await?;
            let action = AuditAction::CertificateRevoke {
                agency: matricule(certificate.agency)?,
                fingerprint: &certificate.fingerprint,
                key: &key,
                reason,
                since,
            };
            audit::write(connection, operator, &action).await?;
            match since {
                Some(since) => Ok(letters_since(connection, certificate.agency, &key, since).await?),
                None => Ok(Vec::new()),
            }
        })
        .await
}

async fn key_of(connection: &mut AsyncPgConnection, certificate_id: i32) -> Result<Vec<u8>, AdministrationError> {
    Ok(certificates::table.find(certificate_id).select(certificates::spki_sha256).first(connection).await?)
}

async fn refuse_revoked(
    connection: &mut AsyncPgConnection,
    certificate: &Certificate,
    key: &[u8],
) -> Result<(), AdministrationError> {
    let revoked_at: Option<DateTime<Utc>> =
        agency_keys::table.find(key).select(agency_keys::revoked_at).for_update().first(connection).await?;
    let fingerprint = hex::encode(&certificate.fingerprint);
    revoked_at.map_or(Ok(()), |at| Err(AdministrationError::CertificateRevoked { fingerprint, at }))
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
