//! Revocation: a thief steals a key, and could use it with any of its certificates. So the key is revoked for good, together with all its
//! certificates.

use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;
use uuid::Uuid;

use super::certificate::Certificate;
use super::inventory::find;
use crate::agencies::agency::lock_account;
use crate::database::fault::Fault;
use crate::database::schema::{agencies as offices, agency_keys, certificates, letters};
use crate::error::AdministrationError;
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// A certificate that may be revoked, and the effects of its revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revocable {
    /// The certificate.
    pub certificate: Certificate,
    /// Name of the agency.
    pub agency_name: String,
    /// Number of certificates of the same key; all are revoked together.
    pub certificates_of_key: i64,
    /// Whether the agency has another key with a certificate that is valid now. Without another key, the agency can send no letters after
    /// the revocation.
    pub has_another: bool,
}

/// A letter to review after a revocation: somebody else may have signed it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Serialize)]
#[diesel(table_name = letters)]
pub struct LetterToReview {
    /// Id of the letter.
    pub letter_id: Uuid,
    /// Name of the installation in the letter.
    pub installation: String,
    /// Sequence number of the letter.
    pub sequence: Option<i64>,
    /// `accepted`, or the code of the refusal.
    pub verdict: String,
    /// Time when the letter arrived.
    pub received_at: DateTime<Utc>,
}

/// Shows the effects of a revocation. [`find`] says how `name` identifies the certificate.
///
/// # Errors
/// No certificate matches, or several match; the certificate is revoked already; a fault of the database.
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

/// Revokes the key of a certificate. [`find`] says how `name` identifies the certificate. With `since`, returns the letters that the key
/// signed from that time on, for review.
///
/// # Errors
/// The reason is missing; no certificate matches, or several match; the certificate is revoked already; a fault of the database.
pub async fn revoke(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    name: &str,
    reason: &str,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<LetterToReview>, AdministrationError> {
    operator.require(connection, Operation::CertificateRevoke).await?;
    let reason = audit::reason(reason)?;
    connection
        .transaction(async |connection| {
            let certificate = find(connection, name).await?;
            let key = key_of(connection, certificate.id).await?;
            // The lock waits for a batch that is settling letters of the agency, so that letters of this batch that the key signed are
            // among the letters to review.
            lock_account(connection, certificate.agency).await?;
            refuse_revoked(connection, &certificate, &key).await?;
            // Triggers revoke the key's certificates and increase the agency's revision.
            diesel::update(agency_keys::table.find(&key))
                .set((agency_keys::revoked_at.eq(Utc::now()), agency_keys::revoked_reason.eq(reason)))
                .execute(connection)
                .await?;
            let action = AuditAction::CertificateRevoke {
                agency: certificate.agency,
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
    agency: Matricule,
    key: &[u8],
    since: DateTime<Utc>,
) -> Result<Vec<LetterToReview>, Fault> {
    let of_key = certificates::table.filter(certificates::spki_sha256.eq(key)).select(certificates::id);
    let found = letters::table
        .filter(letters::agency.eq(agency))
        .filter(letters::certificate.eq_any(of_key))
        .filter(letters::received_at.ge(since))
        .order(letters::received_at)
        .select(LetterToReview::as_select())
        .load(connection)
        .await?;
    Ok(found)
}
