//! Parameters of errors: named values that programs get together with an error's code.

use serde_json::{Value, json};

use super::AdministrationError;

impl AdministrationError {
    /// Returns the parameters that a sentence about the error contains; null if there are none. The names of the parameters never change,
    /// but a later version may add parameters.
    pub fn parameters(&self) -> Value {
        match self {
            AdministrationError::AgencyUnknown(agency)
            | AdministrationError::AgencyExists(agency)
            | AdministrationError::RechargeNotLocked(agency)
            | AdministrationError::AgencySilent(agency)
            | AdministrationError::FingerprintMismatch { agency } => json!({ "agency": agency }),
            AdministrationError::Import(error) => error.parameters(),
            AdministrationError::StatusOfMany { agencies, most } => json!({ "agencies": agencies, "most": most }),
            AdministrationError::PlanUnknown(plan) => json!({ "plan": plan }),
            AdministrationError::InstallationExists { agency, name } => json!({ "agency": agency, "name": name }),
            AdministrationError::KeyOfAnotherAgency { owner, agency } => json!({ "owner": owner, "agency": agency }),
            AdministrationError::KeyNameTaken { name, owner } => json!({ "name": name.code(), "owner": owner }),
            AdministrationError::KeyOfCentre { state } => json!({ "state": state }),
            AdministrationError::KeyRevoked { at } => json!({ "at": at }),
            AdministrationError::CertificateConcerns(concerns) => json!({ "concerns": concerns }),
            AdministrationError::CertificateUnknown(name)
            | AdministrationError::CertificateAmbiguous(name)
            | AdministrationError::LetterUnknown(name) => json!({ "name": name }),
            AdministrationError::CertificateRevoked { fingerprint, at } => {
                json!({ "fingerprint": fingerprint, "at": at })
            }
            AdministrationError::LineUnknown { book, id } => json!({ "book": book.code(), "id": id }),
            AdministrationError::ProfileChangeUnknown(id) | AdministrationError::MessageUnknown(id) => {
                json!({ "id": id })
            }
            AdministrationError::HeldDecided { id, state }
            | AdministrationError::QuarantineDecided { id, state }
            | AdministrationError::ProfileChangeDecided { id, state } => json!({ "id": id, "state": state }),
            AdministrationError::FlagExplained { id, user } => json!({ "id": id, "user": user }),
            AdministrationError::QuarantineIncomplete { id } => json!({ "id": id }),
            AdministrationError::AddressOfCentre(address) => json!({ "address": address }),
            AdministrationError::Invalid(value) => value.parameters(),
            AdministrationError::AuditBroken(line) | AdministrationError::AuditLineUnknown(line) => {
                json!({ "line": line })
            }
            AdministrationError::AuditHeadOther { line, last } => json!({ "line": line, "last": last }),
            AdministrationError::CertificateExists
            | AdministrationError::NobodyToTell
            | AdministrationError::NothingSelected
            | AdministrationError::MatriculesExhausted
            | AdministrationError::SuperviseurLast
            | AdministrationError::ServerMissing
            | AdministrationError::Fault(_) => Value::Null,
            other => other.parameters_of_centre(),
        }
    }

    /// Returns the parameters of errors about tables, tariffs, people and the centre itself.
    fn parameters_of_centre(&self) -> Value {
        match self {
            AdministrationError::TableUnknown(table) => json!({ "table": table }),
            AdministrationError::RecordUnknown(record) => json!(record),
            AdministrationError::DefinitionFile(mistake) => json!(mistake),
            AdministrationError::TableThere { table, relation } => json!({ "table": table, "relation": relation }),
            AdministrationError::ScopeColumnUnknown { column, known } => json!({ "column": column, "known": known }),
            AdministrationError::TableUnfit { table, problems } => json!({ "table": table, "problems": problems }),
            AdministrationError::VouchersUnknown(batch)
            | AdministrationError::VouchersWritten(batch)
            | AdministrationError::VouchersEnded { batch } => json!({ "batch": batch }),
            AdministrationError::LoadColumns { unknown, missing } => json!({ "unknown": unknown, "missing": missing }),
            AdministrationError::LoadValues { faults, total } => json!({ "faults": faults, "total": total }),
            AdministrationError::LoadKeysTwice { key, count } => json!({ "key": key, "count": count }),
            AdministrationError::TariffLater { from } => json!({ "from": from }),
            AdministrationError::TariffUnknown(id) => json!({ "id": id }),
            AdministrationError::TariffBegun { id, from } => json!({ "id": id, "from": from }),
            AdministrationError::UserExists(user)
            | AdministrationError::UserUnknown(user)
            | AdministrationError::UserLocked(user)
            | AdministrationError::PasswordFirst(user) => json!({ "user": user }),
            AdministrationError::AccountMapped { account } | AdministrationError::AccountUnknown(account) => {
                json!({ "account": account })
            }
            AdministrationError::AccountUnmapped { account, uid } => json!({ "account": account, "uid": uid }),
            AdministrationError::NobodyMapped { account, superviseurs } => {
                json!({ "account": account, "superviseurs": superviseurs })
            }
            AdministrationError::PrivilegeMissing { user, privilege, operation } => json!({ "user": user,
                "privilege": privilege.number(), "operation": operation, "required": operation.privilege().number() }),
            AdministrationError::ApprovalNeeded(act) => {
                json!({ "operation": act.operation(), "parameters": act.told() })
            }
            AdministrationError::ApprovalUnknown(id)
            | AdministrationError::ApprovalOwn(id)
            | AdministrationError::ApprovalChanged(id)
            | AdministrationError::ApprovalWithoutCommission(id) => json!({ "id": id }),
            AdministrationError::ApprovalDecided { id, state } => json!({ "id": id, "state": state }),
            AdministrationError::ApprovalExpired { id, at } => json!({ "id": id, "at": at }),
            AdministrationError::ApprovalAskerMayNot { id, user } => json!({ "id": id, "user": user }),
            AdministrationError::ServerExists { name, mode, currency, zone } => {
                json!({ "name": name, "mode": mode, "currency": currency, "zone": zone })
            }
            AdministrationError::KeysForeign { centre, at_hand } => json!({ "centre": centre, "at_hand": at_hand }),
            AdministrationError::KeyMissing { fingerprint, state } => {
                json!({ "fingerprint": fingerprint, "state": state })
            }
            _ => Value::Null,
        }
    }
}
