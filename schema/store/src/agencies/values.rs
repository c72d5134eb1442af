//! Rules for the values of an agency, and the errors for constraints of the database that a value violates.

use sdc::address::is_address;
use sdc::letter::Matricule;

use crate::error::{AdministrationError, InvalidValue};

pub(super) fn explain(error: diesel::result::Error, number: Matricule, plan: &str) -> AdministrationError {
    AdministrationError::explain(
        error,
        vec![
            ("agencies_pkey", AdministrationError::AgencyExists(number)),
            ("agencies_plan_fkey", AdministrationError::PlanUnknown(plan.to_owned())),
            ("agencies_profile_fkey", AdministrationError::PlanUnknown(plan.to_owned())),
            ("agencies_letter_bytes_max_check", InvalidValue::LetterLimit.into()),
        ],
    )
}

pub(super) fn check_status(status: i16) -> Result<(), AdministrationError> {
    if (0..=3).contains(&status) { Ok(()) } else { Err(InvalidValue::Status.into()) }
}

pub(super) fn check_credit_limit(minor_units: i64) -> Result<(), AdministrationError> {
    if minor_units < 0 {
        return Err(InvalidValue::CreditLimit.into());
    }
    Ok(())
}

pub(super) fn check_line(what: InvalidValue, text: &str) -> Result<(), AdministrationError> {
    if text.chars().any(char::is_control) {
        return Err(what.into());
    }
    Ok(())
}

pub(super) fn check_name(name: &str) -> Result<(), AdministrationError> {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return Err(InvalidValue::Name.into());
    }
    Ok(())
}

/// Checks an e-mail address. An empty address is valid, since an agency may exchange files instead of mails.
pub(super) fn check_email(email: &str) -> Result<(), AdministrationError> {
    if email.is_empty() {
        return Ok(());
    }
    if !email.is_ascii() {
        return Err(InvalidValue::EmailAscii.into());
    }
    if is_address(email) { Ok(()) } else { Err(InvalidValue::EmailParts.into()) }
}
