//! One-time codes, by which a new installation enrols with a key that the centre does not know yet. An operator asks for a code and reads
//! it out to the office. The code is shown only once.
//!
//! Two people must agree to a code for an agency that already has or had a certificate: with the code, a stranger could add a key of his
//! own and send letters in the agency's name. The second person confirms a permit and never sees the code, which the program makes when the
//! first person asks for it again.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use rand::RngExt;
use sdc::letter::Matricule;
use sdc::request::{ENROLMENT_ALPHABET, ENROLMENT_CHARS, EnrolmentCode};
use serde::Serialize;

use super::agency::locked_status;
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};
use crate::error::AdministrationError;
use crate::people::act::Act;
use crate::people::action::AuditAction;
use crate::people::approved::Approved;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Number of days for which a code is valid.
const DAYS: i32 = 14;

/// A code as it is shown once to the operator who asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The code in plain text.
    pub code: EnrolmentCode,
    /// Time from which the code is no longer valid.
    pub expires_at: DateTime<Utc>,
}

/// A code as lists show it. The code itself is missing, since the database keeps only its hash.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Listed {
    /// Number of the code.
    #[diesel(sql_type = Integer)]
    pub id: i32,
    /// Matricule of the agency.
    #[diesel(sql_type = Integer)]
    pub agency: Matricule,
    /// Name of the agency.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Telephone of the agency.
    #[diesel(sql_type = Text)]
    pub telephone: String,
    /// Whether the code admits another key of an agency that already has or had a certificate.
    #[diesel(sql_type = Bool)]
    pub is_further: bool,
    /// Name of the operator who asked for the code, or who confirmed its permit.
    #[diesel(sql_type = Text)]
    pub made_by: String,
    /// Time when the code was made or permitted.
    #[diesel(sql_type = Timestamptz)]
    pub made_at: DateTime<Utc>,
    /// Time from which the code is no longer valid.
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: DateTime<Utc>,
    /// State: `open`, `permitted` (no code made yet), `locked`, `used`, `replaced` or `expired`.
    #[diesel(sql_type = Text)]
    pub state: String,
    /// Number of letters that gave a wrong code in the agency's name.
    #[diesel(sql_type = SmallInt)]
    pub failures: i16,
    /// Name of the installation that enrolled with the code; `None` before an enrolment.
    #[diesel(sql_type = Nullable<Text>)]
    pub installation: Option<String>,
}

/// Makes a code for an agency, and ends the agency's open code. The code is returned only here; the database keeps its hash.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`] if the agency has or had a certificate and no permit is open; the agency does not exist; a
/// fault of the database.
pub async fn code(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    agency: Matricule,
) -> Result<Told, AdministrationError> {
    operator.require(connection, Operation::EnrolmentCode).await?;
    if has_certificate(connection, agency).await? {
        operator.require(connection, Operation::CertificateReplace).await?;
    }
    connection
        .transaction(async |connection| {
            locked_status(connection, agency).await?;
            let is_further = has_certificate(connection, agency).await?;
            if is_further && !has_permit(connection, agency).await? {
                // The agency got its first certificate after the check above, so two people must agree to the code. An operator without the
                // right to replace certificates may not even ask for that.
                operator.may(Operation::CertificateReplace)?;
                Approved::demand(None, || Act::EnrolmentCode { agency })?;
            }
            let code = draw();
            let sha256 = code.digest();
            let expires_at = replace(connection, operator, agency, is_further, Some(sha256.as_bytes())).await?;
            let action = AuditAction::EnrolmentCode { agency, is_further, is_told: true, expires_at };
            audit::write(connection, operator, &action).await?;
            Ok(Told { code, expires_at })
        })
        .await
}

/// Stores a permit, in the name of the operator who confirms: a code may be made that admits another key of the agency. Returns the time
/// until which the permit is valid.
pub(crate) async fn permit_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    agency: Matricule,
) -> Result<DateTime<Utc>, AdministrationError> {
    operator.require(connection, Operation::EnrolmentCode).await?;
    Approved::demand(approved, || Act::EnrolmentCode { agency })?;
    connection
        .transaction(async |connection| {
            locked_status(connection, agency).await?;
            let expires_at = replace(connection, operator, agency, true, None).await?;
            let action = AuditAction::EnrolmentCode { agency, is_further: true, is_told: false, expires_at };
            audit::write(connection, operator, &action).await?;
            Ok(expires_at)
        })
        .await
}

