//! English sentences for the codes of [`AdministrationError`]. Each sentence names the subject, what was expected and what to do.

use chrono::{DateTime, Utc};
use store::error::AdministrationError;

mod agencies;
mod approvals;
mod centre;
mod certificates;
mod import;
mod ledger;
mod letters;
mod people;
mod tables;
#[cfg(test)]
mod tests;
mod values;

pub use certificates::concern;
pub use tables::{change, warning};

/// Returns the sentence of an error, with times in UTC, for callers that do not know the centre's zone.
pub fn in_utc(error: &AdministrationError) -> String {
    sentence(error, |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Returns the sentence of an error, with times as `shown` writes them.
pub fn sentence(error: &AdministrationError, shown: impl Fn(DateTime<Utc>) -> String) -> String {
    match error {
        AdministrationError::Fault(fault) => fault.to_string(),
        AdministrationError::Invalid(value) => values::sentence(value),
        AdministrationError::Import(problem) => import::sentence(problem),
        AdministrationError::AuditBroken(_)
        | AdministrationError::AuditHeadOther { .. }
        | AdministrationError::AuditLineUnknown(_) => people::of_audit(error),
        AdministrationError::AgencyUnknown(_)
        | AdministrationError::AgencyExists(_)
        | AdministrationError::MatriculesExhausted
        | AdministrationError::StatusOfMany { .. }
        | AdministrationError::PlanUnknown(_)
        | AdministrationError::InstallationExists { .. }
        | AdministrationError::ScopeColumnUnknown { .. }
        | AdministrationError::AddressOfCentre(_)
        | AdministrationError::MessageUnknown(_)
        | AdministrationError::AgencySilent(_)
        | AdministrationError::NobodyToTell
        | AdministrationError::ProfileChangeUnknown(_)
        | AdministrationError::ProfileChangeDecided { .. } => agencies::of_agencies(error),
        AdministrationError::LetterUnknown(_)
        | AdministrationError::LineUnknown { .. }
        | AdministrationError::HeldDecided { .. }
        | AdministrationError::FlagExplained { .. }
        | AdministrationError::NothingSelected
        | AdministrationError::QuarantineDecided { .. }
        | AdministrationError::QuarantineIncomplete { .. } => letters::of_letters(error),
        AdministrationError::TariffLater { .. }
        | AdministrationError::TariffUnknown(_)
        | AdministrationError::TariffBegun { .. }
        | AdministrationError::VouchersUnknown(_)
        | AdministrationError::VouchersWritten(_)
        | AdministrationError::VouchersEnded { .. }
        | AdministrationError::RechargeNotLocked(_) => ledger::of_ledger(error, shown),
        AdministrationError::TableUnknown(_)
        | AdministrationError::RecordUnknown(_)
        | AdministrationError::DefinitionFile(_)
        | AdministrationError::TableThere { .. }
        | AdministrationError::LoadColumns { .. }
        | AdministrationError::LoadValues { .. }
        | AdministrationError::LoadKeysTwice { .. }
        | AdministrationError::TableUnfit { .. } => tables::of_tables(error),
        AdministrationError::ServerExists { .. }
        | AdministrationError::ServerMissing
        | AdministrationError::KeysForeign { .. }
        | AdministrationError::KeyMissing { .. } => centre::of_centre(error),
        AdministrationError::ApprovalNeeded(_)
        | AdministrationError::ApprovalUnknown(_)
        | AdministrationError::ApprovalDecided { .. }
        | AdministrationError::ApprovalExpired { .. }
        | AdministrationError::ApprovalOwn(_)
        | AdministrationError::ApprovalChanged(_)
        | AdministrationError::ApprovalAskerMayNot { .. }
        | AdministrationError::ApprovalWithoutCommission(_) => approvals::of_approvals(error, shown),
        AdministrationError::KeyOfAnotherAgency { .. }
        | AdministrationError::KeyNameTaken { .. }
        | AdministrationError::KeyOfCentre { .. }
        | AdministrationError::KeyRevoked { .. }
        | AdministrationError::CertificateExists
        | AdministrationError::FingerprintMismatch { .. }
        | AdministrationError::CertificateConcerns(_)
        | AdministrationError::CertificateUnknown(_)
        | AdministrationError::CertificateAmbiguous(_)
        | AdministrationError::CertificateRevoked { .. } => certificates::of_certificates(error, shown),
        of_people => people::of_people(of_people),
    }
}
