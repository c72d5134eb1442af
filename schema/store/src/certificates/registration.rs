//! Registering: whose key it is, and what an operator must know before saying so.

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

/// How an operator vouches for a certificate.
#[derive(Clone, Copy, Debug)]
pub struct Confirmation<'a> {
    /// The SHA-256 fingerprint that the agency told over the agreed channel, in hexadecimal, with or without colons and blanks.
    pub fingerprint: &'a str,
    /// Whether it is to be registered in spite of every [`Concern`](super::Concern).
    pub accepts_concerns: bool,
}

/// Registers a certificate for an agency. Returns its number. A certificate of a further key, beside or behind another key of the agency,
/// needs a second person: it may be that of somebody who takes the agency over.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; another fingerprint; concerns that are not accepted; a key that is revoked, another agency's
/// or the centre's own; a name that another key goes by; registered already; no such agency; a fault.
pub async fn register(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    agency: Matricule,
    certificate: &CertificateFields,
    confirmation: Confirmation<'_>,
) -> Result<i32, AdministrationError> {
    register_by(connection, operator, None, agency, certificate, confirmation).await
}

/// Registers a certificate as one person, or as the second of two.
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
            // A certificate that is there already is refused before anybody is asked about concerns.
            if is_registered(connection, certificate).await? {
                return Err(AdministrationError::CertificateExists);
            }
            let concerns = concerns(certificate, Utc::now());
            if !concerns.is_empty() && !confirmation.accepts_concerns {
                return Err(AdministrationError::CertificateConcerns(concerns));
            }
            if has_other(connection, agency, certificate).await? {
                // Of two first certificates that come at once, the second is a further one.
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

/// Says whether the agency signs with this key already: a renewed certificate of it gives nobody anything new.
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

/// Makes the key the agency's. A key of another agency is refused, and so is a revoked one: it is in other hands, whatever certificate
/// comes.
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

/// Refuses a certificate under a name that another key goes by. A signer is looked up by key identifier, or by issuer and serial number,
/// and whoever makes a certificate chooses them freely. Under another's name his letters would be judged by the other's certificate, and
/// the other's by his.
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