/// Ends the agency's open code, so that only one is valid, and inserts a new code, or a permit for one if `sha256` is `None`. Returns the
/// time until which the code or permit is valid.
async fn replace(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    agency: Matricule,
    is_further: bool,
    sha256: Option<&[u8]>,
) -> Result<DateTime<Utc>, AdministrationError> {
    let text =
        "UPDATE xm.enrolment_codes SET ended_at = now() WHERE agency = ? AND used_at IS NULL AND ended_at IS NULL";
    Statement::<()>::new(text, &[Bind::Matricule(agency)]).execute(connection).await?;
    let text = "INSERT INTO xm.enrolment_codes (agency, code_sha256, is_further, made_by, expires_at)
                SELECT ?, unnest(?), ?, ?, now() + make_interval(days => ?) RETURNING expires_at";
    let binds = [
        Bind::Matricule(agency),
        Bind::Byteas(vec![sha256]),
        Bind::Boolean(is_further),
        Bind::Text(operator.user()),
        Bind::Integer(DAYS),
    ];
    let ends: Vec<DateTime<Utc>> = Statement::<Timestamptz>::new(text, &binds).load(connection).await?;
    Ok(ends.into_iter().next().ok_or_else(|| Fault::Bug("a code that was written has no end".to_owned()))?)
}

/// Says whether the agency has, or had, a certificate.
async fn has_certificate(connection: &mut AsyncPgConnection, agency: Matricule) -> Result<bool, AdministrationError> {
    is_there(connection, "SELECT EXISTS (SELECT FROM xm.certificates WHERE agency = ?)", agency).await
}

/// Says whether the agency has a valid permit for which no code was made yet.
async fn has_permit(connection: &mut AsyncPgConnection, agency: Matricule) -> Result<bool, AdministrationError> {
    let text = "SELECT EXISTS (SELECT FROM xm.enrolment_codes WHERE agency = ? AND is_further AND code_sha256 IS NULL
                                AND used_at IS NULL AND ended_at IS NULL AND expires_at > now())";
    is_there(connection, text, agency).await
}

async fn is_there(
    connection: &mut AsyncPgConnection,
    text: &'static str,
    agency: Matricule,
) -> Result<bool, AdministrationError> {
    let found: Vec<bool> = Statement::<Bool>::new(text, &[Bind::Matricule(agency)]).load(connection).await?;
    Ok(found.into_iter().next().unwrap_or_default())
}

fn draw() -> EnrolmentCode {
    let mut random = rand::rng();
    let characters: String = (0..ENROLMENT_CHARS)
        .map(|_| char::from(ENROLMENT_ALPHABET[random.random_range(0..ENROLMENT_ALPHABET.len())]))
        .collect();
    EnrolmentCode::typed(&characters)
}

/// Lists codes, newest first. If `before` is given, only codes with a lower number are listed.
///
/// # Errors
/// A fault of the database.
pub async fn list(
    connection: &mut AsyncPgConnection,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<Listed>, AdministrationError> {
    let codes = diesel::sql_query(
        "SELECT c.id, c.agency, a.name, a.telephone, c.is_further, c.made_by, c.made_at, c.expires_at, c.failures, c.installation,
                CASE WHEN c.used_at IS NOT NULL THEN 'used' WHEN c.ended_at IS NOT NULL THEN 'replaced'
                     WHEN c.expires_at <= now() THEN 'expired' WHEN c.locked_at IS NOT NULL THEN 'locked'
                     WHEN c.code_sha256 IS NULL THEN 'permitted' ELSE 'open' END AS state
           FROM xm.enrolment_codes c JOIN xm.agencies a ON a.matricule = c.agency
          WHERE c.id < $1 ORDER BY c.id DESC LIMIT $2",
    )
    .bind::<Integer, _>(before.unwrap_or(i32::MAX))
    .bind::<diesel::sql_types::BigInt, _>(limit)
    .load(connection)
    .await?;
    Ok(codes)
}

#[cfg(test)]
mod tests;
