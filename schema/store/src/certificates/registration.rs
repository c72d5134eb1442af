//! Registration of certificates: who owns the key, and what an operator must know before he registers a certificate.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;

use super::certificate::{CertificateFields, concerns, plain_hex};
use super::inventory::lock_keys;
use crate::agencies::agency::locked_status;
use crate::centre::keys::refuse_own;
use crate::database::schema::{agency_keys, certificates};
use crate::error::{AdministrationError, KeyName};
use crate::people::act::Act;
use crate::people::action::AuditAction;
use crate::people::approved::Approved;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// An operator's confirmation of a certificate.
#[derive(Clone, Copy, Debug)]
pub struct Confirmation<'a> {
    /// The SHA-256 fingerprint that the agency gave over the agreed channel, in hexadecimal, with or without colons and blanks.
    pub fingerprint: &'a str,
    /// Whether the certificate is registered in spite of every [`Concern`](super::Concern).
    pub accepts_concerns: bool,
}

/// Registers a certificate for an agency. Returns its number. If the agency has or had another key, the certificate needs a second person:
/// it may come from somebody who wants to take over the agency.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; the fingerprint differs; concerns that are not accepted; the key is revoked, or belongs to
/// another agency or to the centre; another key has the same identifier; the certificate is registered already; the agency does not exist;
/// a fault of the database.
pub async fn register(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    agency: Matricule,
    certificate: &CertificateFields,
    confirmation: Confirmation<'_>,
) -> Result<i32, AdministrationError> {
    register_by(connection, operator, None, agency, certificate, confirmation).await
}

/// Registers a certificate. `approved` is the approval if a second person confirms, and `None` if one person acts alone.
pub(crate) async fn register_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    agency: Matricule,
    certificate: &CertificateFields,
    confirmation: Confirmation<'_>,
) -> Result<i32, AdministrationError> {
    operator.require(connection, Operation::CertificateRegister).await?;
    if has_other(connection, agency, certificate).await? {
        operator.require(connection, Operation::CertificateReplace).await?;
    }
    if plain_hex(confirmation.fingerprint) != hex::encode(&certificate.fingerprint) {
        return Err(AdministrationError::FingerprintMismatch { agency });
    }
    connection
        .transaction(async |connection| {
            locked_status(connection, agency).await?;
            lock_keys(connection).await?;
            refuse_own(connection, &certificate.spki_sha256).await?;
            own_key(connection, agency, &certificate.spki_sha256).await?;
            refuse_taken_names(connection, certificate).await?;
            // A certificate that is registered already cannot be registered again, so the operator need not be asked to accept concerns
            // about it.
            if is_registered(connection, certificate).await? {
                return Err(AdministrationError::CertificateExists);
            }
            let concerns = concerns(certificate, Utc::now());
            if !concerns.is_empty() && !confirmation.accepts_concerns {
                return Err(AdministrationError::CertificateConcerns(concerns));
            }
            if has_other(connection, agency, certificate).await? {
                // Two operators may register the first certificate of one agency at the same time. Whoever comes second then adds a key to
                // an agency that has one, which needs the right to replace certificates and a second person.
                operator.may(Operation::CertificateReplace)?;
                if !is_key_of(connection, agency, certificate).await? {
                    Approved::demand(approved, || Act::CertificateReplace {
                        agency,
                        certificate: certificate.clone(),
                        accepts_concerns: confirmation.accepts_concerns,
                    })?;
                }
            }
            let id = insert(connection, agency, certificate).await?;
            let action = AuditAction::CertificateRegister {
                agency,
                fingerprint: &certificate.fingerprint,
                algorithm: &certificate.algorithm,
                not_before: certificate.not_before,
                not_after: certificate.not_after,
                concerns: &concerns,
            };
            audit::write(connection, operator, &action).await?;
            Ok(id)
        })
        .await
}

async fn insert(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    certificate: &CertificateFields,
) -> Result<i32, AdministrationError> {
    diesel::insert_into(certificates::table)
        .values((
            certificates::agency.eq(agency),
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
            let meanings = vec![("certificates_fingerprint_key", AdministrationError::CertificateExists)];
            AdministrationError::explain(error, meanings)
        })
}

/// Says whether the agency has, or had, another certificate.
async fn has_other(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    certificate: &CertificateFields,
) -> Result<bool, AdministrationError> {
    let others = certificates::table
        .filter(certificates::agency.eq(agency))
        .filter(certificates::fingerprint.ne(&certificate.fingerprint));
    Ok(diesel::select(diesel::dsl::exists(others)).get_result(connection).await?)
}

/// Says whether the key belongs to this agency already. If so, no second person is needed: another certificate of the same key gives nobody
/// a new right.
async fn is_key_of(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    certificate: &CertificateFields,
) -> Result<bool, AdministrationError> {
    let of_key = certificates::table
        .filter(certificates::agency.eq(agency))
        .filter(certificates::spki_sha256.eq(&certificate.spki_sha256));
    Ok(diesel::select(diesel::dsl::exists(of_key)).get_result(connection).await?)
}

async fn is_registered(
    connection: &mut AsyncPgConnection,
    certificate: &CertificateFields,
) -> Result<bool, AdministrationError> {
    let same = certificates::table.filter(certificates::fingerprint.eq(&certificate.fingerprint));
    Ok(diesel::select(diesel::dsl::exists(same)).get_result(connection).await?)
}

/// Assigns the key to the agency. A key of another agency is refused. A revoked key is refused, whichever certificate it comes with, since
/// a thief may have it.
async fn own_key(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    spki_sha256: &[u8],
) -> Result<(), AdministrationError> {
    diesel::insert_into(agency_keys::table)
        .values((agency_keys::spki_sha256.eq(spki_sha256), agency_keys::agency.eq(agency)))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    let (owner, revoked_at): (Matricule, Option<DateTime<Utc>>) = agency_keys::table
        .find(spki_sha256)
        .select((agency_keys::agency, agency_keys::revoked_at))
        .for_update()
        .first(connection)
        .await?;
    if owner != agency {
        return Err(AdministrationError::KeyOfAnotherAgency { owner, agency });
    }
    revoked_at.map_or(Ok(()), |at| Err(AdministrationError::KeyRevoked { at }))
}

/// Refuses a certificate whose key identifier, or whose issuer and serial number, belong to another key. The program finds a letter's
/// signer by these values, and the maker of a certificate can choose them freely. If two signers had the same values, the letters of one
/// could be judged by the certificate of the other.
async fn refuse_taken_names(
    connection: &mut AsyncPgConnection,
    certificate: &CertificateFields,
) -> Result<(), AdministrationError> {
    let other_keys = certificates::table.filter(certificates::spki_sha256.ne(&certificate.spki_sha256));
    let by_key_id: Option<Matricule> = other_keys
        .filter(certificates::key_id.eq(&certificate.key_id))
        .select(certificates::agency)
        .first(connection)
        .await
        .optional()?;
    let by_serial: Option<Matricule> = other_keys
        .filter(certificates::serial.eq(&certificate.serial))
        .filter(certificates::issuer.eq(&certificate.issuer))
        .select(certificates::agency)
        .first(connection)
        .await
        .optional()?;
    let taken = |name, owner| Err(AdministrationError::KeyNameTaken { name, owner });
    match (by_key_id, by_serial) {
        (Some(owner), _) => taken(KeyName::KeyId, owner),
        (_, Some(owner)) => taken(KeyName::IssuerSerial, owner),
        (None, None) => Ok(()),
    }
}
