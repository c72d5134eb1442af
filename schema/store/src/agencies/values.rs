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

/// Checks an installation's name, as the database does.
pub(super) fn check_installation(name: &str) -> Result<(), AdministrationError> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=32).contains(&name.len()) && name.chars().all(is_plain) && !name.starts_with('-') {
        return Ok(());
    }
    Err(InvalidValue::InstallationName.into())
}

/// Checks the largest container's size, as the database does.
pub(super) fn check_letter_limit(bytes: i32) -> Result<(), AdministrationError> {
    if (4096..=16_777_216).contains(&bytes) { Ok(()) } else { Err(InvalidValue::LetterLimit.into()) }
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

/// Checks areas: names that are separated by `/`, none of them empty or with blanks around it.
pub(super) fn check_area(area: &str) -> Result<(), AdministrationError> {
    let is_name = |name: &str| !name.is_empty() && name.trim() == name;
    if area.is_empty() || (area.split('/').all(is_name) && !area.chars().any(char::is_control)) {
        return Ok(());
    }
    Err(InvalidValue::Area.into())
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
